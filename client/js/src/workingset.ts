// The rooms that the connection asks to have listed.

import { maxListedRooms } from "./options.js";
import { pair, validRoomId } from "./subject.js";

export class WorkingSet {
  #ids: string[]; // the latest wanted first
  #explicit: boolean;

  constructor(rooms: string[] | undefined) {
    this.#explicit = rooms !== undefined;
    this.#ids = [...(rooms ?? [])];
  }

  /** What stands behind the token; "" leaves the choice to the server. */
  get suffix(): string {
    return this.#explicit ? `;rooms=${this.#ids.join(",")}` : "";
  }

  /** Whether the user named the room himself, or the client had to. */
  holds(room: string): boolean {
    return this.#explicit && this.#ids.includes(room);
  }

  /**
   * Puts a room into the set, with those in use behind it. False where the set holds it already, so
   * that a reconnection would change nothing, and for direct rooms, which need no listing.
   */
  want(room: string, inUse: string[] = []): boolean {
    if (pair(room) || this.holds(room)) {
      return false;
    }
    const ids = [room, ...inUse.filter((r) => !pair(r)), ...this.#ids];
    this.#ids = [...new Set(ids)].slice(0, maxListedRooms);
    this.#explicit = true;
    return true;
  }

  /** Puts rooms of a notice into a set that the user named himself; the server's own choice holds them anyway. */
  add(rooms: string[]) {
    if (this.#explicit) {
      rooms.filter(validRoomId).forEach((r) => this.want(r));
    }
  }
}
