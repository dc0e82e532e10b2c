import { mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';
import { json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { runExporter, startExporterProcess } from './exporter-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'ollama.yml');
const web = join(folder, 'web.yml');

const GOOD = 'modules: { default: { allow: ["127.0.0.0/8"], vram_capacity: 24GiB } }';
const BAD = 'modules:\n  default:\n    alow: []\n';

async function metrics(url: URL) {
  return parseExposition(await (await request(new URL('/metrics', url))).body.text());
}

describe('--config.check', () => {
  test('exits with 0 for valid files, and reports them as valid', async () => {
    writeFileSync(file, GOOD);
    writeFileSync(web, '');
    expect(
      await runExporter(['--config.check', `--config.file=${file}`, `--web.config.file=${web}`]),
    ).toEqual({
      code: 0,
      stdout: `${file}: valid\n${web}: valid\n`,
      stderr: '',
    });
  });

  test('exits with 0 and a warning if clients can choose where credentials are sent', async () => {
    writeFileSync(
      file,
      'modules: { blue: { allow: ["10.20.0.0/16", "https://a.lan:443"], authorization: { credentials: t } } }',
    );
    expect(await runExporter(['--config.check', `--config.file=${file}`])).toEqual({
      code: 0,
      stdout: `${file}: warning: modules.blue: clients of /probe choose the port or scheme that the credentials go to, by entries of "allow" without one: 10.20.0.0/16. Write them like https://10.20.0.0/16:443\n${file}: valid\n`,
      stderr: '',
    });
  });

  test.each([
    [
      BAD,
      '',
      /^ollama-exporter: .*ollama.yml:3: modules.default.alow: unknown key, expected one of allow, .*\n$/,
    ],
    [GOOD, 'users: {}', /^ollama-exporter: .*web.yml:1: users: unknown key, expected one of .*\n$/],
    ['', '', /^ollama-exporter: .*ollama.yml:1: modules: "modules" is missing\n$/],
  ])('exits with 1 for an invalid file, with one line on stderr', async (config, webConfig, line) => {
    writeFileSync(file, config);
    writeFileSync(web, webConfig);
    const checked = await runExporter([
      '--config.check',
      `--config.file=${file}`,
      `--web.config.file=${web}`,
    ]);
    expect(checked).toMatchObject({ code: 1, stderr: expect.stringMatching(line) });
  });

  test('requires a file', async () => {
    expect(await runExporter(['--config.check'])).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'ollama-exporter: --config.check requires --config.file, --web.config.file or --proxy.web.config.file\n',
    });
  });
});

test.each(['--config.file', '--web.config.file'])(
  'the exporter does not start with an invalid %s',
  async (option) => {
    writeFileSync(file, BAD);
    const { code, stderr } = await runExporter([`${option}=${file}`, '--demo', '--log.level=error']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^time=\S+ level=ERROR msg=Exiting err=".*ollama.yml:\d: .*unknown key.*"\n$/);
  },
);

test('--once uses the module default', async () => {
  writeFileSync(file, GOOD);
  const { code, stdout } = await runExporter(['--once', '--demo', `--config.file=${file}`]);
  expect(code).toBe(0);
  expect(sampleValue(parseExposition(stdout), 'ollama_vram_capacity_bytes')).toBe(24 * 1024 ** 3);
});

test('SIGHUP reloads the file, and the metrics show the result', async () => {
  writeFileSync(file, GOOD);
  const { url, child, log, finished } = await startExporterProcess(['--demo', `--config.file=${file}`]);
  const before = await metrics(url);
  expect(sampleValue(before, 'ollama_exporter_config_last_reload_successful')).toBe(1);
  const readAt = sampleValue(before, 'ollama_exporter_config_last_reload_success_timestamp_seconds') ?? 0;
  expect(Math.abs(Date.now() / 1_000 - readAt)).toBeLessThan(60);

  writeFileSync(file, BAD);
  child.kill('SIGHUP');
  await expect.poll(log, { timeout: 15_000 }).toContain('Could not reload the configuration file');
  const kept = await metrics(url);
  expect(sampleValue(kept, 'ollama_exporter_config_last_reload_successful')).toBe(0);
  expect(sampleValue(kept, 'ollama_exporter_config_last_reload_success_timestamp_seconds')).toBe(readAt);
  expect(sampleValue(kept, 'ollama_vram_capacity_bytes')).toBe(24 * 1024 ** 3);

  writeFileSync(file, GOOD.replace('24GiB', '48GiB'));
  child.kill('SIGHUP');
  await expect.poll(log, { timeout: 15_000 }).toContain('Reloaded the configuration file');
  const reloaded = await metrics(url);
  expect(sampleValue(reloaded, 'ollama_exporter_config_last_reload_successful')).toBe(1);
  expect(sampleValue(reloaded, 'ollama_vram_capacity_bytes')).toBe(48 * 1024 ** 3);
  child.kill('SIGTERM');
  expect((await finished).code).toBe(0);
});

test('SIGHUP during startup does not stop the exporter, and reloads the file', async () => {
  writeFileSync(file, GOOD);
  const started = join(folder, 'started');
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\ntouch ${started}\nsleep 1\necho 24576\n`, {
    mode: 0o755,
  });
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  const starting = startExporterProcess(
    ['--demo', `--config.file=${file}`, '--ollama.memory-capacity=64GiB', '--ollama.vram-capacity=auto'],
    env,
    (child) => {
      const watcher = watch(folder, (_event, name) => {
        if (name === 'started') {
          watcher.close();
          child.kill('SIGHUP');
        }
      });
    },
  );
  const { log } = await starting;
  await expect.poll(log, { timeout: 15_000 }).toContain('Reloaded the configuration file');
});

describe('a failed --ollama.vram-capacity=auto', () => {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  const auto = '--ollama.vram-capacity=auto';
  writeFileSync(join(bin, 'nvidia-smi'), '#!/bin/sh\necho "Driver/library version mismatch"\nexit 18\n', {
    mode: 0o755,
  });

  test('does not prevent startup or shutdown, and causes one warning and a metric', async () => {
    const { url, log, child, finished } = await startExporterProcess(['--demo', auto], env);
    const exposition = await metrics(url);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(exposition.has('ollama_vram_capacity_bytes')).toBe(false);
    expect(exposition.get('ollama_exporter_capacity_detected')?.samples).toEqual([
      { labels: { resource: 'vram' }, value: 0 },
    ]);
    child.kill('SIGTERM');
    expect((await finished).code).toBe(0);
    const warnings = log()
      .split('\n')
      .filter((line) => line.includes('capacity of this machine'));
    expect(warnings).toEqual([
      expect.stringMatching(/level=WARN .* err=".*Driver\/library version mismatch"/),
    ]);
  });

  test('has no metric with --web.disable-exporter-metrics', async () => {
    const { url } = await startExporterProcess(['--demo', auto, '--web.disable-exporter-metrics'], env);
    expect((await metrics(url)).has('ollama_exporter_capacity_detected')).toBe(false);
  });

  test('is tried once by --once, which prints the other metrics', async () => {
    const { code, stdout, stderr } = await runExporter(['--once', '--demo', auto], env);
    expect({ code, tries: stderr.split('capacity of this machine').length - 1 }).toEqual({
      code: 0,
      tries: 1,
    });
    expect(sampleValue(parseExposition(stdout), 'ollama_up')).toBe(1);
  });
});

test('--ollama.memory-capacity=auto is in the metrics and in the first log line', async () => {
  const { url, log } = await startExporterProcess(['--demo', '--ollama.memory-capacity=auto']);
  const exposition = await metrics(url);
  const bytes = sampleValue(exposition, 'ollama_memory_capacity_bytes');
  expect(log()).toContain(`memory_capacity_bytes=${bytes}`);
  expect(sampleValue(exposition, 'ollama_exporter_capacity_detected', { resource: 'memory' })).toBe(1);
});

test('SIGHUP without --config.file shuts down gracefully, and there are no reload metrics', async () => {
  const { url, child, finished } = await startExporterProcess(['--demo']);
  expect((await metrics(url)).has('ollama_exporter_config_last_reload_successful')).toBe(false);
  child.kill('SIGHUP');
  expect((await finished).code).toBe(0);
});

describe('the warning about missing TLS and authentication', () => {
  const warning = 'Listening without TLS or authentication';

  test('is logged once if the exporter listens on more than loopback', async () => {
    const { log, child, finished } = await startExporterProcess(['--demo', '--web.listen-address=:0']);
    await expect.poll(log, { timeout: 15_000 }).toContain(warning);
    child.kill('SIGTERM');
    await finished;
    expect(log().split(warning)).toHaveLength(2);
  });

  test('is not logged on loopback, or with a web configuration file', async () => {
    writeFileSync(web, '');
    for (const args of [
      ['--web.listen-address=127.0.0.1:0'],
      ['--web.listen-address=:0', `--web.config.file=${web}`],
    ]) {
      const { url, log } = await startExporterProcess(['--demo', ...args]);
      await metrics(new URL(`http://127.0.0.1:${url.port}`));
      expect(log()).not.toContain(warning);
    }
  });
});

test('--web.max-requests limits scrapes of the telemetry path and the page', async () => {
  const ollama = await startFakeOllama({ ps: () => {}, version: json(VERSION_BODY) });
  onTestFinished(() => ollama.close());
  writeFileSync(file, GOOD);
  const { url, child, finished } = await startExporterProcess([
    '--web.max-requests=1',
    `--ollama.url=${ollama.url.href}`,
    `--config.file=${file}`,
  ]);
  const started = new Promise((resolve) => ollama.server.once('request', resolve));
  const first = metrics(url);
  await started;
  const { statusCode, body } = await request(new URL('/api/status?target=127.0.0.1:1', url));
  expect(statusCode).toBe(503);
  expect(await body.text()).toBe(
    'Limit of concurrent requests reached (--web.max-requests=1), try again later.\n',
  );
  child.kill('SIGTERM');
  await first;
  await finished;
});
