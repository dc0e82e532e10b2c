// Runs the unit and integration tests under every supported Node.js, with npm's packages of it: `npm run test:matrix`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest that package.json's `engines` allows, then the newest of each line with long-term support. */
export const NODES = /** @type {const} */ (['20.18.1', '22', '24', '26']);

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SUITES = ['--reporter', 'dot', '--project', 'in-process'];

/**
 * @param {string} version
 * @returns {string} the path of its program, fetched into .cache once: delete it there for a newer release
 */
export function fetchNode(version) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = join(ROOT, '.cache/nodes', version);
  const program = join(
    folder,
    'node_modules',
    name,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (!existsSync(program)) {
    const quietly = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
    const args = ['install', '--prefix', folder, ...quietly, `${name}@${version}`];
    const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
    if (status !== 0 || !existsSync(program)) {
      throw new Error(`could not fetch ${name}@${version}: ${stderr}`);
    }
  }
  return program;
}

/**
 * @param {string} version
 * @returns {boolean} whether all passed
 */
function runTests(version) {
  const start = performance.now();
  const node = fetchNode(version);
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...SUITES];
  const { status, stdout, stderr } = spawnSync(node, vitest, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
    // For what the tests start by name.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` },
  });
  const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  if (status !== 0) {
    process.stderr.write(stdout + stderr);
  }
  const seconds = Math.round((performance.now() - start) / 1_000);
  process.stdout.write(`${exact} ${status === 0 ? 'passed' : 'failed'} ${seconds} s\n`);
  return status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = NODES.map(runTests).every(Boolean) ? 0 : 1;
}
