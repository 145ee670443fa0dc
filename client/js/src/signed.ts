// Users whom their tenant signs post as their nkey, and the history has them by their id.

import type { Message } from "./message.js";
import { validNkey } from "./subject.js";

const maxMet = 1024;

/** The users whom their tenant signs, as a listener has found them out in the history. */
export class Signers {
  #ids = new Map<string, string>(); // by nkey
  #asked = new Map<number, string>(); // nkeys by the sequence of a message that history is read for

  /** Puts the user's id in the place of his nkey; undefined where history has to tell it first. */
  name(m: Message): Message | undefined {
    if (!validNkey(m.sender)) {
      return m;
    }
    const sender = this.#ids.get(m.sender);
    if (sender !== undefined) {
      return { ...m, sender };
    }
    if (this.#asked.size >= maxMet || this.#ids.size >= maxMet) {
      this.#asked.clear();
      this.#ids.clear();
    }
    this.#asked.set(m.seq, m.sender);
    return undefined;
  }

  /** Looks whether a message of the history tells whose an nkey is. */
  learn(m: Message) {
    const nkey = this.#asked.get(m.seq);
    if (nkey !== undefined) {
      this.#ids.set(nkey, m.sender);
      this.#asked.delete(m.seq);
    }
  }
}
