import pino from 'pino';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CapacityOptions, startCapacity } from '../../src/machine/capacity.ts';
import { createFakeHost, type FakeHost, GIB } from '../fake-host.ts';

const AUTO = { vramCapacity: 'auto', memoryCapacity: 'auto' } as const;

let machine: FakeHost;

beforeEach(() => {
  machine = { ...createFakeHost(), retryMs: 20 };
  machine.write('proc/meminfo', `MemTotal: ${(64 * GIB) / 1024} kB\n`);
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

async function start(options: CapacityOptions) {
  const lines: Line[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
  const capacity = await startCapacity(options, machine, log);
  onTestFinished(capacity.close);
  const metrics = async () => {
    const registry = new Registry();
    capacity.registerMetrics(registry);
    return await registry.metrics();
  };
  return { ...capacity, lines, metrics };
}

const WARNING = { level: 40, msg: 'Could not detect the capacity of this machine', resource: 'vram' };
const PART = { level: 40, msg: 'Detected only a part of the capacity of this machine', resource: 'vram' };
const DETECTED = { level: 30, msg: 'Detected the capacity of this machine', resource: 'vram' };

test('a configured capacity is used without detection, and an unset one stays unknown', async () => {
  const { now, metrics, lines } = await start({ vramCapacity: 7, memoryCapacity: undefined });
  expect(now()).toEqual({ vramBytes: 7, memoryBytes: undefined });
  expect(await metrics()).toBe('\n');
  expect(lines).toEqual([]);
});

test('auto detects both capacities, and the metric reports 1', async () => {
  machine.installNvidiaSmi('echo 1024');
  const { now, metrics, lines } = await start(AUTO);
  expect(now()).toEqual({ vramBytes: GIB, memoryBytes: 64 * GIB });
  expect(await metrics()).toContain(
    'ollama_exporter_capacity_detected{resource="vram"} 1\n' +
      'ollama_exporter_capacity_detected{resource="memory"} 1\n',
  );
  expect(lines).toEqual([]);
});

test('the metric has only resources set to auto', async () => {
  const { metrics } = await start({ vramCapacity: 7, memoryCapacity: 'auto' });
  expect(await metrics()).not.toContain('resource="vram"');
});

describe('a capacity that is not detected', () => {
  test('is unknown, logged as a warning with cause and hint, and 0 in the metric', async () => {
    machine = { ...machine, retryMs: 3_600_000 };
    machine.installNvidiaSmi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18');
    const { now, metrics, lines } = await start(AUTO);
    expect(now()).toEqual({ vramBytes: undefined, memoryBytes: 64 * GIB });
    expect(await metrics()).toContain('{resource="vram"} 0\n');
    expect(lines).toEqual([
      {
        ...WARNING,
        err: expect.stringContaining('Driver/library version mismatch'),
        hint: 'give a size instead of auto, such as --ollama.vram-capacity=24GiB',
      },
    ]);
  });

  test('is detected later, which is logged once', async () => {
    const { now, metrics, lines } = await start(AUTO);
    expect(now().vramBytes).toBeUndefined();
    machine.installNvidiaSmi('echo 1024');
    await expect.poll(() => lines).toMatchObject([WARNING, { ...DETECTED, bytes: GIB }]);
    expect(now().vramBytes).toBe(GIB);
    expect(await metrics()).toContain('{resource="vram"} 1\n');
  });

  test('is logged again only if the cause changes', async () => {
    const tries = `cd ${machine.root}; PATH=/usr/bin:/bin; echo x >> calls; n=$(wc -l < calls)`;
    machine.installNvidiaSmi(`${tries}
[ $n -le 3 ] && echo "one cause" && exit 9
[ $n -le 6 ] && echo "another" && exit 9
echo 1024`);
    const { lines } = await start(AUTO);
    await expect
      .poll(() => lines)
      .toMatchObject([
        { ...WARNING, err: expect.stringContaining('one cause') },
        { ...WARNING, err: expect.stringContaining('another') },
        DETECTED,
      ]);
  });

  test('is not retried after close', async () => {
    const { close } = await start(AUTO);
    close();
    machine.installNvidiaSmi(`echo x >> ${machine.root}/calls`);
    await waitForTenAttempts();
    expect(machine.read('calls')).toBe('');
  });

  test('does not keep the process alive while retrying', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    onTestFinished(() => timers.mockRestore());
    machine = { ...machine, retryMs: 123_456 };
    await start(AUTO);
    const index = timers.mock.calls.findIndex(([, delay]) => delay === 123_456);
    expect(timers.mock.results[index]?.value.hasRef()).toBe(false);
  });

  test('is neither used nor logged if a detection ends after close', async () => {
    const { close, now, lines } = await start(AUTO);
    machine.installNvidiaSmi(
      `cd ${machine.root}; PATH=/usr/bin:/bin; echo x >> calls; while [ ! -e closed ]; do sleep 0.01; done; echo 1024`,
    );
    await expect.poll(() => machine.read('calls')).toBe('x\n');
    close();
    machine.write('closed', '');
    await waitForTenAttempts();
    expect(machine.read('calls')).toBe('x\n');
    expect(now().vramBytes).toBeUndefined();
    expect(lines).toHaveLength(1);
  });

  test("is logged on one short line, however long the driver's output is", async () => {
    machine.installNvidiaSmi('i=0; while [ $i -lt 1000 ]; do echo "a broken driver"; i=$((i+1)); done');
    const { lines } = await start(AUTO);
    expect(String(lines[0]?.['err']).length).toBeLessThan(1_000);
  });
});

/** There is no event to wait for if nothing is expected to happen. */
async function waitForTenAttempts(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10 * machine.retryMs));
}

test('a failed GPU is logged and left out, and retried until it is back', async () => {
  machine.installNvidiaSmi('echo 1024; echo "[GPU is lost]"; exit 15');
  const { now, metrics, lines } = await start(AUTO);
  expect(now().vramBytes).toBe(GIB);
  expect(await metrics()).toContain('{resource="vram"} 1\n');
  expect(lines).toEqual([{ ...PART, bytes: GIB, err: 'GPU 1: [GPU is lost]' }]);
  machine.installNvidiaSmi('echo 1024; echo 1024');
  await expect.poll(() => lines).toMatchObject([PART, { ...DETECTED, bytes: 2 * GIB }]);
  expect(now().vramBytes).toBe(2 * GIB);
});
