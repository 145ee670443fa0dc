// Posting: retried under one id until acknowledged.

import { headers, type PermissionViolationError } from "@nats-io/nats-core";

import { ParleyError } from "./errors.js";
import { isCount, isObject, parseObject } from "./json.js";
import { isNoResponders, isTooLarge, type Link, violationOf } from "./link.js";
import type { Attachment } from "./message.js";
import * as subject from "./subject.js";
import { around, sleep, unless } from "./wait.js";

const postTimeout = 2_000; // of one attempt
const echoTimeout = 500; // of a post that waits for its own message, before it asks for an acknowledgement
const pauseMin = 50;
const pauseMax = 2_000;
// A stream that is just being made, or a server that is just starting, has nobody who listens for a
// moment. After these attempts nobody does.
const maxSilent = 5;

/** A message to post. */
export interface Draft {
  text?: string;
  /** Sequence of the message that it answers to. */
  thread?: number;
  mentions?: string[];
  attachments?: Attachment[];
  /** An object of the application's own. */
  data?: object;
  /**
   * Makes the post repeatable: the same id in the same room is stored once. It must not be guessable
   * (newId), or others could post under it first. Absent: a new one.
   */
  id?: string;
}

/** Says that a message is stored. */
export interface Ack {
  seq: number;
  /** An earlier attempt had stored it. */
  duplicate: boolean;
}

/** 128 random bits as text. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The JSON of a draft, without its id. */
export function encode(d: Draft): string {
  const { id: _, ...body } = d;
  return JSON.stringify(body);
}

/** Publishes without asking for an acknowledgement: it may get lost, or be refused without a word. */
export function send(link: Link, room: subject.Place, d: Draft) {
  const h = headers();
  h.set("Nats-Msg-Id", d.id ?? newId());
  link.nc.publish(subject.chat(room, link.user), encode(d), { headers: h });
}

/** An attempt that waits for its acknowledgement. */
interface Attempt {
  /** Why the server may have refused it. */
  suspect?: ParleyError;
  deny(why: ParleyError): void;
}

/** Posts for a link. */
export class Poster {
  #link: Link;
  #open: (room: subject.Place) => boolean;
  #waiting = new Set<Attempt>();

  /** open reconnects with the room in the working set; false where that would change nothing. */
  constructor(link: Link, open: (room: subject.Place) => boolean) {
    this.#link = link;
    this.#open = open;
    link.onDenied.add((e) => this.#denied(e));
  }

  /**
   * Publishes, and returns when the message has come back on live; undefined where it has not. A duplicate is not
   * delivered again: after that only the stream's own word counts.
   */
  async echo(room: subject.Place, d: Draft, id: string, signal?: AbortSignal): Promise<Ack | undefined> {
    await this.#link.connected(signal);
    const denied = new AbortController();
    const subj = subject.chat(room, this.#link.user);
    const onDenied = (e: PermissionViolationError) => e.subject === subj && denied.abort(e);
    const came = new Promise<number>((resolve) => this.#link.echoes.set(id, resolve));
    this.#link.onDenied.add(onDenied);
    try {
      send(this.#link, room, { ...d, id });
      const seq = await unless(came, AbortSignal.timeout(echoTimeout), this.#link.stretch, denied.signal, signal);
      return { seq, duplicate: false };
    } catch {
      return undefined; // what it is, the request says too
    } finally {
      this.#link.echoes.delete(id);
      this.#link.onDenied.delete(onDenied);
    }
  }

  /** Returns when the message is stored, and retries until then, until signal aborts, or a final refusal. */
  async post(room: subject.Place, d: Draft, id: string, signal?: AbortSignal): Promise<Ack> {
    const subj = subject.chat(room, this.#link.user);
    const body = encode(d);
    let silent = 0;
    for (let pause = pauseMin; ; pause = Math.min(2 * pause, pauseMax)) {
      await this.#link.connected(signal);
      const stretch = this.#link.stretch;
      try {
        return await this.#once(subj, body, id, signal);
      } catch (e) {
        this.#link.life.throwIfAborted();
        signal?.throwIfAborted();
        if (isNoResponders(e) && ++silent === maxSilent) {
          throw new ParleyError("unavailable", "nobody takes messages for this room", { cause: e });
        }
        if (isTooLarge(e)) {
          throw new ParleyError("too_large", "the message is larger than the server allows", { cause: e });
        }
        if (violationOf(e)?.subject === subj) {
          if (!this.#open(room)) {
            throw new ParleyError("forbidden", "you may not post here", { cause: e });
          }
          // The room was not in the working set: with it, once more.
          await this.#link.reconnection(stretch, signal);
          continue;
        }
        if (e instanceof ParleyError && !e.temporary) {
          throw e;
        }
        if (stretch.aborted) {
          continue; // cut off by a reconnection
        }
      }
      await sleep(around(pause), this.#link.life, signal);
    }
  }

  async #once(subj: string, body: string, id: string, signal?: AbortSignal): Promise<Ack> {
    const h = headers();
    h.set("Nats-Msg-Id", id);
    const denied = new AbortController();
    const attempt: Attempt = { deny: (why) => denied.abort(why) };
    this.#waiting.add(attempt);
    try {
      const m = await this.#link.request(subj, body, postTimeout, h, denied.signal, signal);
      return parseAck(m.data);
    } catch (e) {
      throw attempt.suspect ?? e;
    } finally {
      this.#waiting.delete(attempt);
    }
  }

  /**
   * Where a room is closed the server names void.<why> in place of the subject, so any of the waiting
   * posts may be meant: one alone is, and of several those that stay unanswered.
   */
  #denied(e: PermissionViolationError) {
    if (e.operation !== "publish" || !e.subject.startsWith("void.")) {
      return; // nats.js ends the request for that subject itself
    }
    const why = new ParleyError("forbidden", `posting is closed here: ${e.subject.slice("void.".length)}`, { cause: e });
    for (const a of this.#waiting) {
      if (this.#waiting.size === 1) {
        a.deny(why);
      } else {
        a.suspect = why;
      }
    }
  }
}

// The stream's error codes that a retry does not mend.
const errMaxBytes = 10077; // maximum bytes or messages exceeded, under discard new
const errMessageTooLarge = 10054;

/** Reads the stream's acknowledgement: its errors stand in the JSON. */
export function parseAck(data: Uint8Array): Ack {
  const a = parseObject(data);
  if (a !== undefined && !isObject(a.error) && isCount(a.seq) && a.seq > 0) {
    // A duplicate is our own earlier attempt: nobody else can know its id before that was stored.
    return { seq: a.seq, duplicate: a.duplicate === true };
  }
  if (!isObject(a?.error)) {
    throw new ParleyError("internal", "the acknowledgement has another form than the stream's");
  }
  const { code, err_code, description } = a.error;
  if (err_code === errMaxBytes) {
    throw new ParleyError("limit_reached", `the tenant's storage is full: ${description}`);
  }
  if (err_code === errMessageTooLarge) {
    throw new ParleyError("too_large", `the message is too large: ${description}`);
  }
  if (typeof code === "number" && code >= 500) {
    throw new ParleyError("unavailable", `the stream can't store it now: ${description}`);
  }
  throw new ParleyError("invalid", `the stream refused the message: ${description}`);
}
