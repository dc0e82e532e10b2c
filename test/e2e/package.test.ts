/** The npm package: packed, inspected, installed in an empty folder, and run. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'package-'));

interface Packed {
  readonly filename: string;
  readonly files: ReadonlyArray<{ readonly path: string }>;
}
let packed: Packed;

beforeAll(() => {
  // Without its scripts, which would rebuild dist/ while other tests use it.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  [packed] = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('the package contains the program, the units, the rules, the dashboard and the documentation', () => {
  const paths = packed.files.map(({ path }) => path);
  const documents = paths.filter((path) => /^docs\/[\w-]+\.md$/.test(path));
  const programs = paths.filter((path) => path.startsWith('dist/'));
  expect(documents).toContain('docs/runbooks.md');
  expect(programs).toEqual(expect.arrayContaining(['dist/main.js', 'dist/health-check.js', 'dist/REVISION']));
  expect(programs.filter((path) => !/\.(js|css)$|\/REVISION$/.test(path))).toEqual([]);
  expect(paths.filter((path) => ![...documents, ...programs].includes(path)).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'deploy/systemd/ollama-exporter.env',
    'deploy/systemd/ollama-exporter.service',
    'deploy/systemd/ollama-exporter.socket',
    'deploy/systemd/ollama.conf',
    'deploy/systemd/runners.conf',
    'deploy/systemd/socket.conf',
    'grafana/ollama.json',
    'package.json',
    'prometheus/alertmanager.yml',
    'prometheus/alerts.yml',
    'prometheus/prometheus.yml',
    'prometheus/recording.yml',
  ]);
});

test('CONTRIBUTING.md lists each dependency', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const [, table = ''] = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').split('## Dependencies');
  const rows = [...table.matchAll(/^\| (`.*) \|.*\|$/gm)].map(([, cell = '']) => cell);
  const names = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(names.sort()).toEqual(Object.keys(dependencies).sort());
});

test('the package runs when installed in an empty folder', () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  writeFileSync(join(empty, 'package.json'), '{}');
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', ...quietly, join(folder, packed.filename)], { cwd: empty, stdio: 'pipe' });
  const program = join(empty, 'node_modules/.bin/ollama-exporter');
  const text = execFileSync(program, ['--demo', '--once'], { encoding: 'utf8', stdio: 'pipe' });
  expect(sampleValue(parseExposition(text), 'ollama_up')).toBe(1);
});
