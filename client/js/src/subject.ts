// Builds and parses ids and subjects. Nothing else in the SDK joins tokens with dots.

import { ParleyError } from "./errors.js";

export type Kind = "open" | "announce" | "private" | "direct" | "shared";
export type Class = "std" | "day" | "keep" | "mem";

const kinds: readonly string[] = ["open", "announce", "private", "direct", "shared"];
const classes: readonly string[] = ["std", "day", "keep", "mem"];
const reserved = new Set([...kinds, ...classes, "chat", "live", "sig", "svc", "api", "user", "void", "t"]);

/** The sender of what only the platform may say in a room. */
export const System = "_";

/** Whether s may name a tenant, a room or a user. */
export function validId(s: unknown): s is string {
  return typeof s === "string" && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(s) && !reserved.has(s);
}

/** Whether s is a public user nkey: the sender of a user whom his tenant signs. */
export function validNkey(s: unknown): s is string {
  return typeof s === "string" && /^U[A-Z2-7]{55}$/.test(s);
}

function validAccount(s: string): boolean {
  return /^A[A-Z2-7]{55}$/.test(s);
}

/** Whether s may name a room: an id, or <low>.<high> for the two users of a direct one. */
export function validRoomId(s: unknown): s is string {
  return validId(s) || (typeof s === "string" && pair(s) !== undefined);
}

/** The two users of a direct room. */
export function pair(room: string): [string, string] | undefined {
  const [low, high, more] = room.split(".");
  return more === undefined && validId(low) && validId(high) && low < high ? [low, high] : undefined;
}

/** The id of the one room of two users. */
export function directId(a: string, b: string): string {
  if (!validId(a) || !validId(b) || a === b) {
    throw new ParleyError("invalid", `${JSON.stringify(b)} is no other user's id`);
  }
  return a < b ? `${a}.${b}` : `${b}.${a}`;
}

/** Where a room stands in subjects. */
export interface Place {
  id: string;
  kind: Kind;
  class: Class;
  // Of rooms that tenants share:
  /** What stands for the room in subjects. */
  address?: string;
  /** The user's own tenant. */
  tenant?: string;
  /** The room's tenant. */
  host?: string;
  /** Whose users post there, by account. */
  tenants?: Record<string, string>;
}

/** A room that tenants share. Its messages name the users of other tenants <user>@<tenant>. */
export type SharedPlace = Required<Place>;

/** Whether v is what the service says of a room that can stand in a subject. */
export function isPlace(v: unknown): v is Place {
  const p = v as Partial<Place> | null;
  return (
    typeof p === "object" && p !== null && kinds.includes(p.kind ?? "") && classes.includes(p.class ?? "") &&
    validRoomId(p.id) && (p.kind === "direct") === (pair(p.id) !== undefined) && (p.kind !== "shared" || hasSharers(p))
  );
}

function hasSharers(p: Partial<Place>): boolean {
  const tenants = Object.entries(p.tenants ?? {});
  return [p.address, p.tenant, p.host].every(validId) && tenants.every(([account, t]) => validAccount(account) && validId(t));
}

/** Whether tenants share a room. */
export function isShared(p: Place): p is SharedPlace {
  return p.kind === "shared";
}

function path(p: Place): string {
  if (!isPlace(p)) {
    throw new ParleyError("invalid", "this is no room that rooms, room, join or direct returned");
  }
  return isShared(p) ? `shared.${p.address}` : `${p.class}.${p.kind}.${p.id}`;
}

export const chat = (p: Place, user: string) => `chat.${path(p)}.${user}`;
/** Where all senders' messages are delivered. */
export const live = (p: Place) => `live.${path(p)}.${isShared(p) ? "*.*" : "*"}`;
export const sig = (p: Place, sender: string) => `sig.${path(p)}.${sender}`;
export const api = (user: string, op: string) => `chat.api.${user}.${op}`;

/** Where a user asks a service: <name> of his tenant's, or <name>@<tenant> of another's. */
export function service(name: string, tenant: string, user: string): string {
  const [own, host, more] = name.split("@");
  if (more !== undefined || !validId(own) || (host !== undefined && !validId(host))) {
    throw new ParleyError("invalid", `${JSON.stringify(name)} names no service, as helper or helper@acme`);
  }
  return `svc.${name}.${tenant}.${user}`;
}
/** What the backend of a service hears. */
export function questions(name: string): string {
  if (!validId(name)) {
    throw new ParleyError("invalid", `${JSON.stringify(name)} names no service`);
  }
  return `svc.${name}.*.*`;
}
export const notices = (user: string) => `live.user.${user}.*`;
export const inbox = (user: string) => `_INBOX.${user}`;

/** Who speaks in a room on a delivery subject of it; undefined where nobody could. */
export function senderOf(p: Place, prefix: "live" | "sig", subject: string): string | undefined {
  const head = `${prefix}.${path(p)}.`;
  const sender = subject.slice(head.length);
  const two = pair(p.id);
  const fits = sender === System || (two ? two.includes(sender) : validId(sender) || validNkey(sender));
  return subject.startsWith(head) && fits ? sender : undefined;
}

/** Who speaks in a shared room on a delivery subject of it, and of which account; undefined where nobody could. */
export function sharerOf(p: SharedPlace, subject: string): { account: string; sender: string } | undefined {
  const head = `live.${path(p)}.`;
  const [account, sender, more] = subject.slice(head.length).split(".");
  const fits = account !== undefined && validAccount(account) && more === undefined && (sender === System || validId(sender));
  return subject.startsWith(head) && fits ? { account, sender } : undefined;
}

/** What the user calls somebody in a shared room whom a user of the tenant by calls u. */
export function nameOf(p: SharedPlace, u: string, by: string): string {
  const [id, of = by] = u.split("@");
  return of === p.tenant ? id! : `${id}@${of}`;
}
