// Chats from node: prints what was said in a room, says something, and prints what comes until its own
// message is back.
//
//     node dist/examples/room.js nats://127.0.0.1:4222 alice alice.creds lobby "hello from node"

import { readFileSync } from "node:fs";

import { connect } from "../src/node.js";

const [servers = "", user = "", file = "", id = "lobby", text = "hello"] = process.argv.slice(2);
const client = await connect({ servers, user, creds: readFileSync(file, "utf8"), name: "example room" });
client.on("status", (s) => console.error(`· ${s.state}`));

const room = await client.join(id);
const messages = client.listen(room, 0);
const mine = await client.post(room, { text });
for await (const m of messages) {
  if (m.event) {
    console.log(`· ${m.event.event} ${m.event.user ?? ""}`);
    continue;
  }
  console.log(`${m.sender}: ${m.text}`);
  if (m.seq === mine.seq) {
    await client.read(room, m.seq);
    break;
  }
}
await client.close();
