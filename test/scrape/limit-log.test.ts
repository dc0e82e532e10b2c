import { expect, onTestFinished, test, vi } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { createLimitLog } from '../../src/scrape/limit-log.ts';

test('refusals are logged when they start, and two minutes after the last one', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'info', logFormat: 'logfmt' }, { write: (line) => lines.push(line) });
  const onRefused = createLimitLog(log, 'scrapes', { option: '--web.max-requests', limit: 40 });
  const begins = 'level=WARN msg="Refusing scrapes: the limit is reached" option=--web.max-requests limit=40';
  const ended = (refused: number) => `level=INFO msg="No longer refusing scrapes" refused=${refused}`;
  // A burst at each scrape, with an interval of a minute.
  for (let burst = 0; burst < 3; burst += 1) {
    onRefused();
    onRefused();
    vi.advanceTimersByTime(60_000);
  }
  vi.advanceTimersByTime(59_999);
  expect(lines).toEqual([expect.stringContaining(begins)]);
  vi.advanceTimersByTime(1);
  onRefused();
  vi.advanceTimersByTime(600_000);
  expect(lines.slice(1)).toEqual([
    expect.stringContaining(ended(6)),
    expect.stringContaining(begins),
    expect.stringContaining(ended(1)),
  ]);
});
