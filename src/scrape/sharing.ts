/** Lets concurrent scrapes of the same target share one scrape of Ollama. */
import type { ScrapeLimit } from './limits.ts';
import type { RunningScrape, Snapshot } from './snapshot.ts';

/** A target whose scrapes can be shared. */
export interface Shareable {
  /** Scrapes with the same owner and the same key are shared. */
  readonly owner: object;
  readonly key: string;
  /** After this, the scrape ends, so that later ones don't wait for a hanging one. */
  readonly longestMs: number;
  readonly start: (signal: AbortSignal) => RunningScrape;
}

/**
 * Joins the running scrape, or starts one. A scraper that leaves neither cancels nor delays it for the others; when
 * all have left, it is cancelled.
 *
 * @param limit applies to a scrape that is started, not to one that is joined
 * @returns the result; or when the signal fires, the partial result, one object for all whose signals fire together
 * @throws RequestError with status 503 if a new scrape would exceed the limit, and the errors of the scrape
 */
export type ShareScrape = (target: Shareable, signal: AbortSignal, limit: ScrapeLimit) => Promise<Snapshot>;

export function createSharing(): ShareScrape {
  const running = new WeakMap<object, Map<string, SharedScrape>>();

  const joinOrStart = ({ owner, key, longestMs, start }: Shareable, limit: ScrapeLimit) => {
    const ofOwner = running.get(owner) ?? new Map<string, SharedScrape>();
    running.set(owner, ofOwner);
    const current = ofOwner.get(key);
    if (current !== undefined) {
      return current;
    }
    const release = limit();
    const started = startShared(start, longestMs, () => {
      release();
      ofOwner.delete(key);
    });
    ofOwner.set(key, started);
    return started;
  };

  return async (target, signal, limit) => {
    let snapshot: Snapshot | undefined;
    while (snapshot === undefined) {
      snapshot = await joinOrStart(target, limit).join(signal);
    }
    return snapshot;
  };
}

interface SharedScrape {
  /** @returns undefined if the scrape took longer than allowed: start another */
  readonly join: (signal: AbortSignal) => Promise<Snapshot | undefined>;
}

/** @param onEnd called once, before anyone gets the result */
function startShared(start: Shareable['start'], longestMs: number, onEnd: () => void): SharedScrape {
  const controller = new AbortController();
  const { done, cutShort } = start(controller.signal);
  let joined = 0;
  let ended = false;
  let timer: NodeJS.Timeout | undefined;

  const end = () => {
    if (!ended) {
      ended = true;
      clearTimeout(timer);
      onEnd();
    }
  };
  const cancel = () => {
    if (!ended) {
      end();
      controller.abort(new Error('no scraper is waiting for it'));
    }
  };
  const result = new Promise<Snapshot | undefined>((resolve, reject) => {
    timer = setTimeout(() => {
      resolve(undefined);
      cancel();
    }, longestMs);
    done.finally(end).then(resolve, reject);
  });

  // Waiters whose signals fire in the same turn of the event loop share one partial result: of 2,000, each text would be
  // rendered before any is sent.
  const cut = new Map<string, Snapshot>();
  const cutShortOnce = (reason: unknown) => {
    const known = cut.get(String(reason)) ?? cutShort(reason);
    if (cut.size === 0) {
      setImmediate(() => cut.clear());
    }
    cut.set(String(reason), known);
    return known;
  };
  // Waiting scrapes get the error; there may be none.
  result.catch(() => {});

  return {
    join: async (signal) => {
      joined += 1;
      try {
        return await unlessAborted(result, signal, () => cutShortOnce(signal.reason));
      } finally {
        joined -= 1;
        if (joined === 0) {
          cancel();
        }
      }
    },
  };
}

/** @returns the result of the promise, or as soon as the signal fires, what `otherwise` returns or throws */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  otherwise: () => T,
): Promise<T> {
  if (signal.aborted) {
    return otherwise();
  }
  let onAbort = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      // In a promise of its own, since an error that is thrown in a listener ends the process.
      onAbort = () => resolve(new Promise<T>((settle) => settle(otherwise())));
      signal.addEventListener('abort', onAbort);
      promise.then(resolve, reject);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
