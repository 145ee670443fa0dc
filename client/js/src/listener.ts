// The stream of one room: history and live joined without a gap or a double.

import type { Msg, Subscription } from "@nats-io/nats-core";

import { ParleyError } from "./errors.js";
import type { Link, Status } from "./link.js";
import { Merge } from "./merge.js";
import { type Message, parseLive, strangerOf } from "./message.js";
import type { Missed } from "./missed.js";
import { Signers } from "./signed.js";
import * as subject from "./subject.js";
import { around, sleep } from "./wait.js";

/** How many live messages wait for history or for a slow reader; what comes beyond is read from history later. */
const maxHeld = 4096;
// A second read follows a first: on a cluster the first milliseconds of a subscription can be missed.
const secondRead = 1_000;
const readPauseMin = 250; // between reads that fail
const readPauseMax = 10_000;
const forbiddenPause = 2_000;

/** What a listener asks its client for. */
export interface Source {
  /** Reads messages behind a sequence, oldest first. */
  missed(after: number, signal: AbortSignal): Promise<Missed>;
  /** Reads the room as it is now. */
  room(): Promise<subject.Place>;
  /** Reconnects with the room in the working set; false where that would change nothing. */
  open(): boolean;
}

interface Page extends Missed {
  breaks: number; // when it was asked
  error?: unknown;
}

/**
 * The messages of one room: those of history first, then the live ones, each once, in the order of
 * their sequence. It outlives reconnections. The one exception to the order is marked: a message is
 * late where history could not be read in time, or where a cluster's servers delivered it late.
 *
 * After each break (the start, a reconnection, messages lost) it holds back what comes live until
 * history is read up to the break, and reads once more a second later. Where history can't be read it
 * holds nothing back: live delivery does not need the database.
 */
export class Listener implements AsyncIterable<Message> {
  #room: subject.Place;
  #link: Link;
  #source: Source;
  #onEnd: () => void;
  #merge: Merge;

  #sub: Subscription | undefined;
  #held: { message: Message; epoch: number }[] = [];
  #lost = false; // held had no room for one
  #denied = false;
  #signers = new Signers();
  #opened = false; // the connection was made again to get the room listed
  #strangers = new Map<string, "met" | "unknown">(); // accounts that #room does not have; unknown: asked for in vain

  #epoch = 0; // the connection that history is read for
  #breaks = 0;
  #holding = false;
  #second = false; // the next read that ends is the second
  #reading = false;
  #page: Page | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = readPauseMin;

  #ended = new AbortController();
  #wake = () => {};

  /** @internal */
  constructor(link: Link, room: subject.Place, after: number, source: Source, onEnd: () => void) {
    this.#room = room;
    this.#link = link;
    this.#source = source;
    this.#onEnd = onEnd;
    this.#merge = new Merge(after);
    this.#subscribe();
    link.onStatus.add(this.#status);
    link.life.addEventListener("abort", this.#stopped);
    if (link.life.aborted) {
      this.#stopped();
    }
    this.#breakUp(link.epoch);
  }

  /** The room, as it was read last. */
  get room(): subject.Place {
    return this.#room;
  }

  /** Ends the stream; the loop over it ends without an error. */
  close() {
    this.#end(undefined);
  }

  /**
   * Delivers until close, or throws why it ended: the client's error, or "forbidden" or "not_found"
   * where the room can't be read (any more). It may be called once. Leaving the loop closes the stream.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void> {
    try {
      while (!this.#ended.signal.aborted) {
        const page = this.#page;
        this.#page = undefined;
        if (page) {
          yield* this.#apply(page);
        } else if (!this.#holding && (this.#held.length > 0 || this.#lost)) {
          yield* this.#drain();
        } else {
          await new Promise<void>((wake) => { this.#wake = wake; });
        }
      }
      if (this.#ended.signal.reason !== undefined && this.#ended.signal.reason !== quiet) {
        throw this.#ended.signal.reason;
      }
    } finally {
      this.close();
    }
  }

  #end(why: unknown) {
    if (this.#ended.signal.aborted) {
      return;
    }
    this.#ended.abort(why ?? quiet);
    clearTimeout(this.#timer);
    this.#link.onStatus.delete(this.#status);
    this.#link.life.removeEventListener("abort", this.#stopped);
    if (!this.#link.life.aborted) {
      this.#sub?.unsubscribe();
    }
    this.#onEnd();
    this.#wake();
  }

  #stopped = () => this.#end(this.#link.life.reason);

  #subscribe() {
    this.#denied = false;
    this.#sub = this.#link.nc.subscribe(subject.live(this.#room), {
      callback: (err, m) => (err ? this.#onDenied() : this.#onMessage(m)),
    });
  }

  #onMessage(m: Msg) {
    const stranger = strangerOf(this.#room, m);
    if (stranger !== undefined && this.#strangers.get(stranger) !== "unknown") {
      this.#strangers.set(stranger, "met");
      this.#lost = true; // history has it, and is read when the tenants are known
      this.#wake();
      return;
    }
    const message = parseLive(this.#room, m);
    if (message === undefined) {
      this.#link.junk++;
      return;
    }
    if (message.id !== undefined && message.sender === this.#link.user) {
      this.#link.echoes.get(message.id)?.(message.seq);
    }
    const named = this.#signers.name(message);
    if (named !== undefined && this.#held.length < maxHeld) {
      this.#held.push({ message: named, epoch: this.#link.epoch });
    } else {
      this.#lost = true;
    }
    this.#wake();
  }

  /** The connection has not got the room: once more with it in the working set. nats.js has ended the subscription. */
  #onDenied() {
    this.#denied = true;
    if (this.#opened || !this.#source.open()) {
      this.#end(new ParleyError("forbidden", `you may not read room ${this.#room.id}`));
      return;
    }
    this.#opened = true;
  }

  #status = (s: Status) => {
    if (s.state !== "connected") {
      return;
    }
    if (this.#denied) {
      this.#subscribe();
    }
    if (this.#link.epoch > this.#epoch) {
      this.#breakUp(this.#link.epoch);
    }
  };

  /** Live delivery has, or may have, a gap before this moment. */
  #breakUp(epoch: number) {
    this.#epoch = epoch;
    this.#breaks++;
    this.#holding = true;
    this.#second = false;
    this.#merge.broken();
    this.#ask();
  }

  /**
   * Asks for the history behind the cursor, one page at a time. The request goes over the connection
   * after the subscription, so the server has that before it.
   */
  #ask() {
    if (this.#reading || this.#ended.signal.aborted) {
      return; // its answer is of an older break, and is followed by another
    }
    this.#reading = true;
    clearTimeout(this.#timer);
    const breaks = this.#breaks;
    this.#acquaint()
      .then(() => this.#source.missed(this.#merge.cursor, this.#ended.signal))
      .catch(async (error: unknown) => {
        if (error instanceof ParleyError && error.code === "forbidden") {
          // A revoked user is refused before he is told why: the notice is on its way.
          await sleep(forbiddenPause, this.#ended.signal);
        }
        throw error;
      })
      .then((p) => ({ breaks, ...p }), (error: unknown) => ({ breaks, messages: [], more: false, error }))
      .then((p) => {
        this.#reading = false;
        this.#page = p;
        this.#wake();
      });
  }

  /** Asks who takes part, where strangers were met. */
  async #acquaint() {
    const met = [...this.#strangers].filter(([, state]) => state === "met");
    if (met.length > 0) {
      this.#room = await this.#source.room();
      for (const [account] of met) {
        this.#strangers.set(account, "unknown");
        if (this.#room.tenants?.[account] !== undefined) {
          this.#strangers.delete(account);
        }
      }
    }
  }

  *#apply(p: Page): Generator<Message> {
    if (p.error !== undefined) {
      if (p.error instanceof ParleyError && !p.error.temporary) {
        this.#end(p.error);
        return;
      }
      this.#holding = false;
      this.#later(around(this.#pause));
      this.#pause = Math.min(2 * this.#pause, readPauseMax);
      return;
    }
    this.#pause = readPauseMin;
    for (const m of p.messages) {
      yield* this.#deliver(m);
      this.#signers.learn(m);
      this.#merge.read(m.seq);
    }
    if ((p.more && p.messages.length > 0) || p.breaks < this.#breaks) {
      this.#ask();
      return;
    }
    this.#holding = false;
    yield* this.#drain();
    if (this.#holding) {
      return;
    }
    if (!this.#second) {
      this.#second = true;
      this.#later(secondRead + (Math.random() * secondRead) / 4);
      return;
    }
    this.#merge.mended();
    this.#opened = false;
  }

  #later(ms: number) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  /** Delivers what came live, up to a break that it finds. */
  *#drain(): Generator<Message> {
    for (;;) {
      if (this.#lost) {
        this.#lost = false;
        this.#held = [];
        this.#breakUp(this.#epoch);
        return;
      }
      const next = this.#held[0];
      if (next === undefined || this.#holding) {
        return;
      }
      if (next.epoch > this.#epoch) {
        this.#breakUp(next.epoch);
        return;
      }
      this.#held.shift();
      yield* this.#deliver(next.message);
    }
  }

  *#deliver(m: Message): Generator<Message> {
    const { fresh, late } = this.#merge.accept(m);
    if (!fresh) {
      this.#link.doubles++;
      return;
    }
    yield late ? { ...m, late } : m;
  }
}

/** The reason of an end that is no error. */
const quiet = Symbol("closed");
