import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, describe, expect, test } from 'vitest';
import {
  FileError,
  list,
  mapping,
  namedEntries,
  parseBoolean,
  readYaml,
  text,
} from '../../src/config/yaml.ts';

const folder = mkdtempSync(join(tmpdir(), 'strict-yaml-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.yml');

const SCHEMA = mapping({
  name: v.optional(text((word) => word)),
  on: v.optional(text(parseBoolean)),
  items: v.optional(list(text(String))),
  inner: v.optional(mapping({ must: text(String) })),
  named: v.optional(namedEntries(text(String))),
});

function read(content: string) {
  writeFileSync(file, content);
  return readYaml(file, SCHEMA);
}

function refusal(content: string): string {
  try {
    read(content);
  } catch (error) {
    expect(error).toBeInstanceOf(FileError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('not refused');
}

const LOST = 'named: the names __proto__, prototype, constructor cannot be used';

test('a scalar keeps its text as written', () => {
  for (const written of ['1.0', '0123', '0x1f', 'yes', '1e3', '2026-11-22', '"1.0"']) {
    expect(read(`name: ${written}`)).toEqual({ name: written.replaceAll('"', '') });
  }
});

test.each(['', '# nothing\n', '---\n', '{}', '~', 'name:\n', 'name: null\n', 'name: ""\n', 'inner:\n'])(
  '%j is read as an empty mapping',
  (content) => {
    expect(read(content)).toEqual({});
  },
);

test('a quoted "null" is a string', () => {
  expect(read('name: "null"')).toEqual({ name: 'null' });
});

test('an entry with a user-defined name keeps its empty value', () => {
  expect(read('named: { a: , b: x }')).toEqual({ named: { a: '', b: 'x' } });
});

test.each([
  ['true', true],
  ['Yes', true],
  ['on', true],
  ['FALSE', false],
  ['no', false],
  ['off', false],
])('%s is read as the boolean %s, as in YAML 1.1', (word, on) => {
  expect(read(`on: ${word}`)).toEqual({ on });
});

describe('rejects, with file and line,', () => {
  test.each([
    ['name: x\nnme: y', 2, 'nme: unknown key, expected one of name, on, items, inner, named'],
    ['name: x\nnme:', 2, 'nme: unknown key, expected one of name, on, items, inner, named'],
    ['inner:\n  must: x\n  mast: y\n', 3, 'inner.mast: unknown key, expected one of must'],
    ['name: x\ninner: {}', 2, 'inner.must: "must" is missing'],
    ['\n\non: maybe', 3, 'on: expected true or false'],
    ['items:\n- a\n- [b]', 3, 'items[1]: expected a single value'],
    ['items: a', 1, 'items: expected a list'],
    ['name: [a]', 1, 'name: expected a single value'],
    ['inner: [a]', 1, 'inner: expected a mapping'],
    ['named: [a]', 1, 'named: expected a mapping'],
    ['named: { __proto__: x }', 1, LOST],
    ['named: { prototype: x }', 1, LOST],
    ['named: { constructor: x }', 1, LOST],
    ['- a', 1, 'expected a mapping'],
    ['just text', 1, 'expected a mapping'],
    ['__proto__: {}', 1, '__proto__: unknown key, expected one of name, on, items, inner, named'],
    ['? [a, b]\n: c', 1, '<key>: unknown key, expected one of name, on, items, inner, named'],
  ])('%j', (content, line, problem) => {
    expect(refusal(content)).toBe(`${file}:${line}: ${problem}`);
  });

  test.each([
    ['name: x\nname: y', 2, 'Map keys must be unique'],
    ['name: x\n---\nname: y', 2, 'there is more than one document'],
    ['name: "secret', 1, 'Missing closing "quote'],
    ['name: !secret x', 1, 'Unresolved tag'],
    ['name: x\n  secret: y', 1, 'Nested mappings are not allowed'],
    ['{', 1, ''],
  ])('%j, which is not valid YAML', (content, line, problem) => {
    const message = refusal(content);
    expect(message).toContain(`${file}:${line}: ${problem}`);
    expect(message).not.toContain('secret');
    expect(message).not.toContain('\n');
  });

  test.each([
    'inner: { must:secret }',
    'inner: { secret!: x }',
    '"secret: x": y',
    'named: { "a:secret": [] }',
    'name: "\\Usecret"',
    'name: "\\xse"',
    '%secret\n---\nname: x',
    'name: *secret',
    'name: @secret',
    'name: `secret',
    'name: |secret',
    'name: [secret',
    'name: &secret *secret',
  ])('%j, without repeating a misplaced secret', (content) => {
    const message = refusal(content);
    expect(message).toMatch(/a\.yml:(\d+:)? /);
    expect(message).not.toMatch(/secret|\\xse/);
  });

  test('a directory and a named pipe', () => {
    expect(() => readYaml(folder, SCHEMA)).toThrow(/can't be read: .* is not a regular file$/);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(() => readYaml(pipe, SCHEMA)).toThrow(/can't be read: .* is not a regular file$/);
  });

  test('a file larger than 256 KiB', () => {
    expect(refusal(`name: ${'x'.repeat(256 * 1024)}`)).toMatch(/has 262150 bytes, more than 262144$/);
  });

  test('an alias without an anchor, and an alias bomb', () => {
    expect(refusal('name: *secret')).toBe(
      `${file}: Unresolved alias (the anchor must be set before the alias)`,
    );
    const level = (n: number) => `- &a${n} [${Array(9).fill(`*a${n - 1}`)}]\n`;
    const bomb = `- &a0 x\n${[1, 2, 3, 4, 5, 6, 7, 8].map(level).join('')}`;
    expect(refusal(bomb)).toBe(`${file}: Excessive alias count indicates a resource exhaustion attack`);
  });

  test('a missing file', () => {
    expect(() => readYaml(join(folder, 'none.yml'), SCHEMA)).toThrow(/none.yml: can't be read: ENOENT/);
  });
});
