// The operations of the chat API, as chat.api.<user>.<op> takes and answers them.

import type { Message } from "./message.js";
import type { Class, Kind, Place } from "./subject.js";

export type Role = "reader" | "member" | "poster" | "moderator" | "owner";

/** A room as the user sees it. */
export interface Room extends Place {
  title: string;
  /** Absent: not a member. */
  role?: Role;
  unread: number;
  mentions: number;
  /** Sequence of the newest message, 0: none. */
  last: number;
  /** Sequence of the last message that the user has read. */
  read: number;
  /** Sequence of the first message that the user has not read, where there is one. */
  first_unread?: number;
  /** What the user wants to be told; absent: all. */
  notify?: Level;
}

/** What a user wants to be told of a room that he does not look at. */
export type Level = "all" | "mentions" | "none";

/** The user as the service knows him. */
export interface Me {
  user: string;
  tenant: string;
  /** May be empty. */
  name: string;
  /** The rooms that a connection without a working set lists one by one. */
  rooms_granted: string[];
}

/** A user's standing in a room. */
export interface Member {
  user: string;
  name: string;
  role: Role;
  /** Up to this sequence; in rooms of up to 100 members. */
  read?: number;
}

/** What the user has not read in a room. */
export type Unread = Pick<Room, "id" | "unread" | "mentions" | "last" | "read" | "first_unread">;

/** Which messages of a room to read: the newest, or those before or after a sequence, or since a time. */
export interface HistoryQuery {
  before?: number;
  after?: number;
  since?: Date;
  until?: Date;
  /** Only replies to this message. */
  thread?: number;
  /** 50 where absent; at most 1,000. */
  limit?: number;
}

/** A room that a user makes. */
export interface NewRoom {
  id: string;
  /** private where absent. */
  kind?: Exclude<Kind, "direct" | "shared">;
  /** std where absent. */
  class?: Class;
  title?: string;
}

/** What changes in a room's settings. */
export interface RoomChange {
  title?: string;
  /** Between two messages of a user; 0: no slow mode. */
  slow_seconds?: number;
  /** What a member sees: all, or what was said since he joined. */
  history?: "all" | "joined";
}

/** How long something lasts: for good, where neither is given. */
export interface Term {
  until?: Date;
  seconds?: number;
}

/** Whether a user is there. */
export interface Presence {
  user: string;
  online: boolean;
  /** There, but away from his screen. */
  idle?: boolean;
  /** RFC 3339; absent: never. */
  last_seen?: string;
}

/** A message with the place of what was looked for. */
export interface Found extends Message {
  room: string;
  /** An excerpt of the text, plain text in parts; hit marks what was looked for. */
  highlights: { text: string; hit?: boolean }[];
}

interface InRoom {
  room: string;
}

interface OfMessage extends InRoom {
  seq: number;
}

interface OfUser extends InRoom {
  user: string;
}

interface Ending {
  until?: string;
  seconds?: number;
}

/** What each operation takes, and answers beside "ok". */
export interface Operations {
  whoami: [request: Record<string, never>, answer: Me];
  rooms: [request: { query?: string; limit?: number; after?: string }, answer: { rooms: Room[] }];
  join: [request: InRoom, answer: object];
  leave: [request: InRoom, answer: object];
  members: [request: InRoom, answer: { members: Member[]; more?: boolean }];
  direct: [request: { user: string }, answer: object];
  history: [
    request: InRoom & { before?: number; after?: number; since?: string; until?: string; thread?: number; limit?: number },
    answer: { messages: unknown[]; more: boolean },
  ];
  missed: [
    request: { rooms: { room: string; after: number }[]; limit?: number },
    answer: { rooms: { room: string; messages?: unknown[]; more?: boolean; code?: string; message?: string }[] },
  ];
  read: [request: InRoom & { seq: number }, answer: { unread: number; read: number }];
  edit: [request: OfMessage & { text: string }, answer: { message: unknown }];
  delete: [request: OfMessage, answer: { message: unknown }];
  react: [request: OfMessage & { emoji: string; remove?: boolean }, answer: { message: unknown }];
  unread: [request: Partial<InRoom>, answer: { unread: number; rooms: Unread[] }];

  create: [request: InRoom & { kind?: Kind; class?: Class; title?: string }, answer: object];
  settings: [request: InRoom & RoomChange, answer: object];
  freeze: [request: InRoom & { on: boolean }, answer: object];
  archive: [request: InRoom & { on: boolean }, answer: object];
  delete_room: [request: InRoom, answer: object];

  invite: [request: OfUser & Ending & { role?: Role }, answer: object];
  kick: [request: OfUser & { reason?: string }, answer: object];
  ban: [request: OfUser & Ending & { reason?: string }, answer: object];
  unban: [request: OfUser, answer: object];
  role: [request: OfUser & { role: Role }, answer: object];
  mute: [request: OfUser & Ending & { reason?: string }, answer: object];
  unmute: [request: OfUser, answer: object];

  pin: [request: OfMessage & { on: boolean }, answer: object];
  pins: [request: InRoom, answer: { messages: unknown[] }];
  report: [request: OfMessage & { reason?: string }, answer: object];
  notify: [request: InRoom & { level: Level }, answer: object];
  block: [request: { user: string; on: boolean }, answer: object];
  blocks: [request: Record<string, never>, answer: { users: string[] }];

  search: [request: Partial<InRoom> & { query: string; limit?: number; after?: string }, answer: { messages: unknown[]; next?: string }];
  presence: [
    request: { room?: string; users?: string[]; idle?: boolean },
    answer: { users: Presence[]; more?: boolean; watch_seconds?: number },
  ];
}
