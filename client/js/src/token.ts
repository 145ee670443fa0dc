// The token that the next connection carries.

import { parseObject } from "./json.js";
import { around, sleep, unless } from "./wait.js";

const callTimeout = 10_000; // of one call for a token
const retryMin = 500;
const retryMax = 30_000;
const longestTimer = 2 ** 31 - 1;

/**
 * Holds a token and renews it: before it runs out, since nats.js asks for it without waiting, and when
 * the servers would not take it. There is never more than one call at a time.
 */
export class Tokens {
  current = "";
  #fetch: () => string | Promise<string>;
  #life = 0; // milliseconds left of it when it came; 0: it doesn't say
  #spoil = () => {};

  constructor(source: string | (() => string | Promise<string>)) {
    this.#fetch = typeof source === "string" ? () => source : source;
  }

  /** Has the token renewed soon. */
  spoil() {
    this.#spoil();
  }

  async renew(): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error("no token in time")), callTimeout);
    try {
      this.current = await unless(Promise.resolve().then(this.#fetch), late.signal);
      this.#life = lifeOf(this.current, Date.now());
    } finally {
      clearTimeout(timer);
    }
  }

  /** Renews until the signal aborts, which it rejects with. */
  async keep(life: AbortSignal): Promise<never> {
    for (;;) {
      await this.#spoilt(life);
      for (let pause = retryMin; ; pause = Math.min(2 * pause, retryMax)) {
        const ok = await this.renew().then(() => true, () => false);
        // A server that refuses every token must not have it asked for in a loop.
        await sleep(around(ok ? retryMin : pause), life);
        if (ok) {
          break;
        }
      }
    }
  }

  /** Waits until the token is spoilt or about four fifths of its life are over. */
  async #spoilt(life: AbortSignal): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const due = new Promise<void>((resolve) => {
      this.#spoil = resolve;
      if (this.#life > 0) {
        timer = setTimeout(resolve, Math.min(this.#life * (0.75 + Math.random() / 10), longestTimer));
      }
    });
    try {
      await unless(due, life);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Reads the exp of a JSON Web Token, which only its verifier must distrust; 0 if there is none. */
export function lifeOf(token: string, now: number): number {
  const [, claims, sig, more] = token.split(".");
  if (!claims || sig === undefined || more !== undefined) {
    return 0;
  }
  try {
    const raw = Uint8Array.from(atob(claims.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const exp = parseObject(raw)?.exp;
    return typeof exp === "number" && exp > 0 && exp < 2 ** 40 ? Math.max(0, Math.floor(exp) * 1000 - now) : 0;
  } catch {
    return 0;
  }
}
