// Joins two sources of messages, history and live.

import type { Message } from "./message.js";

/** How many sequences are remembered while live delivery is whole. */
const maxSeen = 4096;
/** While history is still owed; after that the oldest gap is given up. */
const maxSeenOpen = 1 << 16;

/** From which length on the id of a post is unique. */
const minId = 16;

type Post = Pick<Message, "seq" | "sender" | "id">;

/**
 * A post is known by its id, however often it is stored: a retry that comes after the stream has forgotten the
 * id is stored and delivered again. "" where the id is not unique.
 */
function postOf({ sender, id }: Post): string {
  return id !== undefined && id.length >= minId ? `${sender} ${id}` : "";
}

/** Decides which messages are new. */
export class Merge {
  /** Everything up to it was delivered: where history is read on from. */
  cursor: number;
  #whole = false; // live delivery has no gap, so the cursor follows it
  #last: number; // the greatest that was delivered
  #floor: number; // what is not above it counts as seen
  #seen = new Map<number, string>(); // in the order of coming, with the post where it tells its id
  #posts = new Set<string>(); // of seen

  constructor(after: number) {
    this.cursor = this.#last = this.#floor = after;
  }

  /** Whether the message is new, and whether a later one went before it. */
  accept(m: Post): { fresh: boolean; late: boolean } {
    const { seq } = m;
    const post = postOf(m);
    if (seq <= this.#floor || this.#seen.has(seq) || this.#posts.has(post)) {
      return { fresh: false, late: false };
    }
    this.#seen.set(seq, post);
    if (post !== "") {
      this.#posts.add(post);
    }
    this.#forget();
    const late = seq < this.#last;
    this.#last = Math.max(this.#last, seq);
    if (this.#whole) {
      this.cursor = Math.max(this.cursor, seq);
    }
    return { fresh: true, late };
  }

  /** History was read up to a sequence. */
  read(seq: number) {
    this.cursor = Math.max(this.cursor, seq);
  }

  /** Live delivery may have a gap from here on. */
  broken() {
    this.#whole = false;
  }

  /** History was read again after live delivery had begun. */
  mended() {
    this.#whole = true;
    this.cursor = Math.max(this.cursor, this.#last);
    this.#forget();
  }

  #forget() {
    const limit = this.#whole ? maxSeen : maxSeenOpen;
    for (const [seq, post] of this.#seen) {
      if (this.#seen.size <= limit) {
        break;
      }
      this.#floor = Math.max(this.#floor, seq);
      this.#seen.delete(seq);
      this.#posts.delete(post);
    }
  }
}
