import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRepeatLog } from '../../src/log/repeats.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function repeatLog() {
  const lines: string[] = [];
  const log = createRepeatLog();
  return {
    lines,
    report: (subject: string, outcome: string) =>
      log(subject, outcome, (repeats) => lines.push(`${subject} ${outcome} ${repeats}`)),
  };
}

test('the first event is logged at once, and repetitions every ten seconds with their count', () => {
  const { lines, report } = repeatLog();
  for (let count = 0; count < 1_000; count += 1) {
    report('reload', 'good');
  }
  expect(lines).toEqual(['reload good 0']);
  vi.advanceTimersByTime(10_000);
  expect(lines).toEqual(['reload good 0', 'reload good 999']);
  report('reload', 'good');
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(2)).toEqual(['reload good 1']);
});

test('after ten seconds without repetitions, the next event is logged at once', () => {
  const { lines, report } = repeatLog();
  report('reload', 'good');
  vi.advanceTimersByTime(10_000);
  report('reload', 'good');
  expect(lines).toEqual(['reload good 0', 'reload good 0']);
});

test('another outcome is logged at once, after the repetitions of the previous one', () => {
  const { lines, report } = repeatLog();
  report('reload', 'good');
  report('reload', 'good');
  report('reload', 'bad');
  report('reload', 'good');
  expect(lines).toEqual(['reload good 0', 'reload good 1', 'reload bad 0', 'reload good 0']);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(4);
});

test('subjects are counted separately', () => {
  const { lines, report } = repeatLog();
  report('a', 'good');
  report('b', 'good');
  expect(lines).toEqual(['a good 0', 'b good 0']);
});
