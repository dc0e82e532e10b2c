/** Lets scrapes of the same target that overlap share one reading of Ollama. */
import { Cancellation, type CancelSignal } from '../ollama/cancellation.ts';
import type { ScrapeLimit } from './scrape-limit.ts';
import type { Reading, Snapshot } from './snapshot.ts';

/** What to read, for whoever may share it. */
export interface Readable {
  /** Of the same owner, the same key means the same reading. */
  readonly owner: object;
  readonly key: string;
  /** After this a reading has to end, so that those who come later don't wait for one that hangs. */
  readonly longestMs: number;
  readonly start: (signal: CancelSignal) => Reading;
}

/** Each rejects with a RequestError of status 503 if that would be one reading too many, and as the reading does. */
export interface Readings {
  /**
   * Joins the reading that is under way, or starts one. Whoever leaves neither cancels nor delays it for the others;
   * when all have left, it is cancelled.
   *
   * @returns when the signal fires what is there by then; those who stay to the end get the same object
   */
  readonly shared: (readable: Readable, signal: CancelSignal) => Promise<Snapshot>;
  /** A reading that somebody watches. */
  readonly alone: (start: Readable['start'], signal: CancelSignal) => Promise<Snapshot>;
}

/** A reading that took longer than it may. */
const EXPIRED = Symbol('expired');

export function createReadings(limit: ScrapeLimit): Readings {
  const underWay = new WeakMap<object, Record<string, SharedReading>>();

  const join = (readable: Readable, signal: CancelSignal) => {
    const { owner, key } = readable;
    // No Map: while entries come and go, V8 keeps each table that it outgrew, and the readings in it, until it collects
    // the old. That doubles the memory of a fleet.
    const readings: Record<string, SharedReading> = underWay.get(owner) ?? Object.create(null);
    underWay.set(owner, readings);
    let reading = readings[key];
    if (reading === undefined) {
      const leave = limit();
      reading = new SharedReading(readable, () => {
        leave();
        delete readings[key];
      });
      readings[key] = reading;
    }
    return reading.join(signal);
  };

  return {
    shared: async (readable, signal) => {
      let snapshot = await join(readable, signal);
      while (snapshot === EXPIRED) {
        snapshot = await join(readable, signal);
      }
      return snapshot;
    },
    alone: async (start, signal) => {
      const leave = limit();
      return start(signal).done.finally(leave);
    },
  };
}

class SharedReading {
  readonly #cancellation = new Cancellation();
  readonly #reading: Reading;
  readonly #result: Promise<Snapshot | typeof EXPIRED>;
  readonly #onEnd: () => void;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  #waiting = 0;

  /** @param onEnd called once, before anybody learns the outcome */
  constructor({ start, longestMs }: Readable, onEnd: () => void) {
    this.#onEnd = onEnd;
    const reading = start(this.#cancellation);
    this.#reading = reading;
    this.#result = new Promise((resolve, reject) => {
      this.#timer = setTimeout(() => {
        resolve(EXPIRED);
        this.#cancel();
      }, longestMs);
      reading.done.then(
        (snapshot) => {
          this.#end();
          resolve(snapshot);
        },
        (error) => {
          this.#end();
          reject(error);
        },
      );
    });
    // Whoever waits learns of a failure; perhaps nobody does.
    this.#result.catch(() => {});
  }

  join(signal: CancelSignal): Promise<Snapshot | typeof EXPIRED> {
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        resolve(this.#reading.cutShort(signal.reason));
        this.#leave();
      };
      if (signal.aborted) {
        leave();
        return;
      }
      signal.addEventListener('abort', leave);
      const stay = () => {
        signal.removeEventListener('abort', leave);
        signal.aborted || this.#leave();
      };
      this.#result.then(
        (snapshot) => {
          stay();
          resolve(snapshot);
        },
        (error) => {
          stay();
          reject(error);
        },
      );
    });
  }

  #leave(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0) {
      this.#cancel();
    }
  }

  #cancel(): void {
    if (!this.#ended) {
      this.#end();
      this.#cancellation.abort(new Error('nobody waits for it any more'));
    }
  }

  #end(): void {
    if (!this.#ended) {
      this.#ended = true;
      clearTimeout(this.#timer);
      this.#onEnd();
    }
  }
}
