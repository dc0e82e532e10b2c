/** Runs the programs of the soak, which are TypeScript, as processes of their own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { buildSync } from 'esbuild';

export type Child = ChildProcessByStdio<Writable, Readable, null>;

const PROGRAMS = ['ollama', 'prober', 'crowd'] as const;

export interface Programs {
  readonly run: (program: (typeof PROGRAMS)[number], argument: string) => Child;
  readonly remove: () => void;
}

/** @param folder where their sources are */
export function buildPrograms(folder: string): Programs {
  const outdir = mkdtempSync(join(tmpdir(), 'soak-'));
  buildSync({
    entryPoints: PROGRAMS.map((program) => join(folder, `${program}.ts`)),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  return {
    run: (program, argument) =>
      spawn(process.execPath, [join(outdir, `${program}.mjs`), argument], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    remove: () => rmSync(outdir, { recursive: true }),
  };
}
