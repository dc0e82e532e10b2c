import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/ollama/errors.ts';
import type { RunningModel } from '../../src/ollama/models.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';
import { createFleet } from '../../src/status/fleet.ts';

const MINUTE_MS = 60_000;
const GIB = 1024 ** 3;

function model(sizeBytes: number, sizeVramBytes: number | undefined): RunningModel {
  return {
    model: 'm',
    quantization: 'F16',
    sizeBytes,
    sizeVramBytes,
    contextLength: undefined,
    expiresAtMs: undefined,
    details: [],
  };
}

function up(models: readonly RunningModel[], vramBytes?: number): Snapshot {
  return {
    capacity: { vramBytes, memoryBytes: undefined },
    ps: { ok: true, seconds: 0, value: { models, rows: models.length, skipped: 0, nowMs: 0 } },
    version: { ok: true, seconds: 0, value: '0.33.0' },
  };
}

const failed = (reason: 'refused' | 'timeout' | 'status') =>
  ({ ok: false, seconds: 0, error: new ApiError(reason, 'why') }) as const;

/** A fleet and a clock controlled by the test. */
function fleetWithClock() {
  let nowMs = Date.UTC(2026, 0, 1);
  const fleet = createFleet(() => nowMs);
  const url = (host: string) => new URL(`http://${host}:11434/`);
  return {
    rows: fleet.rows,
    remember: (host: string, module = 'default', snapshot = up([])) =>
      fleet.remember(url(host), module, snapshot),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('a target that is up has its models, their VRAM and the number of models in RAM', () => {
  const { remember, rows, wait } = fleetWithClock();
  remember('a', 'blue', up([model(10 * GIB, 10 * GIB), model(8 * GIB, 2 * GIB), model(GIB, 0)], 24 * GIB));
  wait(12_000);
  expect(rows()).toEqual([
    {
      target: 'http://a:11434/',
      module: 'blue',
      state: 'up',
      reason: null,
      version: '0.33.0',
      loaded_models: 3,
      size_vram: 12 * GIB,
      vram_capacity: 24 * GIB,
      vram_share: 0.5,
      spilled_models: 1,
      probed_at: '2026-01-01T00:00:00.000Z',
      age_seconds: 12,
    },
  ]);
});

describe('unknown values are null:', () => {
  const only = (snapshot: Snapshot) => {
    const { remember, rows } = fleetWithClock();
    remember('a', 'default', snapshot);
    return rows()[0];
  };

  test('everything for a target that is down, with the reason', () => {
    expect(only({ ...up([]), ps: failed('refused'), version: failed('refused') })).toMatchObject({
      state: 'down',
      reason: 'refused',
      version: null,
      loaded_models: null,
      size_vram: null,
      vram_share: null,
      spilled_models: null,
    });
  });

  test('the models of a target whose /api/ps fails', () => {
    const partial = { state: 'partial', reason: 'timeout', version: '0.33.0', loaded_models: null };
    expect(only({ ...up([]), ps: failed('timeout') })).toMatchObject(partial);
  });

  test('the VRAM if a model does not report it', () => {
    const row = { state: 'up', size_vram: null, vram_share: null, spilled_models: 0 };
    expect(only(up([model(5, undefined), model(5, 5)], 10))).toMatchObject(row);
  });

  test('the share of VRAM without a capacity', () => {
    expect(only(up([model(5, 5)]))).toMatchObject({ size_vram: 5, vram_capacity: null, vram_share: null });
  });
});

describe('a target is removed', () => {
  test('ten minutes after its last probe', () => {
    const { remember, rows, wait } = fleetWithClock();
    remember('a');
    remember('b');
    wait(6 * MINUTE_MS);
    remember('a');
    wait(4 * MINUTE_MS);
    expect(rows().map(({ target }) => target)).toEqual(['http://b:11434/', 'http://a:11434/']);
    wait(1);
    expect(rows().map(({ target }) => target)).toEqual(['http://a:11434/']);
  });

  test('when 10,000 targets were probed after it', () => {
    const { remember, rows } = fleetWithClock();
    for (let index = 0; index < 10_001; index += 1) {
      remember(`gpu-${index}`);
    }
    expect(rows()).toHaveLength(10_000);
    expect(rows()[0]?.target).toBe('http://gpu-1:11434/');
  });
});

describe('clients of /probe can use only limited memory and time:', () => {
  test('a target longer than 256 characters is not stored', () => {
    const { remember, rows } = fleetWithClock();
    remember(`a.${'b'.repeat(240)}`);
    remember(`a.${'b'.repeat(241)}`);
    expect(rows().map(({ target }) => target.length)).toEqual([256]);
  });

  test('a list of more than 100 rows is built at most once a second', () => {
    const { remember, rows, wait } = fleetWithClock();
    for (let index = 0; index < 101; index += 1) {
      remember(`gpu-${index}`);
    }
    const listed = rows();
    wait(999);
    remember('late');
    expect(rows()).toBe(listed);
    wait(1);
    expect(rows()).toHaveLength(102);
  });
});

test('a target has one row per module, with its last result', () => {
  const { remember, rows } = fleetWithClock();
  remember('a', 'default', { ...up([]), ps: failed('status'), version: failed('status') });
  remember('a', 'blue');
  remember('a', 'default');
  expect(rows().map(({ module, state }) => [module, state])).toEqual([
    ['blue', 'up'],
    ['default', 'up'],
  ]);
});
