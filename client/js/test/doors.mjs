// Connects with nats.js as it comes, once for each case on standard input, and prints what came of it.
// A case is {name, url, user, token?, login?: {user, pass}, seed?, nkey?, creds?, jwt?}, where nkey and jwt
// are shown with the seed of somebody else; the answer {name, user} or {name, error}.

import { text } from "node:stream/consumers";
import { credsAuthenticator, jwtAuthenticator, nkeyAuthenticator, wsconnect } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";

const dial = process.env.PARLEY_TRANSPORT === "ws" ? wsconnect : connect;
const bytes = (s) => new TextEncoder().encode(s);

async function enter(c) {
  const how = { servers: c.url, inboxPrefix: `_INBOX.${c.user}`, timeout: 10000, reconnect: false, token: c.token, ...c.login };
  if (c.seed) how.authenticator = nkeyAuthenticator(bytes(c.seed));
  if (c.nkey) how.authenticator = (nonce) => ({ ...nkeyAuthenticator(bytes(c.seed))(nonce), nkey: c.nkey });
  if (c.jwt) how.authenticator = jwtAuthenticator(c.jwt, bytes(c.seed));
  if (c.creds) how.authenticator = credsAuthenticator(bytes(c.creds));
  try {
    const nc = await dial(how);
    const reply = await nc.request(`chat.api.${c.user}.whoami`, "{}", { timeout: 10000 });
    await nc.close();
    return { name: c.name, user: reply.json().user };
  } catch (e) {
    return { name: c.name, error: String(e) };
  }
}

const answers = [];
for (const c of JSON.parse(await text(process.stdin))) answers.push(await enter(c));
console.log(JSON.stringify(answers));
process.exit(0);
