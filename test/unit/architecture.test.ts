import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** A file may import what stands in a line below its own; within a line, only in the order given. */
const LAYERS: ReadonlyArray<readonly string[]> = [
  ['main.ts', 'health-check.ts'],
  ['config-check.ts', 'front-door.ts', 'runtime.ts', 'readiness.ts', 'health.ts'],
  ['command-line.ts', 'options.ts', 'option-values.ts'],
  [
    'exporter.ts',
    'server.ts',
    'gzip.ts',
    'status-routes.ts',
    'config-routes.ts',
    'probe-route.ts',
    'metrics-route.ts',
    'refusal-log.ts',
    'debug-report.ts',
    'hidden-secrets.ts',
  ],
  ['scrape-request.ts', 'shared-readings.ts', 'targets.ts'],
  [
    'availability-log.ts',
    'exposition.ts',
    'metrics.ts',
    'samples.ts',
    'self-metrics.ts',
    'process-figures.ts',
    'text-format.ts',
    'labels.ts',
  ],
  ['page/status-page.ts', 'page/assets.ts', 'page/model-table.ts', 'page/bar.ts'],
  ['status.ts', 'remedies.ts', 'page/ps-words.ts', 'page/live.js', 'page/until.js', 'html.ts'],
  [
    'probe/running-config.ts',
    'probe/config-file.ts',
    'probe/module.ts',
    'probe/module-schema.ts',
    'probe/allow-list.ts',
    'probe/address-ranges.ts',
    'probe/target-connections.ts',
  ],
  ['scrape.ts', 'capacity.ts'],
  [
    'demo/server.ts',
    'demo/simulation.ts',
    'demo/workload.ts',
    'demo/api.ts',
    'demo/scheduler.ts',
    'demo/catalog.ts',
  ],
  [
    'ollama/client.ts',
    'ollama/connections.ts',
    'ollama/idle-clients.ts',
    'ollama/exchange.ts',
    'ollama/connector.ts',
    'ollama/parsers.ts',
    'ollama/running-models.ts',
    'ollama/installed-models.ts',
    'ollama/model-rows.ts',
    'ollama/server-clock.ts',
    'ollama/expiry.ts',
    'ollama/timestamp.ts',
    'ollama/json.ts',
    'ollama/api-error.ts',
    'ollama/host.ts',
  ],
  [
    'web/door.ts',
    'web/guard.ts',
    'web/tls-server.ts',
    'web/settings.ts',
    'web/sighting.ts',
    'web/tls-options.ts',
    'web/client-certificates.ts',
    'web/subject-alt-names.ts',
    'web/ip-address.ts',
    'web/users.ts',
    'web/credentials.ts',
    'web/turns.ts',
    'web/bcrypt-thread.ts',
    'web/bcrypt-worker.ts',
    'web/web-config.ts',
    'web/tls-config.ts',
    'web/tls-names.ts',
    'web/response-headers.ts',
    'web/password-hash.ts',
    'web/rate-limit.ts',
  ],
  [
    'log.ts',
    'log-options.ts',
    'logfmt.ts',
    'deadline.ts',
    'cancellation.ts',
    'scrape-limit.ts',
    'request-error.ts',
    'query.ts',
    'listen-address.ts',
    'go-duration.ts',
    'byte-size.ts',
    'build-info.ts',
    'strict-yaml.ts',
    'certificate-authorities.ts',
    'regular-file.ts',
    'error-text.ts',
    'content-type.ts',
    'remembering-last.ts',
  ],
];

const order = LAYERS.flat();
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[jt]s$/.test(name));

function sourceOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8');
}

function importsOf(file: string): readonly string[] {
  return [...sourceOf(file).matchAll(/(?:from |import\()'(\.[^']+)'/g)].map(([, path]) =>
    relative(SRC, join(SRC, dirname(file), path ?? '')),
  );
}

test('every file has its layer', () => {
  expect([...files].sort()).toEqual([...order].sort());
});

describe.each(files)('%s', (file) => {
  test('imports downwards only', () => {
    for (const imported of importsOf(file)) {
      expect(order.indexOf(imported), imported).toBeGreaterThan(order.indexOf(file));
    }
  });

  test('opens with a sentence that says what it is for, and stays below 200 lines', () => {
    const source = sourceOf(file).replace(/^#!.*\n/, '');
    expect(source).toMatch(/^\/\*\* [A-Z][^\n]*\. ?[^\n]*\*\/\n/);
    expect(source.split('\n').length).toBeLessThanOrEqual(200);
  });
});

test('only the programs touch the process: its arguments, environment, streams, signals and exit', () => {
  const touching = files.filter((file) =>
    /process\.(argv|env|stdout|stderr|exit|on\b|once\b|kill)/.test(sourceOf(file)),
  );
  expect(touching.sort()).toEqual(['health-check.ts', 'main.ts']);
});

test('the simulated Ollama, the client and the door know nothing of each other, nor of the exporter', () => {
  const shared = [
    'strict-yaml.ts',
    'go-duration.ts',
    'certificate-authorities.ts',
    'regular-file.ts',
    'error-text.ts',
  ];
  const rooms = files.filter((file) => /^(ollama|demo|web)\//.test(file));
  expect(rooms.length).toBeGreaterThan(30);
  for (const file of rooms) {
    const known = file.startsWith('web/')
      ? shared
      : ['error-text.ts', 'remembering-last.ts', 'cancellation.ts'];
    expect(
      importsOf(file).filter((imported) => dirname(imported) !== dirname(file) && !known.includes(imported)),
      file,
    ).toEqual([]);
  }
});
