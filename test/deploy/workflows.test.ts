/** GitHub's workflows, in what would otherwise only show once they run there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { validate } from '@actions/languageservice';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { parse } from 'yaml';
import { NODES } from '../matrix.mjs';

const ROOT = new URL('../../', import.meta.url);
const FOLDER = new URL('.github/workflows/', ROOT);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

const PERMISSIONS = v.record(v.string(), v.picklist(['read', 'write']));
const STEP = v.object({
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.unknown()), {}),
});
const JOB = v.object({
  uses: v.optional(v.string()),
  permissions: PERMISSIONS,
  'timeout-minutes': v.optional(v.number()),
  strategy: v.optional(v.object({ matrix: v.record(v.string(), v.array(v.unknown())) })),
  steps: v.optional(v.array(STEP), []),
});
const WORKFLOW = v.object({ permissions: PERMISSIONS, jobs: v.record(v.string(), JOB) });

const WORKFLOWS = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(new URL(name, FOLDER), 'utf8');
  return { name, text, ...v.parse(WORKFLOW, parse(text)) };
});
const JOBS = WORKFLOWS.flatMap(({ name, jobs }) =>
  Object.entries(jobs).map(([id, job]) => ({ name: `${name} ${id}`, ...job })),
);
const STEPS = JOBS.flatMap(({ name, steps }) => steps.map((step) => ({ job: name, ...step })));

function workflow(name: string) {
  const found = WORKFLOWS.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new Error(`no ${name}`);
  }
  return found;
}

let addresses = 0;

/** What GitHub's own parser has to say, with the lines. It never parses an address twice. */
async function complaints(text: string): Promise<readonly string[]> {
  const address = `file:///.github/workflows/${addresses++}.yml`;
  const found = await validate(TextDocument.create(address, 'yaml', 1, text));
  return found.map(({ range, message }) => `${range.start.line + 1}: ${message}`);
}

test.each(WORKFLOWS)("GitHub's own parser finds nothing wrong in $name", async ({ text }) => {
  expect(await complaints(text)).toEqual([]);
});

describe('that parser finds', () => {
  test.each([
    ['a misspelt key', 'timeout-minutes: 30', 'timeout-minute: 30', /timeout-minute/],
    ['a context that is not there yet', 'github.ref }}', 'matrix.node }}', /matrix/],
    ['a matrix value that does not exist', 'matrix.node }}-bookworm', 'matrix.nodes }}-bookworm', /nodes/],
    ['a permission that does not exist', 'contents: read', 'content: read', /content/],
  ])('%s', async (_, right, wrong, message) => {
    const { text } = workflow('test.yml');
    expect(text).toContain(right);
    expect((await complaints(text.replace(right, () => wrong))).join('\n')).toMatch(message);
  });
});

describe('actions', () => {
  const uses = WORKFLOWS.flatMap(({ text }) =>
    [...text.matchAll(/\buses: *(.*)$/gm)].map(([, line = '']) => line),
  );
  const local = uses.filter((line) => line.startsWith('./'));
  const pins = uses.filter((line) => !line.startsWith('./'));

  test('of others are pinned by their whole hash, with the version it stands for', () => {
    expect(pins.length).toBeGreaterThan(10);
    expect(pins.filter((pin) => !/^[\w-]+\/[\w/-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/.test(pin))).toEqual([]);
  });

  test('are the same everywhere', () => {
    const different = [...new Set(pins)];
    const names = different.map((pin) => pin.split('@')[0]);
    expect(different.filter((_, index) => names.indexOf(names[index]) !== index)).toEqual([]);
  });

  test('of this repository exist', () => {
    expect(local.length).toBeGreaterThan(0);
    expect(local.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  });
});

describe('permissions', () => {
  test('are none but what a job names itself', () => {
    expect(WORKFLOWS.map(({ permissions }) => permissions)).toEqual(WORKFLOWS.map(() => ({})));
  });

  test('to write have only the jobs that publish', () => {
    const writes = JOBS.flatMap(({ name, permissions }) =>
      Object.entries(permissions).flatMap(([scope, right]) =>
        right === 'write' ? [`${name}: ${scope}`] : [],
      ),
    );
    expect(writes).toEqual([
      'release.yml image: attestations',
      'release.yml image: id-token',
      'release.yml image: packages',
      'release.yml npm: attestations',
      'release.yml npm: id-token',
      'release.yml release: contents',
    ]);
  });

  test('do not stay behind in a clone', () => {
    const checkouts = STEPS.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.length).toBeGreaterThan(0);
    expect(checkouts.filter((step) => step.with['persist-credentials'] !== false)).toEqual([]);
  });
});

test('every job ends in time', () => {
  const endless = JOBS.filter((job) => job.uses === undefined && job['timeout-minutes'] === undefined);
  expect(endless.map(({ name }) => name)).toEqual([]);
});

describe('the tests run', () => {
  const { jobs } = workflow('test.yml');

  test("with the README's command, literally", () => {
    const [, command] = /\n(npm .* test)\n/.exec(read('README.md')) ?? [];
    expect(command).toBe('npm ci && npm test');
    expect(jobs['test']?.steps.map(({ run }) => run)).toContain(command);
  });

  test('on each line of Node.js that is supported', () => {
    expect(jobs['test']?.strategy?.matrix['node']).toEqual(
      NODES.map((version) => Number.parseInt(version, 10)),
    );
  });

  test('on the oldest one that package.json allows', () => {
    const { engines } = v.parse(
      v.object({ engines: v.object({ node: v.string() }) }),
      parse(read('package.json')),
    );
    expect(engines.node).toBe(`>=${NODES[0]}`);
  });
});

describe('a release', () => {
  const { jobs } = workflow('release.yml');

  test('attaches files that exist', () => {
    const [command = ''] =
      jobs['release']?.steps.flatMap(({ run }) => (run?.startsWith('gh release') ? [run] : [])) ?? [];
    const files = command.split(/\s+/).filter((word) => word.includes('/') && !word.startsWith('package/'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  });

  test('is of the platforms that each change was built for', () => {
    const platforms = (job: string) =>
      STEPS.filter((step) => step.job === job).flatMap((step) => step.with['platforms'] ?? []);
    expect(platforms('release.yml image')).toEqual(['linux/amd64,linux/arm64']);
    expect(platforms('image.yml build')).toEqual(platforms('release.yml image'));
  });
});

test('updates of packages, actions and images come weekly, one change for each kind', () => {
  const { updates } = v.parse(
    v.object({ updates: v.array(v.looseObject({ 'package-ecosystem': v.string() })) }),
    parse(read('.github/dependabot.yml')),
  );
  expect(updates.map((update) => update['package-ecosystem'])).toEqual([
    'npm',
    'github-actions',
    'docker-compose',
  ]);
  for (const { schedule, groups } of updates) {
    expect(schedule).toEqual({ interval: 'weekly' });
    expect(Object.values(groups ?? {})).toMatchObject([{ patterns: ['*'] }]);
  }
});
