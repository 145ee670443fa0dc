// Watching who is there, for as long as somebody looks.

import { ParleyError } from "./errors.js";
import type { Link } from "./link.js";
import type { Notice } from "./notice.js";
import type { Operations, Presence } from "./operations.js";
import { sleep } from "./wait.js";

type Answer = Operations["presence"][1];
type Watched = Pick<Link, "life" | "stretch" | "onNotice" | "user">;

const watchSeconds = 120; // what the service tells a watcher, where it does not say for how long
const watchPause = 5_000; // after a question that can't be answered now

const same = (a: Presence | undefined, b: Presence) => a?.online === b.online && (a.idle ?? false) === (b.idle ?? false);

/** A picture of who is there, which the service's answers and notices change. */
class Watch {
  #shown: Map<string, Presence> | undefined;
  #part = false; // there are members who are not in it
  #held: Presence[] | undefined = []; // notices that came while an answer is awaited, which may be older

  constructor(private user: string, private fn: (users: Presence[]) => void) {}

  ask() {
    this.#held = [];
  }

  answer(a: Answer) {
    const before = this.#shown;
    // Nobody is told of himself, and his connection may not have been written down yet.
    const now = new Map(a.users.map((p) => [p.user, { ...p, online: p.online || p.user === this.user }]));
    this.#shown = now;
    this.#part = a.more ?? false;
    const held = this.#held ?? [];
    this.#held = undefined;
    if (!this.#change(held) && (before?.size !== now.size || ![...now.values()].every((p) => same(before.get(p.user), p)))) {
      this.#show();
    }
  }

  notice(n: Notice) {
    if (n.what !== "presence") {
      return;
    }
    if (this.#held) {
      this.#held.push(...n.users);
    } else {
      this.#change(n.users);
    }
  }

  end() {
    this.#shown = new Map();
    this.#show();
  }

  #change(users: Presence[]): boolean {
    const fresh = users.filter((p) => {
      const old = this.#shown?.get(p.user);
      return (old !== undefined || this.#part) && !same(old, p);
    });
    fresh.forEach((p) => this.#shown?.set(p.user, p));
    if (fresh.length > 0) {
      this.#show();
    }
    return fresh.length > 0;
  }

  #show() {
    this.fn([...(this.#shown?.values() ?? [])].sort((a, b) => (a.user < b.user ? -1 : 1)));
  }
}

/** Asks, tells fn, and asks again before the service forgets and after each reconnection. Resolves, to what ends it, when fn was told first. */
export async function watch(link: Watched, ask: (signal: AbortSignal) => Promise<Answer>, fn: (users: Presence[]) => void): Promise<() => void> {
  const over = new AbortController();
  const w = new Watch(link.user, fn);
  const hear = (n: Notice) => w.notice(n);
  link.onNotice.add(hear);
  const end = () => {
    link.onNotice.delete(hear);
    over.abort();
  };
  const look = async () => {
    w.ask();
    const a = await ask(over.signal);
    if (!over.signal.aborted) {
      w.answer(a);
    }
    return (a.watch_seconds ?? watchSeconds) * 750; // three quarters
  };
  const renew = async (stretch: AbortSignal, ms: number) => {
    while (!over.signal.aborted && !link.life.aborted) {
      await sleep(ms, over.signal, stretch).catch(() => {}); // ended, or connected anew
      if (over.signal.aborted || link.life.aborted) {
        return;
      }
      stretch = link.stretch;
      ms = await look().catch((e: unknown) => {
        if (e instanceof ParleyError && e.temporary) {
          return watchPause;
        }
        throw e;
      });
    }
  };
  try {
    const stretch = link.stretch;
    const ms = await look();
    renew(stretch, ms).catch(() => {
      if (!over.signal.aborted) {
        w.end(); // the room is lost, or the client has stopped
      }
    }).finally(end);
  } catch (e) {
    end();
    throw e;
  }
  return end;
}
