/** What actionlint and zizmor can't check in the workflows: versions and files of this repository. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { NODES } from '../matrix.mjs';

const ROOT = new URL('../../', import.meta.url);

function read(path: string) {
  return parse(readFileSync(new URL(path, ROOT), 'utf8'));
}

test('the tests run on each supported Node.js line, and package.json requires the oldest version', () => {
  const { strategy } = read('.github/workflows/test.yml').jobs.test;
  expect(strategy.matrix.node).toEqual(NODES.map((version) => Number.parseInt(version, 10)));
  expect(read('package.json').engines.node).toBe(`>=${NODES[0]}`);
});

test('a release attaches files that exist', () => {
  const steps: ReadonlyArray<{ readonly run?: string }> = read('.github/workflows/release.yml').jobs.release
    .steps;
  const command = steps.map(({ run = '' }) => run).find((run) => run.startsWith('gh release create')) ?? '';
  const files = command.split(/\s+/).filter((word) => /^(prometheus|grafana)\//.test(word));
  expect(files).toHaveLength(3);
  expect(files.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

test('the nightly workflow tests the newest Ollama image', () => {
  const { on, jobs } = read('.github/workflows/ollama.yml');
  const steps: ReadonlyArray<{ readonly run?: string }> = jobs.test.steps;
  const commands = steps.map(({ run = '' }) => run).join('\n');
  expect(on.schedule).toHaveLength(1);
  expect(commands).toMatch(/\bollama\/ollama:latest\b.* bin\/ollama lib\/ollama\b/);
  expect(commands).toContain('npm run test:ollama -- --ollama "$RUNNER_TEMP/ollama/bin/ollama"');
});

test.each([
  [[], 'Usage: npm run test:ollama -- --ollama PATH'],
  [['--ollama', '/nowhere/ollama'], '/nowhere/ollama is not a program ollama that runs here'],
  [['--olama', 'x'], "Unknown option '--olama'"],
])('the suite for a genuine Ollama prints its usage and fails: %s', (args, words) => {
  const script = fileURLToPath(new URL('test/genuine/run.mjs', ROOT));
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain(words);
  expect(stderr).toContain('Usage: npm run test:ollama -- --ollama PATH');
});
