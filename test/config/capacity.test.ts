import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  detectMemoryBytes,
  detectVramBytes,
  type Machine,
  resolveCapacity,
} from '../../src/config/capacity.ts';

const GIB = 1024 ** 3;

/** A stand-in for the machine: files under a root of its own, and programs on a PATH of its own. */
let machine: Machine;

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'machine-'));
  machine = { root, env: { PATH: join(root, 'bin'), DRIVER: 'here' }, patienceMs: 10_000 };
  write('bin/.keep', '');
});

afterEach(() => {
  rmSync(machine.root, { recursive: true });
});

function write(file: string, content: string | number): void {
  const path = join(machine.root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(content));
}

/** Answers only to the question that is meant to be asked. */
function installNvidiaSmi(behaviour: string): void {
  const expected = '--query-gpu=memory.total --format=csv,noheader,nounits';
  write('bin/nvidia-smi', `#!/bin/sh\n[ "$*" = "${expected}" ] || exit 64\n${behaviour}\n`);
  chmodSync(join(machine.root, 'bin/nvidia-smi'), 0o755);
}

describe('the VRAM of the machine', () => {
  test('is that of all NVIDIA GPUs', async () => {
    installNvidiaSmi('echo 24564; echo 24564');
    expect(await detectVramBytes(machine)).toBe(2 * 24_564 * 1024 ** 2);
  });

  test('leaves out a GPU without memory of its own', async () => {
    installNvidiaSmi('echo 24564; echo "[N/A]"');
    expect(await detectVramBytes(machine)).toBe(24_564 * 1024 ** 2);
  });

  test('is that of all AMD GPUs where there is no nvidia-smi', async () => {
    write('sys/class/drm/card0/device/mem_info_vram_total', `${16 * GIB}\n`);
    write('sys/class/drm/card1/device/mem_info_vram_total', `${8 * GIB}\n`);
    write('sys/class/drm/card0-HDMI-A-1/device/mem_info_vram_total', `${16 * GIB}\n`);
    write('sys/class/drm/card2/device/vendor', '0x8086\n');
    write('sys/class/drm/version', 'drm 1.1.0\n');
    expect(await detectVramBytes(machine)).toBe(24 * GIB);
  });

  test('is that of the NVIDIA GPU where there is an AMD one too', async () => {
    installNvidiaSmi('echo 1024');
    write('sys/class/drm/card1/device/mem_info_vram_total', 512 * 1024 ** 2);
    expect(await detectVramBytes(machine)).toBe(GIB);
  });

  test('is that of the AMD GPU where nvidia-smi knows of none', async () => {
    installNvidiaSmi('echo "No devices were found"');
    write('sys/class/drm/card1/device/mem_info_vram_total', GIB);
    expect(await detectVramBytes(machine)).toBe(GIB);
  });

  test('is not that of an AMD GPU where nvidia-smi fails: the card would be taken for smaller than it is', async () => {
    installNvidiaSmi('echo "NVIDIA-SMI has failed"; exit 9');
    write('sys/class/drm/card1/device/mem_info_vram_total', 512 * 1024 ** 2);
    await expect(detectVramBytes(machine)).rejects.toThrow(/nvidia-smi failed: .* NVIDIA-SMI has failed/);
  });

  test('is not waited for when the driver hangs, whatever nvidia-smi thinks of signals', async () => {
    installNvidiaSmi('trap "" TERM; while :; do :; done');
    await expect(detectVramBytes({ ...machine, patienceMs: 200 })).rejects.toThrow(
      'nvidia-smi did not answer within 0.2 s',
    );
  });

  test('is asked for in the environment of the exporter, which may be needed to find the driver', async () => {
    installNvidiaSmi('[ "$DRIVER" = here ] && echo 1024');
    expect(await detectVramBytes(machine)).toBe(GIB);
  });

  test.each([
    ['', 'nvidia-smi is not on PATH'],
    ['echo driver missing >&2; exit 9', 'nvidia-smi failed: Command failed: .* driver missing'],
    ['echo "[N/A]"', 'nvidia-smi names no GPU with memory of its own'],
  ])(
    'that can not be found is an error that says what to do (nvidia-smi: %j)',
    async (behaviour, problem) => {
      if (behaviour) {
        installNvidiaSmi(behaviour);
      }
      const message = `^--ollama.vram-capacity auto found no GPU \\(${problem}.*\\): give a size such as 24GiB$`;
      await expect(detectVramBytes(machine)).rejects.toThrow(new RegExp(message));
    },
  );
});

describe('the memory of the machine', () => {
  const total = 64 * GIB;

  beforeEach(() => {
    write('proc/meminfo', `MemTotal:       ${total / 1024} kB\nMemFree:        1 kB\n`);
  });

  test('is its RAM where nothing limits it', () => {
    write('proc/self/cgroup', '0::/\n');
    expect(detectMemoryBytes(machine)).toBe(total);
  });

  test('is its RAM where no control groups are', () => {
    expect(detectMemoryBytes(machine)).toBe(total);
  });

  test.each([
    ['its own', 'system.slice/exporter.service/memory.max'],
    ['one above its own', 'system.slice/memory.max'],
    ['that of the root of a container', 'memory.max'],
  ])('is the limit of the control group (v2): %s', (_, file) => {
    write('proc/self/cgroup', '0::/system.slice/exporter.service\n');
    write(`sys/fs/cgroup/${file}`, `${8 * GIB}\n`);
    expect(detectMemoryBytes(machine)).toBe(8 * GIB);
  });

  test('is the tightest of several limits, and "max" is none', () => {
    write('proc/self/cgroup', '0::/a/b/c\n');
    write('sys/fs/cgroup/a/memory.max', 4 * GIB);
    write('sys/fs/cgroup/a/b/memory.max', 2 * GIB);
    write('sys/fs/cgroup/a/b/c/memory.max', 'max\n');
    expect(detectMemoryBytes(machine)).toBe(2 * GIB);
  });

  test('is the limit of the memory controller (v1), whose largest number is no limit', () => {
    write('proc/self/cgroup', '12:cpu,cpuacct:/docker/x\n9:memory:/docker/x\n');
    write('sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes', '9223372036854771712\n');
    expect(detectMemoryBytes(machine)).toBe(total);
    write('sys/fs/cgroup/memory/memory.limit_in_bytes', 3 * GIB);
    expect(detectMemoryBytes(machine)).toBe(3 * GIB);
  });

  test('is never more than the RAM', () => {
    write('proc/self/cgroup', '0::/\n');
    write('sys/fs/cgroup/memory.max', 128 * GIB);
    expect(detectMemoryBytes(machine)).toBe(total);
  });
});

test('a size that is given is not looked up, and one that is not stays unknown', async () => {
  const options = { vramCapacity: 7, memoryCapacity: undefined };
  expect(await resolveCapacity(options, machine)).toEqual({ vramBytes: 7, memoryBytes: undefined });
});

test('auto looks up each of them', async () => {
  installNvidiaSmi('echo 1024');
  write('proc/meminfo', 'MemTotal: 1024 kB\n');
  const options = { vramCapacity: 'auto', memoryCapacity: 'auto' } as const;
  expect(await resolveCapacity(options, machine)).toEqual({ vramBytes: GIB, memoryBytes: 1024 ** 2 });
});

test('this very machine has memory', () => {
  expect(detectMemoryBytes({ root: '/', env: {}, patienceMs: 0 })).toBeGreaterThan(64 * 1024 ** 2);
});
