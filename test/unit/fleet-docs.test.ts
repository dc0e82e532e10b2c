import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { afterAll, describe, expect, test } from 'vitest';
import { CONFIG_FILE } from '../../src/probe/module-schema.ts';
import { readYaml } from '../../src/strict-yaml.ts';
import { readWebConfig } from '../../src/web/web-config.ts';

const page = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const FLEET = page('docs/fleet.md');

const folder = mkdtempSync(join(tmpdir(), 'fleet-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The first YAML block under a heading, as a file. */
function exampleFile(markdown: string, heading: string): string {
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(markdown.split(`\n${heading}\n`)[1] ?? '') ?? [];
  expect(yaml).not.toBe('');
  const file = join(folder, 'example.yml');
  // A password hash in full would be the password of many.
  writeFileSync(file, yaml.replace('$2y$10$…', hashSync('x', 4)));
  return file;
}

describe('the examples are good files:', () => {
  test('the modules of the README', () => {
    const { modules } = readYaml(exampleFile(page('README.md'), '### Many servers'), CONFIG_FILE);
    expect(modules['default']?.allow).toHaveLength(2);
  });

  test('the modules in full', () => {
    const { modules } = readYaml(exampleFile(FLEET, '## The configuration file'), CONFIG_FILE);
    expect(modules['default']).toMatchObject({ timeout: 5_000, collectors: ['ps', 'version'] });
  });

  test('the web configuration', () => {
    const config = readWebConfig(exampleFile(FLEET, '## The door'));
    expect(config.tls?.clientAllowedSans).toEqual(['prometheus.lan']);
    expect([...config.users.keys()]).toEqual(['prometheus']);
  });
});

test('the table of keys names every key that a module may have, in the order of the errors', () => {
  const file = join(folder, 'wrong.yml');
  writeFileSync(file, 'modules: { a: { wrong: key } }');
  const [, known = ''] = /expected one of (.*)$/.exec(refusal(file)) ?? [];
  const section = FLEET.split('\n| key |')[1]?.split('\n\n')[0] ?? '';
  const documented = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, keys = '']) => keys.split(', '));
  expect(documented.map((key) => key.replaceAll('`', ''))).toEqual(known.split(', '));
});

function refusal(file: string): string {
  try {
    readYaml(file, CONFIG_FILE);
  } catch (error) {
    return String(error);
  }
  throw new Error('not refused');
}
