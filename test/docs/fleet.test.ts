import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { afterAll, describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import { CONFIG_FILE } from '../../src/targets/module-schema.ts';
import { readWebConfig } from '../../src/web/web-config.ts';
import { codeBlocks, MANY_SERVERS, readPage, section } from '../markdown.ts';

const FLEET = readPage('docs/fleet.md');
const TLS = readPage('docs/tls.md');

const folder = mkdtempSync(join(tmpdir(), 'fleet-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The first YAML block under a heading, as a file. */
function exampleFile(page: string, heading: string): string {
  const [yaml = ''] = codeBlocks(section(page, heading), 'yaml');
  expect(yaml).not.toBe('');
  const file = join(folder, 'example.yml');
  // A complete password hash in the docs would be copied.
  writeFileSync(file, yaml.replace('$2y$10$…', hashSync('x', 4)));
  return file;
}

describe('the examples are valid files:', () => {
  test('the minimal modules', () => {
    const { modules } = readYaml(exampleFile(FLEET, MANY_SERVERS), CONFIG_FILE);
    expect(modules['default']?.allow).toHaveLength(2);
  });

  test('the complete modules', () => {
    const { modules } = readYaml(exampleFile(FLEET, 'The configuration file'), CONFIG_FILE);
    expect(modules['default']).toMatchObject({ timeout: 5_000, collectors: ['ps', 'version'] });
  });

  test('the web configuration', () => {
    const config = readWebConfig(exampleFile(TLS, 'The web configuration file'));
    expect(config.tls?.clientAllowedSans).toEqual(['prometheus.lan']);
    expect([...config.users.keys()]).toEqual(['prometheus']);
  });
});
