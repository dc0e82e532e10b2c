/** The RAM of the machine, and the limit of the exporter's control group. */
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { readNumber, readText } from './files.ts';

/** The machine's RAM or the lowest limit of the exporter's control groups, whichever is less; bytes. */
export function detectMemoryBytes(root: string): number {
  return Math.min(ramBytes(root), ...controlGroupLimits(root).filter(Number.isFinite));
}

/** The machine's RAM, without limits; bytes. */
export function ramBytes(root: string): number {
  const [, kibibytes] = /^MemTotal:\s+(\d+) kB$/m.exec(readText(join(root, 'proc/meminfo'))) ?? [];
  return kibibytes === undefined ? totalmem() : Number(kibibytes) * 1024;
}

/** A group's limit applies to all groups below it, so all up to the root count. NaN if there is none. */
function controlGroupLimits(root: string): readonly number[] {
  return readText(join(root, 'proc/self/cgroup'))
    .split('\n')
    .flatMap((line) => {
      const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      const file = hierarchy === '0' ? 'memory.max' : 'memory.limit_in_bytes';
      const mount = hierarchy === '0' ? 'sys/fs/cgroup' : 'sys/fs/cgroup/memory';
      const holds = hierarchy === '0' || controllers?.split(',').includes('memory');
      return path !== undefined && holds
        ? ancestors(path).map((group) => readNumber(join(root, mount, group, file)))
        : [];
    });
}

/** `/a/b` → `/a/b`, `/a`, `/` */
function ancestors(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...ancestors(parent)];
}
