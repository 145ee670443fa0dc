// Joins two sources of messages, history and live.

/** How many sequences are remembered while live delivery is whole. */
const maxSeen = 4096;
/** While history is still owed; after that the oldest gap is given up. */
const maxSeenOpen = 1 << 16;

/** Decides which messages are new. */
export class Merge {
  /** Everything up to it was delivered: where history is read on from. */
  cursor: number;
  #whole = false; // live delivery has no gap, so the cursor follows it
  #last: number; // the greatest that was delivered
  #floor: number; // what is not above it counts as seen
  #seen = new Set<number>(); // in the order of coming

  constructor(after: number) {
    this.cursor = this.#last = this.#floor = after;
  }

  /** Whether the message is new, and whether a later one went before it. */
  accept(seq: number): { fresh: boolean; late: boolean } {
    if (seq <= this.#floor || this.#seen.has(seq)) {
      return { fresh: false, late: false };
    }
    this.#seen.add(seq);
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
    for (const seq of this.#seen) {
      if (this.#seen.size <= limit) {
        break;
      }
      this.#floor = Math.max(this.#floor, seq);
      this.#seen.delete(seq);
    }
  }
}
