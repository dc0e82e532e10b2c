/** What npm publishes: packed, looked into, and run in an empty folder without a network. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'package-'));
const env = { ...process.env, npm_config_cache: join(folder, 'cache'), npm_config_offline: 'true' };

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: ReadonlyArray<{ readonly path: string }>;
}
let packed: Packed;

beforeAll(() => {
  // Without its scripts, which would build dist/ anew while others test it.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  [packed] = JSON.parse(execFileSync('npm', args, { cwd: ROOT, env, encoding: 'utf8', stdio: 'pipe' }));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('the package holds what runs, the unit, the rules, the dashboard and the documentation', () => {
  const other = packed.files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
  const documents = other.filter((path) => /^docs\/[\w-]+\.md$/.test(path));
  expect(documents).toContain('docs/runbooks.md');
  expect(other.filter((path) => !documents.includes(path)).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'deploy/systemd/ollama-exporter.env',
    'deploy/systemd/ollama-exporter.service',
    'grafana/ollama.json',
    'package.json',
    'prometheus/alerts.yml',
    'prometheus/prometheus.yml',
    'prometheus/recording.yml',
  ]);
  const runs = packed.files.map(({ path }) => path).filter((path) => path.startsWith('dist/'));
  expect(runs.filter((path) => !/\.(js|js\.map|css)$/.test(path))).toEqual([
    'dist/REVISION',
    'dist/THIRD-PARTY-NOTICES.txt',
  ]);
  expect(packed.unpackedSize).toBeLessThan(4 * 1024 * 1024);
});

test('the package needs no other one, and carries the licences of those that it contains', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(Object.keys(manifest).filter((key) => /^(optional|peer)?dependencies$/i.test(key))).toEqual([]);
  const notices = readFileSync(join(ROOT, 'dist/THIRD-PARTY-NOTICES.txt'), 'utf8');
  const [, table = ''] = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').split('## Dependencies');
  const rows = [...table.matchAll(/^\| (`.*) \|.*\|$/gm)].map(([, cell = '']) => cell);
  const names = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(names.length).toBeGreaterThan(8);
  for (const name of names) {
    expect(notices).toMatch(
      new RegExp(`^-+\\n${name} \\d\\S* \\((MIT|ISC|Apache-2\\.0|BSD-\\d-Clause)\\)$`, 'm'),
    );
  }
});

test('npx ollama-exporter --demo works in an empty folder', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const run = ['--', 'ollama-exporter', '--demo', '--web.listen-address=127.0.0.1:0'];
  const args = ['exec', '--yes', `--package=${join(folder, packed.filename)}`, ...run];
  const child = spawn('npm', args, { cwd: empty, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => endGroup(child));
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  await expect.poll(() => log, { timeout: 60_000 }).toMatch(/msg=Listening/);
  const [, address] = /msg=Listening address=(\S+)/.exec(log) ?? [];
  const { body } = await request(`http://${address}/metrics`);
  expect(sampleValue(parseExposition(await body.text()), 'ollama_up')).toBe(1);
});

/** npm, its shell and the exporter, which holds the pipe open until its end. */
async function endGroup(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  process.kill(-(child.pid ?? 0), 'SIGTERM');
  await ended;
}
