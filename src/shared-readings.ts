/** Lets scrapes of the same target that overlap share one reading of Ollama. */
import type { Outcomes, Reading } from './scrape.ts';
import type { ScrapeLimit } from './scrape-limit.ts';

/** What to read, for whoever may share it. */
export interface Readable {
  /** Of the same owner, the same key means the same reading. */
  readonly owner: object;
  readonly key: string;
  /** After this a reading has to end, so that those who come later don't wait for one that hangs. */
  readonly longestMs: number;
  readonly start: (signal: AbortSignal) => Reading;
}

/** Each rejects with a RequestError of status 503 if that would be one reading too many, and as the reading does. */
export interface Readings {
  /**
   * Joins the reading that is under way, or starts one. Whoever leaves neither cancels nor delays it for the others;
   * when all have left, it is cancelled.
   *
   * @returns all outcomes, or when the signal fires those that are there by then
   */
  readonly shared: (readable: Readable, signal: AbortSignal) => Promise<Outcomes>;
  /** A reading that somebody watches. */
  readonly alone: (start: Readable['start'], signal: AbortSignal) => Promise<Outcomes>;
}

/** A reading that took longer than it may. */
const EXPIRED = Symbol('expired');

export function createReadings(limit: ScrapeLimit): Readings {
  const underWay = new WeakMap<object, Map<string, SharedReading>>();

  const join = (readable: Readable, signal: AbortSignal) => {
    const { owner, key } = readable;
    const readings = underWay.get(owner) ?? new Map<string, SharedReading>();
    underWay.set(owner, readings);
    let reading = readings.get(key);
    if (reading === undefined) {
      const leave = limit();
      reading = new SharedReading(readable, () => {
        leave();
        readings.delete(key);
      });
      readings.set(key, reading);
    }
    return reading.join(signal);
  };

  return {
    shared: async (readable, signal) => {
      let outcomes = await join(readable, signal);
      while (outcomes === EXPIRED) {
        outcomes = await join(readable, signal);
      }
      return outcomes;
    },
    alone: async (start, signal) => {
      const leave = limit();
      return start(signal).done.finally(leave);
    },
  };
}

class SharedReading {
  readonly #controller = new AbortController();
  readonly #reading: Reading;
  readonly #result: Promise<Outcomes | typeof EXPIRED>;
  readonly #cancel: () => void;
  #waiting = 0;

  /** @param onEnd called once, before anybody learns the outcome */
  constructor({ start, longestMs }: Readable, onEnd: () => void) {
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    const end = () => {
      ended = true;
      clearTimeout(timer);
      onEnd();
    };
    this.#cancel = () => {
      if (!ended) {
        end();
        this.#controller.abort(new Error('nobody waits for it any more'));
      }
    };
    this.#reading = start(this.#controller.signal);
    const done = this.#reading.done.finally(() => ended || end());
    const expired = new Promise<typeof EXPIRED>((resolve) => {
      timer = setTimeout(() => {
        resolve(EXPIRED);
        this.#cancel();
      }, longestMs);
    });
    this.#result = Promise.race([done, expired]);
    // Whoever waits learns of a failure; perhaps nobody does.
    this.#result.catch(() => {});
  }

  async join(signal: AbortSignal): Promise<Outcomes | typeof EXPIRED> {
    let onAbort = () => {};
    const left = new Promise<Outcomes>((resolve) => {
      onAbort = () => resolve(this.#reading.cutShort(signal.reason));
      signal.addEventListener('abort', onAbort);
    });
    this.#waiting += 1;
    if (signal.aborted) {
      onAbort();
    }
    try {
      return await Promise.race([left, this.#result]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiting -= 1;
      if (this.#waiting === 0) {
        this.#cancel();
      }
    }
  }
}
