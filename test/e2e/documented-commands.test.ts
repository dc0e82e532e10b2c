/** Runs every documented command, except those listed with a reason. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashSync } from 'bcryptjs';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { newAuthority } from '../certificates.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { codeBlocks, MANY_SERVERS, PAGES, ROOT, readPage, section, shellCommands } from '../markdown.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

interface Runnable {
  readonly pattern: RegExp;
  /** Runs until it is stopped; otherwise it must exit with 0. */
  readonly serves?: boolean;
  /** A program that not every machine has. */
  readonly needs?: 'promtool';
}

/** The first match counts. */
const RUNNABLE: readonly Runnable[] = [
  { pattern: /^curl .*\b(localhost:10434|EXPORTER)\// },
  { pattern: /^(npm start -s --|node dist\/main\.js|ollama-exporter) .*--(once|config\.check)\b/ },
  {
    pattern: /^(npm ci && npm start|node dist\/main\.js|ollama-exporter)\b/,
    serves: true,
  },
  { pattern: /^promtool check rules /, needs: 'promtool' },
  { pattern: /^grep -rn EDIT deploy\/kubernetes$/ },
];

const EXCLUDED: ReadonlyArray<readonly [pattern: RegExp, reason: string]> = [
  [
    /^((npm ci && )?npm test|npx vitest|npm run (check|coverage|dashboard|prometheus-rule|test:(image|matrix|ollama)))\b/,
    'is the test run',
  ],
  [/^npm ci( && npm run build)?$/, 'was run before the tests'],
  [/^npm run (dev|format|screenshots)\b/, 'writes into the clone'],
  [/^npm run (bench|soak)\b/, 'takes minutes; a minute of the soak is a test of its own'],
  [
    /^(sudo|docker|podman|kubectl|helm|systemctl|journalctl|git clone|npm install -g|npm publish)\b/,
    'needs Docker, a cluster, root, systemd, or the network',
  ],
  [
    /^(nvidia-smi|ps|ollama (ps|show)|free|curl http:\/\/127\.0\.0\.1:PORT)\b/,
    'needs a GPU, Linux, or an Ollama with a model loaded',
  ],
  [/^gh attestation\b/, 'needs a published release'],
  [/^curl .*\blocalhost:1[01]435\//, 'needs a proxy in front of an Ollama'],
  [/^npm pack\b/, 'is a test of its own, which installs the package'],
  [/^(launchctl|command -v node|echo "\$\(npm root -g\))/, 'is for macOS'],
  [/^(cd|export)\b/, 'goes with the commands around it, which need Docker or root'],
];

const SHOWN = PAGES.flatMap(shellCommands);
const isExcluded = (command: string) => EXCLUDED.some(([pattern]) => pattern.test(command));
const runnableFor = (command: string) => RUNNABLE.find(({ pattern }) => pattern.test(command));

test('every documented command is classified as runnable or not', () => {
  const unknown = SHOWN.filter(({ command }) => !isExcluded(command) && runnableFor(command) === undefined);
  expect(unknown).toEqual([]);
});

test('every entry of the tables matches a documented command', () => {
  const used = SHOWN.flatMap(({ command }) => runnableFor(command)?.pattern ?? []);
  expect(RUNNABLE.filter(({ pattern }) => !used.includes(pattern))).toEqual([]);
  expect(EXCLUDED.filter(([pattern]) => !SHOWN.some(({ command }) => pattern.test(command)))).toEqual([]);
});

test('all command blocks are marked as sh', () => {
  const others = PAGES.filter((page) =>
    /^\s*```(bash|shell|console|zsh|shellsession)\b/m.test(readPage(page)),
  );
  expect(others).toEqual([]);
});

const promtool = inject('prometheus')?.['promtool'];
const runnable = SHOWN.filter(({ command }) => !isExcluded(command)).flatMap(({ where, command }) => {
  const how = runnableFor(command);
  return how === undefined || (how.needs && promtool === undefined) ? [] : [{ where, command, ...how }];
});

describe('runs:', () => {
  /** Like a built clone, with the files of the examples. */
  const clone = mkdtempSync(join(tmpdir(), 'documented-'));
  let ollama: FakeOllama;
  let exporter: RunningExporter;

  beforeAll(async () => {
    for (const name of ['package.json', 'deploy', 'dist', 'prometheus']) {
      symlinkSync(fileURLToPath(new URL(name, ROOT)), join(clone, name));
    }
    mkdirSync(join(clone, 'bin'));
    symlinkSync(fileURLToPath(new URL('dist/main.js', ROOT)), join(clone, 'bin/ollama-exporter'));
    const authority = await newAuthority();
    const { cert, key } = await authority.issue();
    const fleet = readPage('docs/fleet.md');
    const [modules = ''] = codeBlocks(section(fleet, MANY_SERVERS), 'yaml');
    const [web = ''] = codeBlocks(section(readPage('docs/tls.md'), 'The web configuration file'), 'yaml');
    const files = {
      'ollama.yml': modules,
      'web.yml': web.replace('$2y$10$…', hashSync('x', 4)),
      'ca.pem': authority.cert,
      'exporter.pem': cert,
      'exporter.key': key,
      'loopback.yml': 'modules: { default: { allow: ["127.0.0.0/8"] } }',
      '.curlrc': 'fail\nshow-error\nsilent\n',
    };
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(clone, name), content);
    }
    ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
    exporter = await startExporterProcess(['--demo', `--config.file=${join(clone, 'loopback.yml')}`]);
  });

  afterAll(async () => {
    await ollama?.close();
    rmSync(clone, { recursive: true });
  });

  test.each(runnable)('$where: $command', async ({ command, serves }) => {
    const here = command
      .replace('npm ci && ', '')
      .replace('npx ollama-exporter', 'ollama-exporter')
      .replaceAll(/localhost:10434|EXPORTER/g, exporter.url.host)
      .replaceAll('INSTANCE', ollama.url.host)
      .replaceAll('gpu-07:11434', ollama.url.host);
    const programs = [
      join(clone, 'bin'),
      dirname(process.execPath),
      ...(promtool ? [dirname(promtool)] : []),
    ];
    const env = {
      ...process.env,
      PATH: [...programs, process.env['PATH']].join(delimiter),
      CURL_HOME: clone,
      OLLAMA_HOST: ollama.url.host,
      // npm start would rebuild dist/ while other tests use it.
      npm_config_ignore_scripts: 'true',
      OLLAMA_EXPORTER_WEB_LISTEN_ADDRESS: '127.0.0.1:0',
    };
    // In its own process group, as npm does not forward signals.
    const child = spawn('sh', ['-c', here], { cwd: clone, env, detached: true });
    const closed = once(child, 'close');
    const end = (signal: NodeJS.Signals) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, signal);
      }
    };
    onTestFinished(() => end('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    if (serves) {
      const listens = expect.poll(() => output, { timeout: 20_000 }).toContain('msg=Listening');
      await Promise.race([listens, closed.then(() => expect(output).toContain('msg=Listening'))]);
      end('SIGTERM');
      await closed;
    } else {
      expect(await closed, output).toEqual([0, null]);
    }
  });
});
