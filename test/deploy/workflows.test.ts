/** The workflows, in what neither actionlint nor zizmor can know: the versions and files of this repository. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { NODES } from '../matrix.mjs';

const ROOT = new URL('../../', import.meta.url);

function read(path: string) {
  return parse(readFileSync(new URL(path, ROOT), 'utf8'));
}

test('the tests run on each supported line of Node.js, of which package.json allows the oldest', () => {
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
