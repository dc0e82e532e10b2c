import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createScrapeLimit } from '../../src/scrape/limits.ts';
import { createSharing, type Shareable, unlessAborted } from '../../src/scrape/sharing.ts';
import type { RunningScrape, Snapshot } from '../../src/scrape/snapshot.ts';

/** A scrape that the test completes; its result identifies it. */
interface Started {
  readonly number: number;
  readonly signal: AbortSignal;
  readonly end: () => void;
  readonly fail: (error: Error) => void;
  settled: boolean;
}

function snapshotOf(number: number): Snapshot {
  return { ...CUT_SHORT, version: { ok: true, value: String(number), seconds: 0 } };
}

const CUT_SHORT: Snapshot = { capacity: { vramBytes: undefined, memoryBytes: undefined } };

/** Targets by key, whose scrapes the test completes. */
function heldScrapes(max = 0) {
  const started: Started[] = [];
  const start = (signal: AbortSignal): RunningScrape => {
    let settle: Pick<Started, 'end' | 'fail'> = { end: () => {}, fail: () => {} };
    const number = started.length;
    const done = new Promise<Snapshot>((resolve, reject) => {
      settle = {
        end: () => {
          reading.settled = true;
          resolve(snapshotOf(number));
        },
        fail: (error) => {
          reading.settled = true;
          reject(error);
        },
      };
    });
    const reading: Started = { number, signal, ...settle, settled: false };
    started.push(reading);
    return { done, cutShort: () => CUT_SHORT };
  };
  const owner = {};
  const readable = (key = 'a'): Shareable => ({ owner, key, longestMs: 60_000, start });
  const share = createSharing();
  const limit = createScrapeLimit(max, () => {});
  const shared = (target: Shareable, signal: AbortSignal) => share(target, signal, limit);
  const underWay = () => started.filter(({ signal, settled }) => !settled && !signal.aborted);
  return { started, readable, shared, underWay };
}

type Step = { readonly kind: 'arrive' } | { readonly kind: 'leave' | 'end' | 'fail'; readonly which: number };
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'arrive' }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave'), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('end', 'fail'), which: fc.constant(0) }) },
  ),
  { maxLength: 40 },
);

test('in any order of events, at most one scrape runs, and each waiter gets its result or a newer one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), steps, async (scheduler, plan) => {
      const { started, readable, shared, underWay } = heldScrapes();
      const waiting: { controller: AbortController; outcome: Promise<unknown>; got: unknown }[] = [];
      const run: Readonly<Record<Step['kind'], (which: number) => void>> = {
        arrive: () => {
          const [oldest] = underWay();
          const controller = new AbortController();
          const earliest = oldest?.number ?? started.length;
          const waiter = {
            controller,
            outcome: Promise.resolve<unknown>(undefined),
            got: undefined as unknown,
          };
          waiter.outcome = shared(readable(), controller.signal).then(
            (outcomes) => {
              waiter.got = outcomes;
              const left = controller.signal.aborted && outcomes === CUT_SHORT;
              const { version } = outcomes;
              expect(left || (version?.ok && Number(version.value) === earliest)).toBe(true);
            },
            (error: Error) => {
              waiter.got = error;
              expect(error.message).toBe(String(earliest));
            },
          );
          waiting.push(waiter);
        },
        leave: (which) => waiting[which % Math.max(waiting.length, 1)]?.controller.abort(new Error('left')),
        end: () => underWay()[0]?.end(),
        fail: () => underWay().map(({ fail, number }) => fail(new Error(String(number)))),
      };
      for (const step of plan) {
        scheduler.schedule(Promise.resolve()).then(() => {
          run[step.kind]('which' in step ? step.which : 0);
          expect(underWay().length).toBeLessThanOrEqual(1);
        });
      }
      await scheduler.waitAll();
      await new Promise((resolve) => setImmediate(resolve));
      const waits = waiting.some(({ got }) => got === undefined);
      expect(underWay()).toHaveLength(Number(waits));
      underWay().map(({ end }) => end());
      await Promise.all(waiting.map(({ outcome }) => outcome));
      expect(waiting.filter(({ got }) => got === undefined)).toEqual([]);
    }),
  );
});

describe('a shared scrape of Ollama', () => {
  test('continues while anyone waits, and is cancelled when the last waiter leaves', async () => {
    const { started, readable, shared } = heldScrapes();
    const [first, second] = [new AbortController(), new AbortController()];
    const all = [shared(readable(), first.signal), shared(readable(), second.signal)];
    first.abort();
    expect(await all[0]).toBe(CUT_SHORT);
    expect(started[0]?.signal.aborted).toBe(false);
    second.abort();
    expect(await all[1]).toBe(CUT_SHORT);
    expect(started.map(({ signal }) => signal.aborted)).toEqual([true]);
  });

  test('is not shared with another target', () => {
    const { started, readable, shared } = heldScrapes();
    const { signal } = new AbortController();
    void shared(readable('a'), signal);
    void shared(readable('b'), signal);
    void shared({ ...readable('a'), owner: {} }, signal);
    expect(started).toHaveLength(3);
  });

  test('counts once towards the limit, and no longer after its end', async () => {
    const { started, readable, shared } = heldScrapes(1);
    const { signal } = new AbortController();
    const first = [shared(readable('a'), signal), shared(readable('a'), signal)];
    await expect(shared(readable('b'), signal)).rejects.toThrow(
      'Limit of concurrent requests reached (--web.max-requests=1)',
    );
    started[0]?.end();
    expect(await Promise.all(first)).toEqual([snapshotOf(0), snapshotOf(0)]);
    const second = shared(readable('b'), signal);
    started[1]?.end();
    expect(await second).toEqual(snapshotOf(1));
  });

  test('is cancelled after its maximum time, and restarted for the requests that still wait', async () => {
    const { started, readable, shared } = heldScrapes(1);
    const waiter = shared({ ...readable(), longestMs: 20 }, new AbortController().signal);
    await expect.poll(() => started.length).toBeGreaterThan(1);
    expect(started[0]?.signal.aborted).toBe(true);
    started.at(-1)?.end();
    expect(await waiter).toEqual(snapshotOf(started.length - 1));
  });

  test('is not started for an aborted request', async () => {
    const { readable, shared, underWay } = heldScrapes();
    expect(await shared(readable(), AbortSignal.abort())).toBe(CUT_SHORT);
    expect(underWay()).toEqual([]);
  });

  test('has the same partial result for all waiters that time out together', async () => {
    const { readable, shared } = heldScrapes();
    const target = readable();
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const cutShort = () => ({ ...CUT_SHORT });
    const own = { ...target, start: (signal: AbortSignal) => ({ ...target.start(signal), cutShort }) };
    const all = controllers.map(({ signal }) => shared(own, signal));
    for (const controller of controllers.slice(0, 2)) {
      controller.abort(new Error('time is up'));
    }
    await new Promise((resolve) => setImmediate(resolve));
    controllers[2]?.abort(new Error('time is up'));
    const [first, second, later] = await Promise.all(all);
    expect(second).toBe(first);
    expect(later).not.toBe(first);
  });
});

test('an error in place of the result rejects, whether the signal fires before or during the wait', async () => {
  const otherwise = () => {
    throw new Error('too late');
  };
  const never = new Promise<void>(() => {});
  const controller = new AbortController();
  const waiting = unlessAborted(never, controller.signal, otherwise);
  controller.abort();
  await expect(waiting).rejects.toThrow('too late');
  await expect(unlessAborted(never, controller.signal, otherwise)).rejects.toThrow('too late');
});
