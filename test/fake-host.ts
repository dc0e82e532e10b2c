/** A fake host: files under a temporary root, and programs on its own PATH. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readText } from '../src/machine/files.ts';
import type { Machine } from '../src/machine/machine.ts';

export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

export interface FakeHost extends Machine {
  /** Writes a file, or replaces its content. */
  readonly write: (file: string, content: string | number) => void;
  /** '' if there is no such file. */
  readonly read: (file: string) => string;
  /** Responds only to the expected query. */
  readonly installNvidiaSmi: (behaviour: string) => void;
}

export function createFakeHost(): FakeHost {
  const root = mkdtempSync(join(tmpdir(), 'machine-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const write = (file: string, content: string | number, mode?: number) => {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, String(content), { mode });
  };
  write('bin/.keep', '');
  return {
    root,
    env: { PATH: join(root, 'bin'), DRIVER: 'here' },
    timeoutMs: 10_000,
    retryMs: 3_600_000,
    write,
    read: (file) => readText(join(root, file)),
    installNvidiaSmi: (behaviour) => {
      const expected = '--query-gpu=memory.total --format=csv,noheader,nounits';
      write('bin/new', `#!/bin/sh\n[ "$*" = "${expected}" ] || exit 64\n${behaviour}\n`, 0o755);
      // Atomically, as it may be queried repeatedly meanwhile.
      renameSync(join(root, 'bin/new'), join(root, 'bin/nvidia-smi'));
    },
  };
}
