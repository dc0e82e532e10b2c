import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { scrapeBudgetMs, withDeadline } from '../../src/scrape/limits.ts';

describe('the timeout of a scrape', () => {
  const budget = (header: string | undefined) => scrapeBudgetMs(header, 5_000, 500);

  test.each([
    [undefined, 5_000, 'the configured timeout if there is no header'],
    ['3', 2_500, 'the header value minus the offset'],
    ['10', 5_000, 'at most the configured timeout'],
    ['0.6', 300, 'at least half of the header value'],
    ['0.3', 150, 'above 0 if the offset exceeds the header value'],
    ['5.5', 5_000, 'a fraction is accepted'],
    ['1e1', 5_000, 'an exponent is accepted'],
  ])('for header %j is %d ms: %s', (header, budgetMs, _promise) => {
    expect(budget(header)).toBeCloseTo(budgetMs, 6);
  });

  test.each(['', ' ', 'abc', '-3', '0', '0.0', 'Infinity', 'NaN', '0x3', '3s', '1,2', '.', 'e1'])(
    'for header %j is an error',
    (header) => {
      expect(() => budget(header)).toThrow('must be a number of seconds above 0');
    },
  );

  test('has an error that truncates a long header', () => {
    expect(() => budget('x'.repeat(5_000))).toThrow(/not "x{40}"$/);
  });
});

describe('the deadline', () => {
  const forever = (signal: AbortSignal) =>
    new Promise<string>((resolve) => {
      signal.addEventListener('abort', () => resolve(String(signal.reason)));
    });

  test('aborts when the time is up, with the time in the error', async () => {
    expect(await withDeadline(20, [], forever)).toBe('Error: no complete response within 0.02 s');
  });

  test('aborts when one of its signals aborts', async () => {
    const scraper = new AbortController();
    const ended = withDeadline(60_000, [new AbortController().signal, scraper.signal], forever);
    scraper.abort();
    expect(await ended).toMatch(/canceled: the scraper disconnected, or the exporter is stopping/);
  });

  test('is aborted from the start if a signal has already aborted', async () => {
    const aborted = await withDeadline(60_000, [AbortSignal.abort()], async (signal) => signal.aborted);
    expect(aborted).toBe(true);
  });

  test.each([
    ['completes', async () => 'done'],
    ['throws', async () => Promise.reject(new Error('broken'))],
  ])('removes its timer and listener when the work %s', async (_, work) => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    await withDeadline(60_000, [signal], work).catch(() => {});
    expect(removed.mock.calls[0]?.slice(0, 2)).toEqual(added.mock.calls[0]?.slice(0, 2));
    expect(cleared).toHaveBeenCalledTimes(1);
    cleared.mockRestore();
  });

  test('leaks no memory through the signal of the process', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const { signal: stopping } = new AbortController();
    const heapAfter = async (scrapes: number) => {
      for (let scrape = 0; scrape < scrapes; scrape += 1) {
        await withDeadline(60_000, [stopping], async (signal) => signal.addEventListener('abort', () => {}));
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(1_000);
    const grown = (await heapAfter(20_000)) - before;
    expect(getEventListeners(stopping, 'abort')).toEqual([]);
    // AbortSignal.any kept 20 MB.
    expect(grown).toBeLessThan(2_000_000);
  });
});
