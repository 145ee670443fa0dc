// Typing and the like: never stored, may get lost.

import type { Msg } from "@nats-io/nats-core";

import { parseObject } from "./json.js";
import { type Place, senderOf, System } from "./subject.js";

/** Something fleeting that a user does in a room. */
export interface Signal {
  user: string;
  typing: boolean;
}

/** Strict, since a service's answer can be aimed at a sig subject. */
export function parseSignal(place: Place, m: Msg): Signal | undefined {
  const user = senderOf(place, "sig", m.subject);
  const body = parseObject(m.data);
  if (user === undefined || user === System || m.headers !== undefined || body === undefined) {
    return undefined;
  }
  return Object.keys(body).length === 1 && typeof body.typing === "boolean" ? { user, typing: body.typing } : undefined;
}
