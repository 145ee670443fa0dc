// Reads what listeners missed: they all come back at once, and those who ask while a request is under way
// go into the next one together.

import { type Code, ParleyError } from "./errors.js";
import { type Message, parseStored } from "./message.js";
import type { Operations } from "./operations.js";

/** How many rooms one request takes. */
const maxMissed = 50;
/** How many messages of each it asks for. */
export const pageSize = 200;

/** The oldest messages that a room has behind a sequence. */
export interface Missed {
  messages: Message[];
  more: boolean;
}

interface Waiting {
  room: string;
  after: number;
  resolve(m: Missed): void;
  reject(e: unknown): void;
}

type Ask = (request: Operations["missed"][0]) => Promise<Operations["missed"][1]>;

export class CatchUp {
  #ask: Ask;
  #waiting: Waiting[] = [];
  #asking = false;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Reads at most a page of a room behind a sequence. Where the other rooms took all of the answer it has no messages, and more. */
  read(room: string, after: number): Promise<Missed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ room, after, resolve, reject });
      if (!this.#asking) {
        this.#asking = true;
        void this.#run();
      }
    });
  }

  async #run() {
    await Promise.resolve(); // those who come back in the same moment ask in it too
    for (let next = this.#take(); next.length > 0; next = this.#take()) {
      await this.#answer(next);
    }
    this.#asking = false;
  }

  /** The next to ask for, each room once. */
  #take(): Waiting[] {
    const next = new Map<string, Waiting>();
    const later: Waiting[] = [];
    for (const w of this.#waiting) {
      if (next.has(w.room) || next.size === maxMissed) {
        later.push(w);
      } else {
        next.set(w.room, w);
      }
    }
    this.#waiting = later;
    return [...next.values()];
  }

  async #answer(asked: Waiting[]) {
    try {
      const { rooms } = await this.#ask({ rooms: asked.map(({ room, after }) => ({ room, after })), limit: pageSize });
      const found = new Map(rooms.map((r) => [r.room, r]));
      for (const w of asked) {
        const r = found.get(w.room);
        if (r === undefined || r.messages === undefined) {
          w.reject(new ParleyError((r?.code as Code | undefined) ?? "internal", r?.message ?? `the answer to missed has no room ${w.room}`));
        } else {
          w.resolve({ messages: r.messages.map(parseStored).filter((m) => m !== undefined), more: r.more === true });
        }
      }
    } catch (e) {
      for (const w of asked) {
        w.reject(e);
      }
    }
  }
}
