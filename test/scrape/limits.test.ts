import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { scrapeBudgetMs, withDeadline } from '../../src/scrape/limits.ts';

describe('the budget of a scrape', () => {
  const budget = (header: string | undefined) => scrapeBudgetMs(header, 5_000, 500);

  test.each([
    [undefined, 5_000, 'is the configured timeout without the header'],
    ['3', 2_500, 'is the header’s time less the offset'],
    ['10', 5_000, 'is never more than the configured timeout'],
    ['0.6', 300, 'is half of the header’s time where the offset would leave less'],
    ['0.3', 150, 'is more than nothing even where the offset is larger than the header’s time'],
    ['5.5', 5_000, 'may be a fraction'],
    ['1e1', 5_000, 'may be written with an exponent'],
  ])('for header %j: %d ms, and so it %s', (header, budgetMs, _promise) => {
    expect(budget(header)).toBeCloseTo(budgetMs, 6);
  });

  test.each(['', ' ', 'abc', '-3', '0', '0.0', 'Infinity', 'NaN', '0x3', '3s', '1,2', '.', 'e1'])(
    'of header %j can’t be told',
    (header) => {
      expect(() => budget(header)).toThrow('must be a number of seconds above 0');
    },
  );

  test('is refused with the start of a header that is too long to repeat', () => {
    expect(() => budget('x'.repeat(5_000))).toThrow(/not "x{40}"$/);
  });
});

describe('the deadline', () => {
  const forever = (signal: AbortSignal) =>
    new Promise<string>((resolve) => {
      signal.addEventListener('abort', () => resolve(String(signal.reason)));
    });

  test('fires when the budget is used up, and says so', async () => {
    expect(await withDeadline(20, [], forever)).toBe('Error: no complete response within 0.02 s');
  });

  test('fires when one of the endings comes', async () => {
    const scraper = new AbortController();
    const ended = withDeadline(60_000, [new AbortController().signal, scraper.signal], forever);
    scraper.abort();
    expect(await ended).toMatch(/canceled: the scraper disconnected, or the exporter is stopping/);
  });

  test('has fired from the start where an ending has come already', async () => {
    const aborted = await withDeadline(60_000, [AbortSignal.abort()], async (signal) => signal.aborted);
    expect(aborted).toBe(true);
  });

  test.each([
    ['ends', async () => 'done'],
    ['throws', async () => Promise.reject(new Error('broken'))],
  ])('leaves no timer and no listener behind when the work %s', async (_, work) => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    await withDeadline(60_000, [signal], work).catch(() => {});
    expect(removed.mock.calls[0]?.slice(0, 2)).toEqual(added.mock.calls[0]?.slice(0, 2));
    expect(cleared).toHaveBeenCalledTimes(1);
    cleared.mockRestore();
  });

  test('keeps nothing of a scrape though its signal of the end lives as long as the process', async () => {
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
