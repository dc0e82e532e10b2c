// Runs the soak: `npm run soak -- --seconds 600 --seed 1`. Exits 1 if it fails.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildSync } from 'esbuild';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    steady: { type: 'string', default: '50' },
    storm: { type: 'string', default: '2000' },
    'one-read': { type: 'boolean', default: true },
  },
});

const seconds = Number(values.seconds);
/** For start and end, and a machine that is busy. */
const MORE_SECONDS = 120;
setTimeout(
  () => {
    process.stderr.write('the soak itself hangs\n');
    process.exit(1);
  },
  (seconds + MORE_SECONDS) * 1_000,
).unref();

/** @param {string} text */
function progress(text) {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${text}`);
  }
}

const outdir = mkdtempSync(join(FOLDER, '../../node_modules/.soak-'));
const outfile = join(outdir, 'soak.mjs');
buildSync({
  entryPoints: [join(FOLDER, 'soak.ts')],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
});
/** @type {typeof import('./soak.ts')} */
const { soak } = await import(pathToFileURL(outfile).href);
rmSync(outdir, { recursive: true });
const summary = await soak(
  {
    seconds,
    seed: Number(values.seed),
    steady: Number(values.steady),
    storm: Number(values.storm),
    oneRead: values['one-read'],
    onProgress: progress,
  },
  FOLDER,
);
progress('');
process.stdout.write(`${summary.text}\n`);
process.exitCode = summary.violations.length === 0 ? 0 : 1;
