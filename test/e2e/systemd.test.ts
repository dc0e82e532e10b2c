/** The systemd unit checked with systemd's own tools, if installed, and its commands run as by systemd. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { environmentName, OPTIONS } from '../../src/config/options.ts';
import { commandOf, environmentFile, UNIT } from '../systemd.ts';
import { startExporterProcess } from './exporter-process.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const WITHOUT =
  spawnSync('systemd-analyze', ['--version']).error === undefined ? '' : ', skipped: it is not on PATH';

const folder = mkdtempSync(join(tmpdir(), 'systemd-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * With the program of this checkout instead of the one that npm installs.
 *
 * @param dropIns enabled drop-ins
 */
function analyze(args: readonly string[], dropIns: readonly string[] = []) {
  const copy = join(mkdtempSync(join(folder, 'unit-')), 'ollama-exporter.service');
  const unit = readFileSync(UNIT, 'utf8').replace(/^ExecStart=\S+/m, `ExecStart=${MAIN}`);
  writeFileSync(copy, unit);
  mkdirSync(`${copy}.d`);
  for (const name of dropIns) {
    copyFileSync(new URL(name, UNIT), join(`${copy}.d`, name));
  }
  return spawnSync('systemd-analyze', [...args, copy], { encoding: 'utf8' });
}

describe.skipIf(WITHOUT !== '')(`systemd-analyze${WITHOUT}`, () => {
  test.each([
    ['the unit', []],
    ['its drop-in for runners', ['runners.conf']],
  ])('accepts %s', (_, dropIns) => {
    // Without other units, whose problems on this machine are not relevant.
    const verified = analyze(['verify', '--recursive-errors=no'], dropIns);
    expect(verified).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('reports an exposure below 2.0, with the drop-in for runners too', () => {
    // In tenths: 1.5 with systemd 252, 1.8 with the drop-in. The remaining exposure is the network, and V8's JIT.
    const security = ['security', '--offline=true', '--threshold=19'];
    expect(analyze(security).status).toBe(0);
    expect(analyze(security, ['runners.conf']).status).toBe(0);
  });
});

/** The suggestions of the environment file, with files of the test, and a systemd that waits. */
function environment(): Record<string, string> {
  const etc = '/etc/ollama-exporter';
  writeFileSync(join(folder, 'ollama.yml'), 'modules: { default: { allow: [localhost] } }\n');
  writeFileSync(join(folder, 'web.yml'), '');
  writeFileSync(join(folder, 'proxy-web.yml'), '');
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" > ${folder}/notified\n`, {
    mode: 0o755,
  });
  const files = Object.entries(environmentFile().suggested).map(([name, value]) => [
    name,
    value.replace(etc, folder),
  ]);
  return {
    ...Object.fromEntries(files),
    // There is no socket unit.
    [environmentName(OPTIONS.systemdSocket)]: 'false',
    // Any free port, as for the exporter itself.
    OLLAMA_EXPORTER_PROXY_LISTEN_ADDRESS: '127.0.0.1:0',
    // The test reads the address from the log.
    OLLAMA_EXPORTER_LOG_LEVEL: 'info',
    OLLAMA_EXPORTER_LOG_FORMAT: 'logfmt',
    PATH: `${folder}:${process.env['PATH']}`,
    NOTIFY_SOCKET: '/run/systemd/notify',
  };
}

function reload(env: Readonly<Record<string, string>>, pid: number | undefined): void {
  const [program = '', ...args] = commandOf('ExecReload');
  execFileSync(program, args, { env: { ...env, MAINPID: String(pid) } });
}

async function health(url: URL): Promise<number> {
  const { statusCode, body } = await request(new URL('/-/healthy', url));
  await body.dump();
  return statusCode;
}

test('the exporter starts with all suggestions of the environment file, and notifies systemd', async () => {
  const { url } = await startExporterProcess(commandOf('ExecStart').slice(1), environment());
  expect(await health(url)).toBe(200);
  await expect.poll(() => readFileSync(join(folder, 'notified'), 'utf8')).toBe('--ready\n');
});

test('a reload of the unit reads the configuration file again', async () => {
  const env = environment();
  const { child, log } = await startExporterProcess([], env);
  reload(env, child.pid);
  await expect.poll(log, { timeout: 15_000 }).toContain('Reloaded the configuration file');
});

test('a reload of the unit without --config.file has no effect', async () => {
  const { OLLAMA_EXPORTER_CONFIG_FILE: _, ...env } = environment();
  const { url, child, log } = await startExporterProcess([], env);
  reload(env, child.pid);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(log()).not.toContain('Stopping');
  expect(await health(url)).toBe(200);
});
