import { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createVramDetection } from '../../src/machine/vram.ts';
import { createFakeHost, type FakeHost, GIB, MIB } from '../fake-host.ts';

let machine: FakeHost;

beforeEach(() => {
  machine = createFakeHost();
});

const detect = () => createVramDetection(machine)();

describe('the VRAM of NVIDIA GPUs', () => {
  test('is the sum of all GPUs', async () => {
    machine.installNvidiaSmi('echo 24564; echo 24564');
    expect(await detect()).toEqual({ bytes: 2 * 24_564 * MIB, problem: undefined });
  });

  test('ignores a GPU without dedicated memory next to one with dedicated memory', async () => {
    machine.installNvidiaSmi('echo 24564; echo "[N/A]"');
    expect(await detect()).toEqual({ bytes: 24_564 * MIB, problem: undefined });
  });

  test.each(['[N/A]', 'N/A', '[Not Supported]', 'Not Supported', '0'])(
    'is the RAM if the only GPU has no dedicated memory: %s',
    async (value) => {
      machine.installNvidiaSmi(`echo "${value}"`);
      machine.write('proc/meminfo', `MemTotal: ${(120 * GIB) / 1024} kB\n`);
      // The limit of the exporter's own container does not apply to the GPU.
      machine.write('proc/self/cgroup', '0::/\n');
      machine.write('sys/fs/cgroup/memory.max', 64 * MIB);
      expect(await detect()).toEqual({ bytes: 120 * GIB, problem: undefined });
    },
  );

  test('is used if there is an AMD GPU too', async () => {
    machine.installNvidiaSmi('echo 1024');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', 512 * MIB);
    expect(await detect()).toEqual({ bytes: GIB, problem: undefined });
  });

  test.each([['echo "No devices were found"'], ['echo "No devices were found"; exit 6'], ['echo']])(
    'is 0, and AMD GPUs are used, if nvidia-smi lists none (%s)',
    async (behaviour) => {
      machine.installNvidiaSmi(behaviour);
      machine.write('sys/class/drm/card1/device/mem_info_vram_total', GIB);
      expect(await detect()).toEqual({ bytes: GIB, problem: undefined });
    },
  );

  test('is queried with the environment of the exporter', async () => {
    machine.installNvidiaSmi('[ "$DRIVER" = here ] && echo 1024');
    expect(await detect()).toEqual({ bytes: GIB, problem: undefined });
  });
});

describe('a GPU that reports an error', () => {
  test.each([
    ['echo 24564; echo "[GPU is lost]"; exit 15', 'GPU 1: [GPU is lost]'],
    ['echo "[Unknown Error]"; echo 24564', 'GPU 0: [Unknown Error]'],
    ['echo 24564; echo "[Insufficient Permissions]"', 'GPU 1: [Insufficient Permissions]'],
    [
      'echo "Unable to determine the device handle for GPU0000:02:00.0: GPU is lost."; echo 24564; exit 15',
      'Unable to determine the device handle for GPU0000:02:00.0: GPU is lost.',
    ],
    [
      'echo 24564; echo "GPU 0000:02:00.0 fell off" >&2; exit 255',
      'nvidia-smi failed: Command failed: nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits GPU 0000:02:00.0 fell off',
    ],
  ])('is left out of the sum and reported (%s)', async (behaviour, problem) => {
    machine.installNvidiaSmi(behaviour);
    expect(await detect()).toEqual({ bytes: 24_564 * MIB, problem });
  });

  test('is reported next to a GPU without dedicated memory', async () => {
    machine.installNvidiaSmi('echo "[N/A]"; echo "[GPU requires reset]"');
    machine.write('proc/meminfo', `MemTotal: ${GIB / 1024} kB\n`);
    expect(await detect()).toEqual({ bytes: GIB, problem: 'GPU 1: [GPU requires reset]' });
  });

  test('makes the capacity unknown if it is the only GPU, even with an AMD GPU', async () => {
    machine.installNvidiaSmi('echo "[Unknown Error]"');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', GIB);
    await expect(detect()).rejects.toThrow('nvidia-smi reports GPU 0: [Unknown Error]');
  });
});

describe('a failing nvidia-smi', () => {
  test('makes the capacity unknown, even with an AMD GPU, which may be smaller', async () => {
    machine.installNvidiaSmi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', 512 * MIB);
    await expect(detect()).rejects.toThrow(
      /^nvidia-smi failed: .* Failed to initialize NVML: Driver\/library version mismatch$/,
    );
  });

  test.each([
    ['echo driver missing >&2; exit 9', /^nvidia-smi failed: Command failed: .* driver missing$/],
    ['echo 24564; kill -SEGV $$', /^nvidia-smi failed: /],
    ['echo "NVIDIA-SMI has failed"', /^nvidia-smi reports NVIDIA-SMI has failed$/],
    ['while :; do echo 24564; done', /^nvidia-smi failed: stdout maxBuffer length exceeded$/],
  ])('is reported on one line (%s)', async (behaviour, message) => {
    machine.installNvidiaSmi(behaviour);
    await expect(detect()).rejects.toThrow(message);
  });

  test('is an error if it is not executable', async () => {
    machine.write('bin/nvidia-smi', '');
    await expect(detect()).rejects.toThrow(/^nvidia-smi failed: spawn .*EACCES/);
  });
});

describe('a hanging nvidia-smi', () => {
  beforeEach(() => {
    machine = { ...machine, timeoutMs: 200 };
  });

  test.each([
    'trap "" TERM; while :; do :; done',
    'sleep 5',
    'echo 24564; exec sleep 600',
    'sleep 5 & echo 24564',
  ])('times out, even if it ignores signals (%s)', async (behaviour) => {
    machine.installNvidiaSmi(`PATH=/usr/bin:/bin; ${behaviour}`);
    await expect(detect()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
  });

  test("is not started again while it can't be killed", async () => {
    const calls = join(machine.root, 'calls');
    const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    machine.installNvidiaSmi(
      `echo x >> ${calls}; PATH=/usr/bin:/bin; while [ ! -e ${machine.root}/free ]; do sleep 0.05; done`,
    );
    const detectAgain = createVramDetection(machine);
    await expect(detectAgain()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
    await expect(detectAgain()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
    expect(readFileSync(calls, 'utf8')).toBe('x\n');
    expect(kill).toHaveBeenCalledExactlyOnceWith('SIGKILL');

    machine.write('free', '');
    machine.installNvidiaSmi('echo 1024');
    await expect.poll(detectAgain).toEqual({ bytes: GIB, problem: undefined });
  });
});

test('without a GPU, the error lists what was tried', async () => {
  await expect(detect()).rejects.toThrow(
    'no GPU: nvidia-smi is not on PATH, and there is no mem_info_vram_total under /sys/class/drm',
  );
  machine.installNvidiaSmi('echo "No devices were found"');
  await expect(detect()).rejects.toThrow(
    'no GPU: nvidia-smi lists no GPU, and there is no mem_info_vram_total under /sys/class/drm',
  );
  expect(existsSync(join(machine.root, 'sys'))).toBe(false);
});
