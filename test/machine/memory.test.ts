import { beforeEach, describe, expect, test } from 'vitest';
import { detectMemoryBytes } from '../../src/machine/memory.ts';
import { createFakeHost, type FakeHost, GIB, MIB } from '../fake-host.ts';

let machine: FakeHost;

describe('the memory of the machine', () => {
  const total = 64 * GIB;

  beforeEach(() => {
    machine = createFakeHost();
    machine.write('proc/meminfo', `MemTotal:       ${total / 1024} kB\nMemFree:        1 kB\n`);
  });

  test('is the RAM if the control group sets no limit', () => {
    machine.write('proc/self/cgroup', '0::/\n');
    expect(detectMemoryBytes(machine.root)).toBe(total);
  });

  test('is the RAM without control groups', () => {
    expect(detectMemoryBytes(machine.root)).toBe(total);
  });

  test.each([
    ['its own limit', 'system.slice/exporter.service/memory.max'],
    ['the limit of a parent', 'system.slice/memory.max'],
    ['the limit of the root in a container', 'memory.max'],
  ])('is the limit of the control group (v2): %s', (_, file) => {
    machine.write('proc/self/cgroup', '0::/system.slice/exporter.service\n');
    machine.write(`sys/fs/cgroup/${file}`, `${8 * GIB}\n`);
    expect(detectMemoryBytes(machine.root)).toBe(8 * GIB);
  });

  test('is the smallest of several limits, and "max" is no limit', () => {
    machine.write('proc/self/cgroup', '0::/a/b/c\n');
    machine.write('sys/fs/cgroup/a/memory.max', 4 * GIB);
    machine.write('sys/fs/cgroup/a/b/memory.max', 2 * GIB);
    machine.write('sys/fs/cgroup/a/b/c/memory.max', 'max\n');
    expect(detectMemoryBytes(machine.root)).toBe(2 * GIB);
  });

  test('is the limit of the memory controller (v1), whose largest number is no limit', () => {
    machine.write('proc/self/cgroup', '12:cpu,cpuacct:/docker/x\n9:memory:/docker/x\n');
    machine.write('sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes', '9223372036854771712\n');
    expect(detectMemoryBytes(machine.root)).toBe(total);
    machine.write('sys/fs/cgroup/memory/memory.limit_in_bytes', 3 * GIB);
    expect(detectMemoryBytes(machine.root)).toBe(3 * GIB);
  });

  test('is never more than the RAM', () => {
    machine.write('proc/self/cgroup', '0::/\n');
    machine.write('sys/fs/cgroup/memory.max', 128 * GIB);
    expect(detectMemoryBytes(machine.root)).toBe(total);
  });
});

test('is detected on the host that runs the tests', () => {
  expect(detectMemoryBytes('/')).toBeGreaterThan(64 * MIB);
});
