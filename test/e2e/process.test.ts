import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';
import { json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { runExporter, startExporterProcess } from './exporter-process.ts';

/** A port on loopback without a listener: it needs privileges, and its service (tcpmux) is obsolete. */
const UNREACHABLE = '127.0.0.1:1';

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family }) => family === 'IPv6'),
  );
}

describe('--once', () => {
  test('with --demo prints the metrics and exits with 0', async () => {
    const { code, stdout, stderr } = await runExporter(['--once', '--demo']);
    const exposition = parseExposition(stdout);
    expect(code).toBe(0);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(
      sampleValue(exposition, 'ollama_model_size_bytes', { model: 'nomic-embed-text:latest' }),
    ).toBeGreaterThan(0);
    expect(
      sampleValue(exposition, 'ollama_model_expires_in_seconds', { model: 'nomic-embed-text:latest' }),
    ).toBe(Number.POSITIVE_INFINITY);
    expect([...exposition.keys()].filter((name) => /^(process|nodejs|ollama_exporter)_/.test(name))).toEqual(
      [],
    );
    expect(stderr).toContain('scraping a simulated Ollama');
  });

  test('without an Ollama prints ollama_up 0, logs the reason, and exits with 1', async () => {
    const { code, stdout, stderr } = await runExporter(['--once', `--ollama.url=${UNREACHABLE}`]);
    expect(code).toBe(1);
    expect(sampleValue(parseExposition(stdout), 'ollama_up')).toBe(0);
    expect(stderr).toMatch(/level=WARN msg="Ollama is down" target=http:\/\/127.0.0.1:1\/ reason=refused/);
  });

  test('exits with 0 if Ollama is up but /api/ps fails', async () => {
    const ollama = await startFakeOllama({
      ps: (_, response) => response.writeHead(500).end(),
      version: json(VERSION_BODY),
    });
    onTestFinished(() => ollama.close());
    expect(await runExporter(['--once', `--ollama.url=${ollama.url.href}`])).toMatchObject({ code: 0 });
  });

  test('exits within its timeout if Ollama hangs', async () => {
    const ollama = await startFakeOllama({ ps: () => {}, version: () => {} });
    onTestFinished(() => ollama.close());
    const { code, stdout } = await runExporter([
      '--once',
      '--ollama.timeout=300ms',
      `--ollama.url=${ollama.url.href}`,
    ]);
    expect(code).toBe(1);
    expect(parseExposition(stdout).get('ollama_scrape_error')?.samples[0]?.labels['reason']).toBe('timeout');
  });
});

describe('the environment', () => {
  test('OLLAMA_HOST sets the Ollama to scrape', async () => {
    const ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
    onTestFinished(() => ollama.close());
    const { code, stdout } = await runExporter(['--once'], { OLLAMA_HOST: ollama.url.host });
    expect(code).toBe(0);
    expect(sampleValue(parseExposition(stdout), 'ollama_loaded_models')).toBe(0);
  });

  test('any option can be set by its variable', async () => {
    const { stderr } = await runExporter(['--once'], {
      OLLAMA_EXPORTER_OLLAMA_URL: UNREACHABLE,
      OLLAMA_EXPORTER_LOG_FORMAT: 'json',
    });
    expect(JSON.parse(stderr)).toMatchObject({ level: 'WARN', msg: 'Ollama is down', reason: 'refused' });
  });
});

describe('with --log.format=json, the last error is JSON for', () => {
  test.each([
    ['an invalid option', ['--ollama.timeout=never'], 'invalid value "never" for --ollama.timeout: '],
    ['an unknown option', ['--nothing'], "unknown option '--nothing'"],
    ['an unreadable file', ['--config.file=/nowhere.yml'], "/nowhere.yml: can't be read: ENOENT"],
    ['a file to check', ['--config.check', '--config.file=/nowhere.yml'], "/nowhere.yml: can't be read"],
    ['an address of another host', ['--demo', '--web.listen-address=192.0.2.1:1'], 'could not listen on '],
    [
      'a missing systemd socket',
      ['--web.systemd-socket'],
      '--web.systemd-socket: systemd has passed no socket',
    ],
    ['--once without an Ollama', ['--once', '--ollama.url=none'], '--once requires an Ollama'],
  ])('%s', async (_, args, err) => {
    const { code, stdout, stderr } = await runExporter(args, { OLLAMA_EXPORTER_LOG_FORMAT: 'JSON' });
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines.at(-1)).toMatchObject({ level: 'ERROR', msg: 'Exiting', err: expect.stringContaining(err) });
  });
});

describe('a usage error is one line on stderr and exit code 1:', () => {
  test.each([
    [['--ollama.timeout=never'], /^ollama-exporter: invalid value "never" for --ollama.timeout: .*\n$/],
    [
      ['--ollama.urll=x'],
      /^ollama-exporter: unknown option '--ollama.urll' \(Did you mean --ollama.url\?\)\n$/,
    ],
    [['--demo=text'], /^ollama-exporter: --demo takes no value, or =true or =false\n$/],
    [
      ['--ollama.url=http://u:secret@x'],
      /^ollama-exporter: invalid value "<secret>" for --ollama.url: .*\n$/,
    ],
  ])('%j', async (args, line) => {
    expect(await runExporter(args)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(line),
    });
  });

  test('a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { code, stderr } = await runExporter([
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
      '--demo',
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(
        `level=ERROR msg=Exiting err="could not listen on 127.0.0.1:${port} \\(--web.listen-address\\): address already in use \\(EADDRINUSE\\)"\n$`,
      ),
    );
  });
});

test('--version prints the versions of exporter and Node.js and the revision', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const { code, stdout } = await runExporter(['--version']);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^ollama-exporter, version \S+ \(revision: ([0-9a-f]{40}|unknown)\)\n {2}node: {5}v\d+/,
  );
  expect(stdout).toContain(version);
});

test('a full disk is an error on stderr, a closed pipe is not', async () => {
  const full = await runExporter(['--once', '--demo', '--log.level=error'], {}, '> /dev/full');
  expect(full).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^time=\S+ level=ERROR msg=Exiting err="could not write to stdout: ENOSPC.*\n$/,
    ),
  });
  const closed = await runExporter(['--help'], {}, '| true');
  expect(closed.stderr).toBe('');
});

test('--help is printed to stdout and exits with 0', async () => {
  const { code, stdout, stderr } = await runExporter(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('--web.listen-address');
});

describe('a running exporter', () => {
  test('listens on several addresses', async () => {
    const { log, child, finished } = await startExporterProcess([
      '--demo',
      '--web.listen-address=127.0.0.1:0',
      '--web.listen-address=:0',
    ]);
    await expect
      .poll(() => [...log().matchAll(/msg=Listening address=(\S+)/g)].length, { timeout: 15_000 })
      .toBe(2);
    const ports = [...log().matchAll(/msg=Listening address=\S+:(\d+)/g)].map(([, port]) => port);
    for (const host of [
      `127.0.0.1:${ports[0]}`,
      `127.0.0.1:${ports[1]}`,
      ...(hasIPv6() ? [`[::1]:${ports[1]}`] : []),
    ]) {
      const { statusCode, body } = await request(`http://${host}/-/healthy`);
      await body.dump();
      expect(statusCode).toBe(200);
    }
    child.kill('SIGTERM');
    expect((await finished).code).toBe(0);
  });

  test('logs state changes of Ollama, not every scrape', async () => {
    const handlers = { ps: json('{"models":[]}'), version: json(VERSION_BODY) };
    const first = await startFakeOllama(handlers);
    const { url, log } = await startExporterProcess([`--ollama.url=${first.url.href}`]);
    const scrape = async () => (await request(new URL('/metrics', url))).body.dump();
    await scrape();
    await scrape();
    await first.close();
    await scrape();
    await scrape();
    const second = await startFakeOllama(handlers, Number(first.url.port));
    onTestFinished(() => second.close());
    await scrape();
    await scrape();
    expect([...log().matchAll(/msg="(Ollama [^"]*)"/g)].map(([, message]) => message)).toEqual([
      'Ollama is up',
      'Ollama is down',
      'Ollama is up',
    ]);
  });

  test('supports --web.disable-exporter-metrics and --web.telemetry-path', async () => {
    const { url } = await startExporterProcess([
      '--demo',
      '--web.disable-exporter-metrics',
      '--web.telemetry-path=/custom/path',
    ]);
    const { statusCode, body } = await request(new URL('/custom/path', url));
    expect(statusCode).toBe(200);
    const exposition = parseExposition(await body.text());
    expect([...exposition.keys()].every((name) => /^ollama_(?!exporter)/.test(name))).toBe(true);
    const landing = await (await request(url)).body.text();
    expect(landing).toContain('href="./custom/path"');
    expect(landing).toContain('Simulated Ollama');
  });

  test('does not wake the CPU while nothing is requested', async () => {
    const { url, child } = await startExporterProcess(['--demo']);
    await (await request(new URL('/metrics', url))).body.dump();
    const wakeups = () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)?.[1]);
    };
    const before = wakeups();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(wakeups() - before).toBeLessThan(40);
  });

  test('exits with 0 on SIGTERM while nvidia-smi hangs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nvidia-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const marker = join(folder, 'marker');
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n: > ${marker}\nexec sleep 8\n`, { mode: 0o755 });
    let child: ChildProcess | undefined;
    const started = startExporterProcess(
      ['--ollama.vram-capacity=auto', `--ollama.url=${UNREACHABLE}`],
      { PATH: `${folder}:${process.env['PATH']}` },
      (spawned) => {
        child = spawned;
      },
    );
    await expect.poll(() => existsSync(marker), { timeout: 5_000 }).toBe(true);
    child?.kill('SIGTERM');
    await expect(started).rejects.toThrow('msg=Stopping signal=SIGTERM');
    expect(child?.exitCode).toBe(0);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'exits with 0 on %s within 5 s, even if Ollama hangs',
    async (signal) => {
      let onRequest = () => {};
      const underWay = new Promise<void>((resolve) => {
        onRequest = resolve;
      });
      const ollama = await startFakeOllama({ ps: () => onRequest(), version: () => {} });
      onTestFinished(() => ollama.close());
      const { url, child, finished } = await startExporterProcess([
        '--ollama.timeout=1m',
        `--ollama.url=${ollama.url.href}`,
      ]);
      const scrape = request(new URL('/metrics', url));
      await underWay;
      const start = performance.now();
      child.kill(signal);
      const { statusCode, body } = await scrape;
      expect(statusCode).toBe(200);
      expect(sampleValue(parseExposition(await body.text()), 'ollama_up')).toBe(0);
      expect((await finished).code).toBe(0);
      expect(performance.now() - start).toBeLessThan(5_000);
    },
  );
});

describe('at startup, the exporter', () => {
  const messages = (log: string) =>
    [...log.matchAll(/level=(\w+) msg=(?:"([^"]*)"|(\w+))/g)].map(([, level, quoted, word]) => [
      level,
      quoted ?? word,
    ]);

  test('logs its settings, and then that it listens', async () => {
    const { log } = await startExporterProcess(['--ollama.vram-capacity=24GiB', '--ollama.url=gpu-07']);
    expect(messages(log())).toEqual([
      ['INFO', 'Starting ollama-exporter'],
      ['INFO', 'Listening'],
    ]);
    expect(log()).toMatch(/target=http:\/\/gpu-07:11434\/ vram_capacity_bytes=25769803776\n/);
  });

  test('logs the port that a URL implies', async () => {
    const { log } = await startExporterProcess(['--ollama.url=http://gpu-07']);
    expect(log()).toContain(
      `target=http://gpu-07/ hint="port 80, as the URL has a scheme and no other port; Ollama's is 11434"`,
    );
  });

  test('logs how to set an unknown VRAM capacity, and that its alerts cannot fire', async () => {
    const { log } = await startExporterProcess([]);
    expect(log()).toContain(
      'level=INFO msg="VRAM capacity not set: alerts on VRAM cannot fire" hint="set --ollama.vram-capacity: a size such as 24GiB, or auto if the GPU is in this machine"',
    );
  });

  test('with --ollama.url=none warns only about a missing allow list', async () => {
    const { log } = await startExporterProcess(['--ollama.url=none']);
    expect(messages(log())).toEqual([
      ['INFO', 'Starting ollama-exporter'],
      ['WARN', 'Nothing to scrape: --ollama.url is none, and no module allows targets'],
      ['INFO', 'Listening'],
    ]);
  });

  test('does not log that it listens if one address fails', async () => {
    const { stderr } = await runExporter(['--demo', '--web.listen-address=127.0.0.1:0,192.0.2.1:1']);
    expect(stderr).not.toContain('msg=Listening');
  });

  test('warns about an environment variable that no option has', async () => {
    const { log } = await startExporterProcess(['--demo'], { OLLAMA_EXPORTER_LOGLEVEL: 'debug' });
    expect(log()).toContain(
      'level=WARN msg="No option has this environment variable" variable=OLLAMA_EXPORTER_LOGLEVEL hint="did you mean OLLAMA_EXPORTER_LOG_LEVEL?"',
    );
  });
});

test('an unsupported Node.js version is reported in one sentence', async () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const oldest = engines.node.replace('>=', '');
  const preload = "Object.defineProperty(process, 'versions', { value: { node: '18.20.8' } })";
  expect(
    await runExporter(['--version'], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
    }),
  ).toEqual({
    code: 1,
    stdout: '',
    stderr: `ollama-exporter needs Node.js ${oldest} or later, this is 18.20.8\n`,
  });
});

test('a burst of connections is queued while the exporter is busy, without retries', async () => {
  const { url, child } = await startExporterProcess(['--demo']);
  const connections = Math.min(1_500, Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')));
  child.kill('SIGSTOP');
  let connected = 0;
  const sockets = Array.from({ length: connections }, () =>
    connect(Number(url.port), url.hostname, () => {
      connected += 1;
    }),
  );
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  // A client whose SYN is dropped retries for minutes.
  await expect.poll(() => connected, { timeout: 15_000 }).toBe(connections);
  child.kill('SIGCONT');
});

test('a stack trace has the file names of src/, compiled', async () => {
  const preload = "process.stdout.write = () => process.stderr.write(new Error('here').stack)";
  const { stderr } = await runExporter(['--version'], {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
  });
  expect(stderr).toMatch(/at main \(.*\/dist\/cli\.js:\d+:\d+\)/);
});
