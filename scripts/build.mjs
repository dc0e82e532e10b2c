/** Compiles src/ into dist/, file by file, and copies the files that the programs read at run time. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' });
for (const asset of ['style.css', 'live.js', 'become.js', 'until.js']) {
  copyFileSync(`src/status/${asset}`, `dist/status/${asset}`);
}
writeFileSync('dist/REVISION', revision());
chmodSync('dist/main.js', 0o755);

/** The commit; from the environment if there is no git checkout. */
function revision() {
  try {
    return process.env['REVISION'] || execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
