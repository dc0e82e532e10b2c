import { describe, expect, test } from 'vitest';
import { type Environment, parseCommandLine, UsageError } from '../../src/config/command-line.ts';
import { type Config, environmentName, OPTION_LIST } from '../../src/config/options.ts';

function config(args: readonly string[] = [], env: Environment = {}): Config {
  const invocation = parseCommandLine(args, env, 'version text');
  if (invocation.kind !== 'run') {
    throw new Error(`printed instead: ${invocation.text}`);
  }
  return invocation.config;
}

function refusal(args: readonly string[], env: Environment = {}): string {
  try {
    config(args, env);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('not refused');
}

test('without arguments, every option has its default value', () => {
  expect(config()).toEqual({
    ollamaUrl: new URL('http://127.0.0.1:11434'),
    timeoutMs: 5_000,
    timeoutOffsetMs: 500,
    vramCapacity: undefined,
    memoryCapacity: undefined,
    collectTags: false,
    collectRunners: false,
    configFile: undefined,
    configCheck: false,
    listenAddresses: [{ host: undefined, port: 10434, text: ':10434' }],
    telemetryPath: '/metrics',
    dashboardUrl: undefined,
    webConfigFile: undefined,
    maxRequests: 40,
    systemdSocket: false,
    disableExporterMetrics: false,
    proxyListenAddresses: [],
    proxyWebConfigFile: undefined,
    proxyIncludeUsage: false,
    proxyShutdownGraceMs: 10_000,
    logLevel: 'info',
    logFormat: 'logfmt',
    once: false,
    demo: false,
  });
});

describe('an option', () => {
  const env = { OLLAMA_EXPORTER_OLLAMA_TIMEOUT: '7s' };

  test('is read from its flag, separated by a space or an equals sign', () => {
    expect(config(['--ollama.timeout', '6s']).timeoutMs).toBe(6_000);
    expect(config(['--ollama.timeout=6s']).timeoutMs).toBe(6_000);
  });

  test('is read from its environment variable', () => {
    expect(config([], env).timeoutMs).toBe(7_000);
  });

  test('is taken from the flag if both the flag and the variable are set', () => {
    expect(config(['--ollama.timeout=6s'], env).timeoutMs).toBe(6_000);
  });

  test('has the last value if the flag is repeated', () => {
    expect(config(['--ollama.timeout=6s', '--ollama.timeout=8s']).timeoutMs).toBe(8_000);
  });

  test('has its default value if the environment variable is empty', () => {
    expect(config([], { OLLAMA_EXPORTER_OLLAMA_TIMEOUT: '' }).timeoutMs).toBe(5_000);
  });

  test.each([
    [['--collector.tags'], true],
    [['--collector.tags=true'], true],
    [['--collector.tags=TRUE'], true],
    [['--collector.tags=false'], false],
    [['--no-collector.tags'], false],
    [['--collector.tags', '--no-collector.tags'], false],
    [['--no-collector.tags', '--collector.tags'], true],
    [['--collector.tags', '--once'], true],
  ])('can be boolean, as %j, and the flag overrides the environment', (args, expected) => {
    for (const value of ['', 'true', 'false']) {
      expect(config(args, { OLLAMA_EXPORTER_COLLECTOR_TAGS: value }).collectTags).toBe(expected);
    }
  });

  test.each(['info', 'INFO', 'Info'])('accepts a log level in any case: %s', (level) => {
    expect(config([`--log.level=${level}`]).logLevel).toBe('info');
    expect(config([], { OLLAMA_EXPORTER_LOG_LEVEL: level }).logLevel).toBe('info');
  });

  test.each(['json', 'JSON'])('accepts a log format in any case: %s', (format) => {
    expect(config([`--log.format=${format}`]).logFormat).toBe('json');
  });

  test.each([
    ['true', true],
    ['True', true],
    ['FALSE', false],
    ['false', false],
  ])('can be boolean in the environment: %s', (value, expected) => {
    const switched = config([], { OLLAMA_EXPORTER_WEB_DISABLE_EXPORTER_METRICS: value });
    expect(switched.disableExporterMetrics).toBe(expected);
  });

  test('accepts several values, repeated or comma-separated', () => {
    const flags = config(['--web.listen-address=:1', '--web.listen-address', '[::1]:2']);
    const variable = config([], { OLLAMA_EXPORTER_WEB_LISTEN_ADDRESS: ':1,[::1]:2' });
    expect(flags.listenAddresses.map(({ port }) => port)).toEqual([1, 2]);
    expect(variable.listenAddresses).toEqual(flags.listenAddresses);
  });
});

describe('the Ollama URL', () => {
  const env = { OLLAMA_HOST: '0.0.0.0:1', OLLAMA_EXPORTER_OLLAMA_URL: 'b:2' };

  test('is taken from OLLAMA_HOST if nothing else is set', () => {
    expect(config([], { OLLAMA_HOST: env.OLLAMA_HOST }).ollamaUrl).toEqual(new URL('http://127.0.0.1:1'));
  });

  test('is taken from OLLAMA_EXPORTER_OLLAMA_URL before OLLAMA_HOST', () => {
    expect(config([], env).ollamaUrl).toEqual(new URL('http://b:2'));
  });

  test('is taken from the flag before both variables', () => {
    expect(config(['--ollama.url=c'], env).ollamaUrl).toEqual(new URL('http://c:11434'));
  });

  test('is ignored in the environment if --demo is given', () => {
    expect(config(['--demo'], { OLLAMA_HOST: 'ftp://x' }).demo).toBe(true);
  });

  test('is taken from the flag even if the environment enables the demo', () => {
    expect(config(['--ollama.url=c'], { OLLAMA_EXPORTER_DEMO: 'true' }).ollamaUrl).toEqual(
      new URL('http://c:11434'),
    );
  });

  test.each(['none', ' None ', 'NONE'])('is undefined for %j, in the flag and in the environment', (text) => {
    expect(config([`--ollama.url=${text}`]).ollamaUrl).toBeUndefined();
    expect(config([], { OLLAMA_EXPORTER_OLLAMA_URL: text }).ollamaUrl).toBeUndefined();
  });

  test('may name a host called none if it has a port', () => {
    expect(config(['--ollama.url=none:11434']).ollamaUrl).toEqual(new URL('http://none:11434'));
  });

  test('can be combined with --no-demo', () => {
    expect(config(['--no-demo', '--ollama.url=c'])).toMatchObject({ demo: false });
  });

  test("can't be combined with --demo", () => {
    expect(refusal(['--demo', '--ollama.url=x'])).toBe(
      "--demo simulates an Ollama and can't be combined with --ollama.url",
    );
  });
});

test.each(['/', '/metrics', '/a/b.c/~d_e-f', '/m/'])('%s is a valid telemetry path', (path) => {
  expect(config([`--web.telemetry-path=${path}`]).telemetryPath).toBe(path);
});

test.each([
  ['24GiB', 25_769_803_776],
  ['24gb', 25_769_803_776],
  ['auto', 'auto'],
])('a capacity accepts %s', (text, capacity) => {
  expect(config([`--ollama.vram-capacity=${text}`]).vramCapacity).toBe(capacity);
  expect(config([`--ollama.memory-capacity=${text}`]).memoryCapacity).toBe(capacity);
});

test('a dashboard URL may have a query', () => {
  const url = 'https://grafana.example.org/d/ollama?orgId=1&var-instance=gpu-07';
  expect(config([`--web.dashboard-url=${url}`]).dashboardUrl).toEqual(new URL(url));
  expect(config([], { OLLAMA_EXPORTER_WEB_DASHBOARD_URL: url }).dashboardUrl?.href).toBe(url);
});

describe('a usage error is one line that names the option and the value:', () => {
  test.each([
    [
      ['--ollama.timeout=5'],
      {},
      'invalid value "5" for --ollama.timeout: expected a duration such as 500ms, 5s or 1m30s',
    ],
    [
      ['--timeout-offset=-1'],
      {},
      'invalid value "-1" for --timeout-offset: expected a number of seconds such as 0.5',
    ],
    [
      [],
      { OLLAMA_HOST: 'ftp://x' },
      'invalid value "ftp://x" for OLLAMA_HOST: scheme "ftp" is not supported',
    ],
    [
      [],
      { OLLAMA_EXPORTER_ONCE: 'yes' },
      'invalid value "yes" for OLLAMA_EXPORTER_ONCE: expected one of true, false',
    ],
    [
      ['--log.level=trace'],
      {},
      'invalid value "trace" for --log.level: expected one of debug, info, warn, error',
    ],
    [
      ['--ollama.vram-capacity=24'],
      {},
      'invalid value "24" for --ollama.vram-capacity: 24 is 24 bytes: did you mean 24GiB?',
    ],
    [
      [],
      { OLLAMA_EXPORTER_OLLAMA_MEMORY_CAPACITY: '64MB/s' },
      'invalid value "64MB/s" for OLLAMA_EXPORTER_OLLAMA_MEMORY_CAPACITY: expected an amount of memory',
    ],
    [['--log.format=xml'], {}, 'invalid value "xml" for --log.format: expected one of logfmt, json'],
    [
      ['--web.listen-address=99999'],
      {},
      'invalid value "99999" for --web.listen-address: expected an address',
    ],
    [
      ['--web.telemetry-path=metrics'],
      {},
      'invalid value "metrics" for --web.telemetry-path: expected a path',
    ],
    [['--web.telemetry-path=/-/healthy'], {}, 'invalid value "/-/healthy" for --web.telemetry-path'],
    [['--web.telemetry-path=/-'], {}, 'invalid value "/-" for --web.telemetry-path'],
    [['--web.telemetry-path=/probe'], {}, 'invalid value "/probe" for --web.telemetry-path'],
    [['--web.telemetry-path=/config/'], {}, 'invalid value "/config/" for --web.telemetry-path'],
    [['--web.telemetry-path=/api/fleet'], {}, 'invalid value "/api/fleet" for --web.telemetry-path'],
    [['--web.telemetry-path=/api/status'], {}, 'invalid value "/api/status" for --web.telemetry-path'],
    [
      ['--web.dashboard-url=grafana/d/ollama'],
      {},
      'invalid value "grafana/d/ollama" for --web.dashboard-url: expected a URL such as https://',
    ],
    [['--web.dashboard-url=javascript:alert(1)'], {}, 'for --web.dashboard-url: expected a URL such as'],
    [
      ['--web.dashboard-url=https://admin:hunter2@grafana'],
      {},
      'invalid value "<secret>" for --web.dashboard-url: expected a URL without user and password',
    ],
    [
      ['--web.max-requests=-1'],
      {},
      'invalid value "-1" for --web.max-requests: expected a whole number such as 40',
    ],
    [['--web.telemetry-path=/../x'], {}, 'invalid value "/../x" for --web.telemetry-path'],
    [['--web.telemetry-path=/a//x'], {}, 'invalid value "/a//x" for --web.telemetry-path'],
    [['--web.telemetry-path=/:x'], {}, 'invalid value "/:x" for --web.telemetry-path'],
    [
      ['--web.listen-addres=:1'],
      {},
      "unknown option '--web.listen-addres' (Did you mean --web.listen-address?)",
    ],
    [['--nothing'], {}, "unknown option '--nothing'"],
    [['--ollama.url'], {}, "option '--ollama.url <url>' argument missing"],
    [['stray'], {}, 'unexpected argument "stray"'],
    [['--once=x'], {}, '--once takes no value, or =true or =false'],
    [['--once='], {}, '--once takes no value, or =true or =false'],
    [['--once', 'x'], {}, '--once takes no value, or =true or =false'],
    [['--no-once=x'], {}, '--no-once takes no value'],
    [['--no-ollama.url'], {}, "unknown option '--no-ollama.url'"],
    [['--no-nothing=x'], {}, "unknown option '--no-nothing'"],
  ])('%j %j', (args, env, start) => {
    const message = refusal(args, env);
    expect(message).toContain(start);
    expect(message).not.toContain('\n');
  });

  test.each([
    'http://user:hunter2@host',
    'user:hunter2@host',
    'http://user:hunt/er2@x/hunter2@y',
    'http://user:hunt://er2@x',
    'u:hunt\ner2@x',
    'hunter2@',
  ])('the password in %s is not repeated in the error', (url) => {
    expect(refusal([`--ollama.url=${url}`])).not.toMatch(/hunt/);
  });
});

test.each([
  '--ollama.ulr=http://user:hunter2@x',
  '--demo=hunter2',
  '--no-demo=hunter2',
  '--no-nothing=hunter2',
  'http://user:hunter2@x',
  '--ollama.url=http://x/?token=hunter2',
])('the secret in %s is not repeated in the error', (arg) => {
  expect(refusal([arg])).not.toContain('hunter2');
});

test('--help lists every option with its default value', () => {
  const invocation = parseCommandLine(['--help'], {}, '');
  const text = invocation.kind === 'print' ? invocation.text : '';
  const unwrapped = text.replaceAll(/\s+/g, ' ');
  for (const { flag, fallback, placeholder } of OPTION_LIST) {
    expect(unwrapped).toContain(placeholder ? `--${flag} <${placeholder}>` : `--[no-]${flag} `);
    expect(unwrapped).toContain(placeholder && fallback ? `(default: ${fallback})` : '');
  }
});

test('--version prints the version', () => {
  expect(parseCommandLine(['--version'], {}, 'version text')).toEqual({
    kind: 'print',
    text: 'version text\n',
  });
});

test('the environment variable of an option is its flag in upper snake case', () => {
  expect(OPTION_LIST.map(environmentName)).toContain('OLLAMA_EXPORTER_WEB_LISTEN_ADDRESS');
});
