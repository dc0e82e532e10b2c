import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SRC = join(ROOT, 'src');

/** Top down, as in CONTRIBUTING.md: a file may import files of its own room and of rooms further down. */
const ROOMS = [
  'main.ts',
  'cli.ts',
  'health-check.ts',
  'start.ts',
  'check-files.ts',
  'proxy',
  'server',
  'metrics',
  'status',
  'web',
  'targets',
  'config',
  'machine',
  'demo',
  'runners',
  'scrape',
  'ollama',
  'log',
] as const;

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[jt]s$/.test(name));

function roomOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function sourceOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8');
}

function importsOf(file: string): readonly string[] {
  return [...sourceOf(file).matchAll(/(?:from |import\()'(\.[^']+)'/g)].map(([, path]) =>
    relative(SRC, join(SRC, dirname(file), path ?? '')),
  );
}

test('src/ contains only the programs and the rooms', () => {
  expect(readdirSync(SRC).sort()).toEqual([...ROOMS].sort());
});

test('CONTRIBUTING.md lists the same rooms in the same order', () => {
  const contributing = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const table = /^\| room \|.*\n(?:\|.*\n)+/m.exec(contributing)?.[0] ?? '';
  const rooms = table.split('\n').flatMap((row) => {
    const [first = ''] = row.split('|').slice(1);
    return [...first.matchAll(/`([^`]+?)\/?`/g)].map(([, name]) => name);
  });
  expect(rooms).toEqual(ROOMS);
});

describe.each(files)('%s', (file) => {
  test('imports only from its own room and from rooms further down', () => {
    const floors: readonly string[] = ROOMS;
    for (const imported of importsOf(file).filter((path) => roomOf(path) !== roomOf(file))) {
      expect(floors.indexOf(roomOf(imported)), imported).toBeGreaterThan(floors.indexOf(roomOf(file)));
    }
  });

  test('starts with a one-sentence description', () => {
    expect(sourceOf(file).replace(/^#!.*\n/, '')).toMatch(/^\/\*\* \S[^\n]*\. \*\/\n/);
  });
});

test('only the programs access the process: arguments, environment, streams, signals and exit', () => {
  const touching = files.filter((file) =>
    /process\.(argv|env|stdout|stderr|exit|exitCode|on\b|once\b|kill)/.test(sourceOf(file)),
  );
  expect(touching.sort()).toEqual(['cli.ts', 'health-check.ts', 'main.ts']);
});
