import { expect, test } from 'vitest';
import { remaining } from '../../src/status/until.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [0, '0 s'],
  [0.9, '0 s'],
  [59.9, '59 s'],
  [MINUTE, '1 m 0 s'],
  [72, '1 m 12 s'],
  [HOUR - 1, '59 m 59 s'],
  [HOUR, '1 h 0 m'],
  [2 * HOUR + 5 * MINUTE + 59, '2 h 5 m'],
  [DAY - 1, '23 h 59 m'],
  [3 * DAY + 4 * HOUR, '3 d 4 h'],
  [400 * DAY, '400 d 0 h'],
  [-0.5, 'overdue 0 s'],
  [-130, 'overdue 2 m 10 s'],
  [-2 * DAY, 'overdue 2 d 0 h'],
])('%d s until the expiry is shown as %j', (seconds, words) => {
  expect(remaining(seconds)).toBe(words);
});
