// What the platform tells one user.

import { isCount, isObject, isString, isStrings, type Json, optional, parseObject } from "./json.js";
import type { Presence } from "./operations.js";

export type Notice =
  /** New rights in rooms; the client reconnects by itself. */
  | { what: "rights"; rooms: string[] }
  /** The client has stopped. */
  | { what: "revoked"; reason: string }
  /** A post was stored but does not count. */
  | { what: "refused"; room: string; seq: number; code: string }
  | { what: "invited"; room: string; by?: string }
  | { what: "removed"; room: string; by?: string; reason?: string }
  | { what: "mention"; room: string; seq: number; by?: string }
  /** Also when another device of the user's has read. */
  | { what: "unread"; room: string; unread: number; mentions?: number; last?: number; read?: number }
  /** Others have read a room: up to which sequence, by user. */
  | { what: "read"; room: string; read: Record<string, number> }
  /** Who comes and goes, see Client.presence. */
  | { what: "presence"; users: Presence[] }
  /** Somebody shows a message to the room's moderators. */
  | { what: "reported"; room: string; seq: number; by: string; reason?: string };

type Test = (v: unknown) => boolean;
const maybeString: Test = (v) => optional(v, isString);
const maybeCount: Test = (v) => optional(v, isCount);
const isPresence: Test = (v) => isObject(v) && isString(v.user) && typeof v.online === "boolean";

/** The keys of each notice. */
const forms: Record<string, Record<string, Test>> = {
  rights: { rooms: isStrings },
  revoked: { reason: isString },
  refused: { room: isString, seq: isCount, code: isString },
  invited: { room: isString, by: maybeString },
  removed: { room: isString, by: maybeString, reason: maybeString },
  mention: { room: isString, seq: isCount, by: maybeString },
  unread: { room: isString, unread: isCount, mentions: maybeCount, last: maybeCount, read: maybeCount },
  read: { room: isString, read: (v) => isObject(v) && Object.values(v).every(isCount) },
  reported: { room: isString, seq: isCount, by: isString, reason: maybeString },
  presence: { users: (v) => Array.isArray(v) && v.every(isPresence) },
};

/**
 * These mark what is no notice but an answer of the stream or of a service, which any user can have
 * sent to another's notice subject as the reply to a request.
 */
const answerKeys = ["ok", "stream", "error", "type"];

export function parseNotice(subject: string, data: Uint8Array): Notice | undefined {
  const what = subject.slice(subject.lastIndexOf(".") + 1);
  const form = Object.hasOwn(forms, what) ? forms[what] : undefined;
  const body: Json | undefined = parseObject(data);
  if (form === undefined || body === undefined || answerKeys.some((k) => k in body)) {
    return undefined;
  }
  if (!Object.entries(form).every(([key, test]) => test(body[key]))) {
    return undefined;
  }
  return { ...body, what } as Notice;
}
