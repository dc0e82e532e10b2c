/** Resolves names; lookups that hang delay other lookups only briefly. */
import dns, { type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** None can be cancelled. libuv runs half as many at a time as its pool has threads, which are 4 by default. */
const MAX_RUNNING = 4;
/** Names, each of which can have many waiters. */
const MAX_WAITING = 1_000;
/** After this, the scrapes that wait for a name have timed out. */
const MAX_WAIT_MS = 10_000;

interface Limits {
  readonly maxRunning?: number;
  readonly maxWaiting?: number;
  readonly maxWaitMs?: number;
}

type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/**
 * Concurrent lookups of a name are one. Beyond `maxRunning` they are queued, for a limited time.
 *
 * @param resolve returns all addresses of a name; `dns.lookup`, except in tests
 * @returns a function that fails with the code EAI_AGAIN if a lookup can't run in time
 */
export function createLookup(
  resolve: Resolve = addressesOf,
  { maxRunning = MAX_RUNNING, maxWaiting = MAX_WAITING, maxWaitMs = MAX_WAIT_MS }: Limits = {},
): LookupFunction {
  const pending = new Map<string, Promise<readonly LookupAddress[]>>();
  const waiting = new Set<() => void>();
  let running = 0;

  const turn = () =>
    new Promise<void>((resume, reject) => {
      if (running < maxRunning) {
        running += 1;
        resume();
        return;
      }
      if (waiting.size >= maxWaiting) {
        reject(tooMany(`${waiting.size} others wait`));
        return;
      }
      const timer = setTimeout(() => {
        waiting.delete(start);
        reject(tooMany(`no turn within ${maxWaitMs / 1_000} s`));
      }, maxWaitMs);
      const start = () => {
        clearTimeout(timer);
        waiting.delete(start);
        running += 1;
        resume();
      };
      waiting.add(start);
    });

  const lookUp = async (hostname: string) => {
    await turn();
    try {
      return await resolve(hostname);
    } finally {
      running -= 1;
      const [next] = waiting;
      next?.();
    }
  };

  return (hostname, _options, callback) => {
    const known = pending.get(hostname) ?? lookUp(hostname).finally(() => pending.delete(hostname));
    pending.set(hostname, known);
    known.then(
      (addresses) => callback(null, [...addresses]),
      (error) => callback(error, []),
    );
  };
}

function addressesOf(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

function tooMany(why: string): NodeJS.ErrnoException {
  const message = `too many names are being resolved: ${why}`;
  return Object.assign(new Error(message), { code: 'EAI_AGAIN' });
}

/** Shared by the process, like its threads. */
export const lookup: LookupFunction = createLookup();
