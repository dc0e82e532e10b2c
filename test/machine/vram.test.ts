import { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createVramDetection } from '../../src/machine/vram.ts';
import { createStandIn, GIB, MIB, type StandIn } from '../stand-in-machine.ts';

let machine: StandIn;

beforeEach(() => {
  machine = createStandIn();
});

const detect = () => createVramDetection(machine)();

describe('the VRAM of NVIDIA GPUs', () => {
  test('is that of all of them', async () => {
    machine.installNvidiaSmi('echo 24564; echo 24564');
    expect(await detect()).toEqual({ bytes: 2 * 24_564 * MIB, problem: undefined });
  });

  test('leaves out a GPU without memory of its own beside one that has', async () => {
    machine.installNvidiaSmi('echo 24564; echo "[N/A]"');
    expect(await detect()).toEqual({ bytes: 24_564 * MIB, problem: undefined });
  });

  test.each(['[N/A]', 'N/A', '[Not Supported]', 'Not Supported', '0'])(
    "is the machine's RAM where the only GPU has no memory of its own: %s",
    async (said) => {
      machine.installNvidiaSmi(`echo "${said}"`);
      machine.write('proc/meminfo', `MemTotal: ${(120 * GIB) / 1024} kB\n`);
      // The limit of the exporter's own container is not that of the GPU.
      machine.write('proc/self/cgroup', '0::/\n');
      machine.write('sys/fs/cgroup/memory.max', 64 * MIB);
      expect(await detect()).toEqual({ bytes: 120 * GIB, problem: undefined });
    },
  );

  test('is that of the NVIDIA GPU where there is an AMD one too', async () => {
    machine.installNvidiaSmi('echo 1024');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', 512 * MIB);
    expect(await detect()).toEqual({ bytes: GIB, problem: undefined });
  });

  test.each([['echo "No devices were found"'], ['echo "No devices were found"; exit 6'], ['echo']])(
    'is that of the AMD GPU where nvidia-smi knows of none (%s)',
    async (behaviour) => {
      machine.installNvidiaSmi(behaviour);
      machine.write('sys/class/drm/card1/device/mem_info_vram_total', GIB);
      expect(await detect()).toEqual({ bytes: GIB, problem: undefined });
    },
  );

  test('is asked for in the environment of the exporter, which may be needed to find the driver', async () => {
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
  ])('is not counted, and named beside the sum of the others (%s)', async (behaviour, problem) => {
    machine.installNvidiaSmi(behaviour);
    expect(await detect()).toEqual({ bytes: 24_564 * MIB, problem });
  });

  test('is named beside one without memory of its own', async () => {
    machine.installNvidiaSmi('echo "[N/A]"; echo "[GPU requires reset]"');
    machine.write('proc/meminfo', `MemTotal: ${GIB / 1024} kB\n`);
    expect(await detect()).toEqual({ bytes: GIB, problem: 'GPU 1: [GPU requires reset]' });
  });

  test('leaves nothing known where it is the only one, whatever an AMD GPU has', async () => {
    machine.installNvidiaSmi('echo "[Unknown Error]"');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', GIB);
    await expect(detect()).rejects.toThrow('nvidia-smi says GPU 0: [Unknown Error]');
  });
});

describe('an nvidia-smi that fails', () => {
  test('leaves nothing known, whatever an AMD GPU has: the card would be taken for smaller than it is', async () => {
    machine.installNvidiaSmi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18');
    machine.write('sys/class/drm/card1/device/mem_info_vram_total', 512 * MIB);
    await expect(detect()).rejects.toThrow(
      /^nvidia-smi failed: .* Failed to initialize NVML: Driver\/library version mismatch$/,
    );
  });

  test.each([
    ['echo driver missing >&2; exit 9', /^nvidia-smi failed: Command failed: .* driver missing$/],
    ['echo 24564; kill -SEGV $$', /^nvidia-smi failed: /],
    ['echo "NVIDIA-SMI has failed"', /^nvidia-smi says NVIDIA-SMI has failed$/],
    ['while :; do echo 24564; done', /^nvidia-smi failed: stdout maxBuffer length exceeded$/],
  ])('says why in one line (%s)', async (behaviour, message) => {
    machine.installNvidiaSmi(behaviour);
    await expect(detect()).rejects.toThrow(message);
  });

  test('is an error, too, where it is no program', async () => {
    machine.write('bin/nvidia-smi', '');
    await expect(detect()).rejects.toThrow(/^nvidia-smi failed: spawn .*EACCES/);
  });
});

describe('an nvidia-smi that hangs', () => {
  beforeEach(() => {
    machine = { ...machine, patienceMs: 200 };
  });

  test.each([
    'trap "" TERM; while :; do :; done',
    'sleep 5',
    'echo 24564; exec sleep 600',
    'sleep 5 & echo 24564',
  ])('is not waited for, whatever it thinks of signals (%s)', async (behaviour) => {
    machine.installNvidiaSmi(`PATH=/usr/bin:/bin; ${behaviour}`);
    await expect(detect()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
  });

  test('and can not be killed is not started again while it is there', async () => {
    const asked = join(machine.root, 'asked');
    const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    machine.installNvidiaSmi(
      `echo x >> ${asked}; PATH=/usr/bin:/bin; while [ ! -e ${machine.root}/free ]; do sleep 0.05; done`,
    );
    const detectAgain = createVramDetection(machine);
    await expect(detectAgain()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
    await expect(detectAgain()).rejects.toThrow('nvidia-smi did not respond within 0.2 s');
    expect(readFileSync(asked, 'utf8')).toBe('x\n');
    expect(kill).toHaveBeenCalledExactlyOnceWith('SIGKILL');

    machine.write('free', '');
    machine.installNvidiaSmi('echo 1024');
    await expect.poll(detectAgain).toEqual({ bytes: GIB, problem: undefined });
  });
});

test('where there is no GPU, the error says what was tried', async () => {
  await expect(detect()).rejects.toThrow(
    'no GPU: nvidia-smi is not on PATH, and there is no mem_info_vram_total under /sys/class/drm',
  );
  machine.installNvidiaSmi('echo "No devices were found"');
  await expect(detect()).rejects.toThrow(
    'no GPU: nvidia-smi lists no GPU, and there is no mem_info_vram_total under /sys/class/drm',
  );
  expect(existsSync(join(machine.root, 'sys'))).toBe(false);
});
