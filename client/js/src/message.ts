// Messages, from history and live.

import type { Msg } from "@nats-io/nats-core";

import { isCount, isObject, isString, isStrings, type Json, optional, parseObject } from "./json.js";
import { isShared, nameOf, type Place, senderOf, type SharedPlace, sharerOf, System } from "./subject.js";

/** A message that was stored in a room. */
export interface Message {
  /** Its place in the order of the room; grows, with gaps. */
  seq: number;
  /** A user id, <user>@<tenant> of another tenant's user, or System for events. */
  sender: string;
  /** When it was stored, by the server's clock. */
  time: Date;
  text: string;
  /** Sequence of the message that it answers to. */
  thread?: number;
  mentions?: string[];
  attachments?: Attachment[];
  /** What an application put there. */
  data?: unknown;
  /** Set where sender is System. */
  event?: Event;
  /** The id that its sender gave it; only live messages tell it. */
  id?: string;

  // Only history knows these.

  /** Number in the room, 1, 2, 3, …; absent for events. */
  n?: number;
  replies?: number;
  /** User ids by emoji. */
  reactions?: Record<string, string[]>;
  edited?: Date;
  /** Set where the text is gone. */
  deleted?: Date;

  /** Set where a message with a greater seq was delivered before. */
  late?: boolean;
}

/** A link to a file that is kept elsewhere. */
export interface Attachment {
  /** http:// or https:// */
  url: string;
  name?: string;
  /** Media type. */
  type?: string;
  /** Bytes. */
  size?: number;
}

/** What the platform says in a room. event says which fields are set; there may be others than these. */
export interface Event {
  /**
   * created (by), joined (user), left (user), invited (by, user), removed (by, user, reason), banned and muted (by,
   * user, on, until, reason), role (by, user, role), edited (by, seq, text), deleted (by, seq), reaction (by, seq,
   * emoji, on), pinned (by, seq, on), frozen and archived (by, on), settings (by, and what changed).
   */
  event: string;
  /** Whom it is about. */
  user?: string;
  /** Who did it; absent: the tenant's backend or an admin. */
  by?: string;
  /** Which message it is about. */
  seq?: number;
  text?: string;
  emoji?: string;
  role?: string;
  /** False where it ended. */
  on?: boolean;
  /** RFC 3339. */
  until?: string;
  reason?: string;
  [field: string]: unknown;
}

/**
 * Believes a message only if the server's headers are there once each, so that neither an answer
 * aimed at a live subject nor a header of the sender's own passes for one; who speaks is in the
 * subject that it was delivered on. Anything else is undefined.
 */
export function parseLive(place: Place, m: Msg): Message | undefined {
  if (!isShared(place)) {
    return parse(m, senderOf(place, "live", m.subject));
  }
  const from = sharerOf(place, m.subject);
  const by = from && place.tenants[from.account];
  if (!by || (from.sender === System && by !== place.host)) {
    return undefined; // the platform speaks under the host's account alone
  }
  const out = parse(m, from.sender === System ? System : nameOf(place, from.sender, by));
  return out && rename(out, place, by);
}

/** The account of a shared room's message, where the room's tenants, as they are known, don't have it. */
export function strangerOf(place: Place, m: Msg): string | undefined {
  if (!isShared(place)) {
    return undefined;
  }
  const account = sharerOf(place, m.subject)?.account;
  return account !== undefined && !Object.hasOwn(place.tenants, account) ? account : undefined;
}

/** Puts the names in a message of a user of by's, or in an event of the host's, as the user has them. */
function rename(m: Message, place: SharedPlace, by: string): Message {
  const name = (u: string) => nameOf(place, u, by);
  if (m.mentions) {
    m.mentions = m.mentions.map(name);
  }
  for (const key of ["user", "by"] as const) {
    const u = m.event?.[key];
    if (isString(u)) {
      m.event![key] = name(u);
    }
  }
  return m;
}

function parse(m: Msg, sender: string | undefined): Message | undefined {
  const seq = Number(single(m, "Nats-Sequence") ?? NaN);
  const time = new Date(single(m, "Nats-Time-Stamp") ?? NaN);
  const known = single(m, "Nats-Stream") !== undefined && single(m, "Nats-Subject") !== undefined;
  if (sender === undefined || !known || !isCount(seq) || seq === 0 || Number.isNaN(time.getTime())) {
    return undefined;
  }
  const body = parseObject(m.data);
  if (body === undefined) {
    return undefined;
  }
  if (sender === System) {
    return isString(body.event) && body.event !== "" ? { seq, sender, time, text: "", event: body as Event } : undefined;
  }
  if (!isBody(body)) {
    return undefined;
  }
  const out: Message = { seq, sender, time, text: body.text ?? "" };
  copy(body, out, "thread", "mentions", "attachments", "data");
  const id = single(m, "Nats-Msg-Id");
  if (id !== undefined) {
    out.id = id;
  }
  return out;
}

/** The value of a header that stands there exactly once. */
function single(m: Msg, key: string): string | undefined {
  const values = m.headers?.values(key) ?? [];
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

interface Body {
  text?: string;
  thread?: number;
  mentions?: string[];
  attachments?: Attachment[];
  data?: unknown;
}

/** The rules that don't change with the server's version: what history leaves out for good is not shown live either. */
function isBody(b: Json): b is Json & Body {
  const shaped = optional(b.text, isString) && optional(b.thread, isCount) && optional(b.mentions, isStrings) &&
    optional(b.attachments, (a) => Array.isArray(a) && a.every(isAttachment));
  const says = Boolean(b.text) || (Array.isArray(b.attachments) && b.attachments.length > 0) || (b.data ?? null) !== null;
  return shaped && says;
}

/** A reader may make a link of it. */
function isAttachment(a: unknown): boolean {
  return isObject(a) && isString(a.url) && /^https?:\/\//.test(a.url) &&
    optional(a.name, isString) && optional(a.type, isString) && optional(a.size, isCount);
}

function copy<K extends keyof Message>(from: Json, to: Message, ...keys: K[]) {
  for (const k of keys) {
    if (from[k] !== undefined && from[k] !== null) {
      to[k] = from[k] as Message[K];
    }
  }
}

/** A message as history answers it; undefined for one of a form that this client doesn't know. */
export function parseStored(v: unknown): Message | undefined {
  if (!isObject(v) || !isCount(v.seq) || !isString(v.sender) || !isString(v.time)) {
    return undefined;
  }
  const out: Message = { seq: v.seq, sender: v.sender, time: new Date(v.time), text: isString(v.text) ? v.text : "" };
  copy(v, out, "thread", "mentions", "attachments", "data", "n", "replies", "reactions");
  for (const k of ["edited", "deleted"] as const) {
    if (isString(v[k])) {
      out[k] = new Date(v[k]);
    }
  }
  if (out.sender === System) {
    out.event = isObject(v.event) && isString(v.event.event) ? (v.event as Event) : { event: "unknown" };
  }
  return out;
}
