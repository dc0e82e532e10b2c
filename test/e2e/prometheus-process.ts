/** Runs a real Prometheus with a configuration of the test's, and asks it questions. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix seconds and values; one for an instant query. */
  readonly samples: ReadonlyArray<readonly [seconds: number, value: number]>;
}

export interface Prometheus {
  /** @param time Unix seconds; now, if left out */
  readonly query: (promql: string, time?: number) => Promise<readonly Series[]>;
  readonly stop: () => Promise<void>;
}

/** Scrapes each job's target once a second. */
export async function startPrometheus(
  binary: string,
  jobs: Readonly<Record<string, URL>>,
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  const scrape_configs = Object.entries(jobs).map(([job_name, { host }]) => ({
    job_name,
    static_configs: [{ targets: [host] }],
  }));
  const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs };
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const child = spawn(
    binary,
    [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=tsdb',
      `--web.listen-address=${url.host}`,
      '--log.level=error',
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = once(child, 'exit');
  return {
    query: (promql, time) => query(url, promql, time),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface QueryAnswer {
  readonly data: {
    readonly result: ReadonlyArray<{
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: ReadonlyArray<readonly [number, string]>;
    }>;
  };
}

/** No series while Prometheus is not up yet. */
async function query(base: URL, promql: string, time?: number): Promise<readonly Series[]> {
  const url = new URL('/api/v1/query', base);
  url.search = new URLSearchParams({ query: promql, ...(time && { time: String(time) }) }).toString();
  const response = await request(url).catch(() => undefined);
  if (response?.statusCode !== 200) {
    await response?.body.dump();
    return [];
  }
  const { data } = (await response.body.json()) as QueryAnswer;
  return data.result.map(({ metric, value, values = [] }) => ({
    labels: metric,
    samples: (value ? [value] : values).map(([seconds, text]) => [
      seconds,
      Number(text.replace('Inf', 'Infinity')),
    ]),
  }));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
