// Waiting that can be ended.

/** Settles as p does, or rejects with the reason of the first signal that aborts. */
export function unless<T>(p: Promise<T>, ...signals: (AbortSignal | undefined)[]): Promise<T> {
  p.catch(() => {}); // when a signal came first, nobody else looks at it
  return new Promise<T>((resolve, reject) => {
    const watched = signals.filter((s) => s !== undefined);
    const aborted = watched.find((s) => s.aborted);
    if (aborted) {
      reject(aborted.reason);
      return;
    }
    const onAbort = (e: globalThis.Event) => reject((e.target as AbortSignal).reason);
    watched.forEach((s) => s.addEventListener("abort", onAbort));
    p.then(resolve, reject).finally(() => watched.forEach((s) => s.removeEventListener("abort", onAbort)));
  });
}

/** Ends after a time, or rejects with the reason of the first signal that aborts. */
export async function sleep(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await unless(new Promise<void>((r) => { timer = setTimeout(r, ms); }), ...signals);
  } finally {
    clearTimeout(timer);
  }
}

/** A random time between half and one and a half of ms. */
export const around = (ms: number) => ms / 2 + Math.random() * ms;
