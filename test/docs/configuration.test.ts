import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import { environmentName, OPTION_LIST, OPTIONS } from '../../src/config/options.ts';
import { readYaml } from '../../src/config/yaml.ts';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { CONFIG_FILE } from '../../src/targets/module-schema.ts';
import { ROOT, readPage, table } from '../markdown.ts';

const PAGE = readPage('docs/configuration.md');

test('the options table lists every option with its variable and default, in the order of --help', () => {
  const documented = table(PAGE, 'Options').map(([flag, variable, fallback]) => ({
    flag,
    variable,
    fallback,
  }));
  expect(documented).toEqual(
    OPTION_LIST.map((option) => ({
      flag: `--${option.flag}`,
      variable: environmentName(option),
      fallback: option.fallback,
    })),
  );
});

test.each(table(PAGE, 'Which Ollama'))('%s is parsed as %s', (text = '', url = '') => {
  expect(parseOllamaHost(text).href).toBe(new URL(url).href);
});

test.each(table(PAGE, 'Listen addresses'))('%s is a valid listen address', (text = '') => {
  expect(
    parseListenAddresses(text)
      .map((address) => address.text)
      .join(),
  ).toBe(text);
});

test('the table of keys lists every key of a module, in the order of the errors', () => {
  const keys = knownKeys('modules: { a: { wrong: key } }').flatMap((key) => [
    key,
    ...knownKeys(`modules: { a: { ${key}: { wrong: key } } }`).map((inner) => `${key}.${inner}`),
  ]);
  expect(keys.length).toBeGreaterThan(15);
  expect(table(PAGE, 'Modules').map(([key]) => key)).toEqual(keys);
});

/** The keys that the error for the key "wrong" suggests; none if any key is valid, or there are no keys. */
function knownKeys(yaml: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'configuration-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'wrong.yml');
  writeFileSync(file, yaml);
  try {
    readYaml(file, CONFIG_FILE);
    return [];
  } catch (error) {
    return /wrong: unknown key, expected one of (.*)$/m.exec(String(error))?.[1]?.split(', ') ?? [];
  }
}

test('the table of endpoints lists every public route', () => {
  const sources = readdirSync(new URL('src/server/', ROOT)).filter((name) =>
    /^app\.ts|-routes?\.ts$/.test(name),
  );
  const routes = sources.flatMap((name) => [
    ...readFileSync(new URL(`src/server/${name}`, ROOT), 'utf8').matchAll(/(?:\.get\(|url: )'(\/[^']*)'/g),
  ]);
  const paths = [...routes.map(([, path]) => path), OPTIONS.telemetryPath.fallback];
  const documented = table(PAGE, 'Endpoints').map(([path]) => path);
  expect([...documented].sort()).toEqual([...new Set(paths)].sort());
});
