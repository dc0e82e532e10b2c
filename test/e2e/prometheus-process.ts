/** Runs a real Prometheus and a real Alertmanager, and queries them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { freePort } from '../free-port.ts';

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix seconds and values; one for an instant query. */
  readonly samples: ReadonlyArray<readonly [seconds: number, value: number]>;
}

export interface Prometheus {
  readonly url: URL;
  /** @param time Unix seconds; by default the current time */
  readonly query: (promql: string, time?: number) => Promise<readonly Series[]>;
  /** Times in Unix seconds, the step in seconds. */
  readonly queryRange: (
    promql: string,
    start: number,
    end: number,
    step: number,
  ) => Promise<readonly Series[]>;
  readonly stop: () => Promise<void>;
}

/**
 * @param files by name, including `prometheus.yml`
 * @param storage flags for the location of its samples; by default a new folder
 */
export async function startPrometheus(
  binary: string,
  files: Readonly<Record<string, string>>,
  storage: readonly string[] = ['--storage.tsdb.path=tsdb'],
): Promise<Prometheus> {
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const args = ['--config.file=prometheus.yml', '--log.level=error', ...storage];
  const stop = run(binary, [...args, `--web.listen-address=${url.host}`], files);
  return {
    url,
    query: (promql, time) => query(url, 'query', { query: promql, ...(time && { time }) }),
    queryRange: (promql, start, end, step) => query(url, 'query_range', { query: promql, start, end, step }),
    stop,
  };
}

/** A configuration that scrapes each job's target once a second. JSON is YAML. */
export function scrapeEverySecond(jobs: Readonly<Record<string, URL>>): string {
  const scrape_configs = Object.entries(jobs).map(([job_name, { host }]) => ({
    job_name,
    static_configs: [{ targets: [host] }],
  }));
  return JSON.stringify({ global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs });
}

export interface Alertmanager {
  readonly host: string;
  /** Labels and annotations of the alerts that fire now; fails until it is up. */
  readonly firing: () => Promise<readonly FiringAlert[]>;
  readonly stop: () => Promise<void>;
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** JSON is YAML. */
const WITHOUT_RECEIVER = JSON.stringify({ route: { receiver: 'none' }, receivers: [{ name: 'none' }] });

export async function startAlertmanager(binary: string, config = WITHOUT_RECEIVER): Promise<Alertmanager> {
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const args = [
    '--config.file=am.yml',
    '--storage.path=data',
    '--cluster.listen-address=',
    '--log.level=error',
  ];
  // Its templates are next to the binary, installed or not.
  const share = join(dirname(binary), '../share/prometheus/alertmanager');
  const templates = ['default.tmpl', 'email.tmpl'].map((name) => [
    name,
    readFileSync(join(share, name), 'utf8'),
  ]);
  const files = { 'am.yml': config, ...Object.fromEntries(templates) };
  const stop = run(binary, [...args, `--web.listen-address=${url.host}`], files);
  return {
    host: url.host,
    firing: async () => {
      const { body } = await request(new URL('/api/v2/alerts', url));
      return (await body.json()) as readonly FiringAlert[];
    },
    stop,
  };
}

/** @returns a function that ends the process and removes its folder */
function run(
  binary: string,
  args: readonly string[],
  files: Readonly<Record<string, string>>,
): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
  }
  const child = spawn(binary, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  return async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}

interface QueryResult {
  readonly data: {
    readonly result: ReadonlyArray<{
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: ReadonlyArray<readonly [number, string]>;
    }>;
  };
}

/** No series until Prometheus is up. */
async function query(
  base: URL,
  kind: 'query' | 'query_range',
  parameters: Readonly<Record<string, string | number>>,
): Promise<readonly Series[]> {
  const url = new URL(`/api/v1/${kind}`, base);
  for (const [name, value] of Object.entries(parameters)) {
    url.searchParams.set(name, String(value));
  }
  const response = await request(url).catch(() => undefined);
  if (response?.statusCode !== 200) {
    await response?.body.dump();
    return [];
  }
  const { data } = (await response.body.json()) as QueryResult;
  return data.result.map(({ metric, value, values = [] }) => ({
    labels: metric,
    samples: (value ? [value] : values).map(([seconds, text]) => [
      seconds,
      Number(text.replace('Inf', 'Infinity')),
    ]),
  }));
}
