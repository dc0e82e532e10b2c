/** Compiles src/ at each change and restarts the exporter: `npm run dev -- --demo`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import './build.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const children = [
  spawn('tsc', ['--project', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'], {
    stdio: 'inherit',
  }),
  spawn(process.execPath, ['--watch', 'dist/main.js', ...process.argv.slice(2)], { stdio: 'inherit' }),
];
for (const child of children) {
  child.once('exit', () => children.forEach((other) => void other.kill()));
}
process.on('SIGTERM', () => children.forEach((child) => void child.kill()));
// The terminal sends it to the children, too.
process.on('SIGINT', () => {});
