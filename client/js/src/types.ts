// What both entries have in common.

export { Client, type PostOptions, type Stats } from "./client.js";
export { type Code, ParleyError } from "./errors.js";
export type { Status } from "./link.js";
export type { Listener } from "./listener.js";
export type { Attachment, Event, Message } from "./message.js";
export type { Notice } from "./notice.js";
export type {
  Found,
  HistoryQuery,
  Level,
  Me,
  Member,
  NewRoom,
  Operations,
  Presence,
  Role,
  Room,
  RoomChange,
  Term,
  Unread,
} from "./operations.js";
export type { Options } from "./options.js";
export { type Ack, type Draft, newId } from "./post.js";
export type { Answer, Question } from "./question.js";
export type { Signal } from "./signal.js";
export { type Class, directId, type Kind, System, validId, validRoomId } from "./subject.js";
