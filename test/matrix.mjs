// Runs the package and the in-process tests with every supported Node.js, from npm packages: `npm run test:matrix`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest version in package.json's `engines`, then the newest of each LTS line. */
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

/** @returns {string} the packed program, installed with its dependencies in an empty folder */
function installPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'matrix-'));
  writeFileSync(join(folder, 'package.json'), '{}');
  const pack = spawnSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const [, file = ''] = /"filename": "(.*)"/.exec(pack.stdout) ?? [];
  const args = ['install', '--no-audit', '--no-fund', '--omit=dev', '--loglevel=error', join(folder, file)];
  const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`could not install the package: ${pack.stderr}${stderr}`);
  }
  return join(folder, 'node_modules/ollama-exporter/dist/main.js');
}

/**
 * @param {string} node
 * @param {string} program
 * @returns {boolean} whether a scrape of the demo is up
 */
function runsPackage(node, program) {
  const { status, stdout, stderr } = spawnSync(node, [program, '--demo', '--once'], { encoding: 'utf8' });
  const isUp = status === 0 && /^ollama_up 1$/m.test(stdout);
  if (!isUp) {
    process.stderr.write(stdout + stderr);
  }
  return isUp;
}

/**
 * @param {string} version
 * @param {string} program of the installed package
 * @returns {boolean} whether all passed
 */
function runTests(version, program) {
  const start = performance.now();
  const node = fetchNode(version);
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...SUITES];
  const { status, stdout, stderr } = spawnSync(node, vitest, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
    // For programs that the tests start by name.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` },
  });
  const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  if (status !== 0) {
    process.stderr.write(stdout + stderr);
  }
  const passed = runsPackage(node, program) && status === 0;
  const seconds = Math.round((performance.now() - start) / 1_000);
  process.stdout.write(`${exact} ${passed ? 'passed' : 'failed'} ${seconds} s\n`);
  return passed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const program = installPackage();
  process.exitCode = NODES.map((version) => runTests(version, program)).every(Boolean) ? 0 : 1;
}
