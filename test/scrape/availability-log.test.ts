import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { ApiError, type FailureReason } from '../../src/ollama/errors.ts';
import { createAvailabilityLog } from '../../src/scrape/availability-log.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';

function failed(reason: FailureReason, status?: number, hint?: string) {
  const error = new ApiError(reason, `went wrong: ${reason}`, { status, hint });
  return { ok: false, error, seconds: 0 } as const;
}

const models = { models: [], rows: 2, skipped: 0, nowMs: 0 };
const capacity = { vramBytes: undefined, memoryBytes: undefined };
const up = {
  capacity,
  ps: { ok: true, value: models, seconds: 0 },
  version: { ok: true, value: '0.33.0', seconds: 0 },
} satisfies Snapshot;
const refused: Snapshot = { capacity, ps: failed('refused'), version: failed('refused') };
const timedOut: Snapshot = { capacity, ps: failed('timeout'), version: failed('timeout') };

/** Level, message and fields of each line logged for these snapshots. */
function lines(...snapshots: readonly Snapshot[]): Record<string, unknown>[] {
  const written: Record<string, unknown>[] = [];
  const out = { write: (line: string) => written.push(JSON.parse(line)) };
  const record = createAvailabilityLog(
    createLogger({ logLevel: 'info', logFormat: 'json' }, out),
    'http://a:1/',
  );
  for (const snapshot of snapshots) {
    record(snapshot);
  }
  return written;
}

test('the first scrape is logged, and later scrapes with the same result are not', () => {
  expect(lines(up, up, { ...up, ps: { ...up.ps, seconds: 3 } })).toEqual([
    expect.objectContaining({ level: 'INFO', msg: 'Ollama is up', version: '0.33.0', loaded_models: 2 }),
  ]);
});

test('a loaded or unloaded model is not logged', () => {
  const busier: Snapshot = { ...up, ps: { ok: true, value: { ...models, rows: 3 }, seconds: 0 } };
  expect(lines(up, busier)).toHaveLength(1);
});

test('down is logged with target, reason and error, and so is up afterwards', () => {
  expect(lines(up, refused, refused, up).map(({ msg }) => msg)).toEqual([
    'Ollama is up',
    'Ollama is down',
    'Ollama is up',
  ]);
  expect(lines(refused)[0]).toMatchObject({
    level: 'WARN',
    target: 'http://a:1/',
    reason: 'refused',
    err: '/api/ps: went wrong: refused; /api/version: went wrong: refused',
  });
});

test('a changed reason is logged', () => {
  expect(lines(refused, timedOut)).toMatchObject([{ reason: 'refused' }, { reason: 'timeout' }]);
});

test('a failed /api/ps is logged while Ollama is up', () => {
  expect(lines({ ...up, ps: failed('timeout') })).toMatchObject([
    { level: 'WARN', msg: 'Ollama is up, but some requests fail', reason: 'timeout' },
  ]);
});

test('a failed /api/tags is logged while Ollama is up', () => {
  expect(lines(up, { ...up, tags: failed('timeout') })[1]).toMatchObject({
    level: 'WARN',
    msg: 'Ollama is up, but some requests fail',
    err: '/api/tags: went wrong: timeout',
  });
});

describe("if one of two scrapers has a timeout shorter than Ollama's response time,", () => {
  const slow: Snapshot = { ...up, ps: { ...up.ps, seconds: 0.7 } };
  const shortTimeout: Snapshot = { ...up, ps: { ...failed('timeout'), seconds: 0.5 } };

  test('its timeouts are not logged', () => {
    expect(lines(slow, shortTimeout, slow, shortTimeout)).toHaveLength(1);
  });

  test('its timeout is logged after fast responses', () => {
    expect(lines(up, shortTimeout)).toHaveLength(2);
  });

  test('other failures are logged', () => {
    expect(lines(slow, { ...up, ps: { ...failed('reset'), seconds: 0.5 } })).toHaveLength(2);
  });
});

describe('an error with a hint', () => {
  const down = (status: number, hint?: string): Snapshot => ({
    capacity,
    ps: failed('status', status, hint),
    version: failed('status', status, hint),
  });

  test('is logged with the hint', () => {
    expect(lines(down(403, 'Open it.'))).toMatchObject([{ hint: 'Open it.' }]);
  });

  test('is logged with the hint after another status', () => {
    expect(lines(down(500), down(403, 'Open it.'))).toMatchObject([{}, { hint: 'Open it.' }]);
  });

  test('has no hint in the log if there is none', () => {
    expect(lines(down(500))[0]).not.toHaveProperty('hint');
  });
});
