// What users ask a service, as its backend hears it.

import type { Msg } from "@nats-io/nats-core";

import { inbox, validId, validNkey } from "./subject.js";

/** What a user asks a service. */
export interface Question {
  user: string;
  /** The id of the share by which another tenant's user asks; without it he is of the service's own tenant. */
  share?: string;
  body: Uint8Array;
}

/** What a service answers, in whatever form it has with those who ask. */
export type Answer = string | Uint8Array;

/** A server made such a reply subject, and lets no client name one. */
const serversOwn = "_R_.";

/** Believes what docs/PROTOCOL.md says that a service may believe. */
export function parseQuestion(m: Msg, name: string, own: string, shares: string[]): Question | undefined {
  const [svc, service, from = "", user = "", more] = m.subject.split(".");
  const reply = m.reply ?? "";
  if (svc !== "svc" || service !== name || more !== undefined || !(validId(user) || validNkey(user))) {
    return undefined;
  }
  if (from === own) {
    return reply.startsWith(`${inbox(user)}.`) ? { user, body: m.data } : undefined;
  }
  return shares.includes(from) && reply.startsWith(serversOwn) ? { user, share: from, body: m.data } : undefined;
}
