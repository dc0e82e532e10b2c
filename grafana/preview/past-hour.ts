/** A real Prometheus with an hour of scrapes of simulated servers, and the shipped rules evaluated over it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FAMILIES } from '../../src/metrics/families.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';
import { findBinaries } from '../../test/e2e/debian-binaries.ts';
import { type Prometheus, startPrometheus } from '../../test/e2e/prometheus-process.ts';
import { PROMETHEUS_FOLDER } from '../../test/rule-files.ts';
import type { Sample } from './counts.ts';
import type { Server } from './fleet.ts';
import { evaluateAlerts } from './rules.ts';

/** Seconds between scrapes, and between evaluations. */
export const STEP = 15;

/** Merges the labels of a series and of its target like Prometheus. */
export type Relabel = (series: Labels, target: Labels) => Labels;

type Labels = Readonly<Record<string, string>>;

export interface PastHour {
  readonly prometheus: Prometheus;
  readonly stop: () => Promise<void>;
}

/**
 * Staleness markers can't be imported, so the lookback must end a series at its last scrape.
 *
 * @param start Unix seconds of the first scrape
 * @param end Unix seconds of the last scrape
 */
export async function pastHour(
  servers: readonly Server[],
  start: number,
  end: number,
  relabel: Relabel = (series, target) => ({ ...target, ...series }),
): Promise<PastHour> {
  const { prometheus: binary = '', promtool = '' } = findBinaries({
    name: 'prometheus',
    binaries: ['prometheus', 'promtool'],
  });
  const folder = mkdtempSync(join(tmpdir(), 'past-hour-'));
  const tsdb = join(folder, 'tsdb');
  const fill = (...args: readonly string[]) =>
    execFileSync(promtool, ['tsdb', 'create-blocks-from', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const write = (lines: readonly string[]) => {
    const file = join(folder, 'samples.om');
    writeFileSync(file, [...lines, '# EOF\n'].join('\n'));
    fill('openmetrics', file, tsdb);
  };
  const open = () =>
    startPrometheus(binary, { 'prometheus.yml': `global: { evaluation_interval: ${STEP}s }` }, [
      `--storage.tsdb.path=${tsdb}`,
      '--storage.tsdb.retention.time=100y',
      `--query.lookback-delta=${STEP - 1}s`,
    ]);

  write(scrapes(servers, start, end, relabel));
  let prometheus = await ready(await open(), end);
  fill(
    'rules',
    `--start=${start}`,
    `--end=${end}`,
    `--eval-interval=${STEP}s`,
    `--url=${prometheus.url.href}`,
    `--output-dir=${tsdb}`,
    fileURLToPath(new URL('recording.yml', PROMETHEUS_FOLDER)),
  );
  await prometheus.stop();
  prometheus = await ready(await open(), end);
  const alerts = await evaluateAlerts(prometheus, start, end, STEP);
  await prometheus.stop();
  write(alerts.map(({ name, labels, at, value }) => line(name, labels, value, at)));
  const filled = await ready(await open(), end);
  return {
    prometheus: filled,
    stop: async () => {
      await filled.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(prometheus: Prometheus, end: number): Promise<Prometheus> {
  while ((await prometheus.query('up', end)).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return prometheus;
}

/** The scrapes as Prometheus would have stored them, as OpenMetrics with timestamps. */
function scrapes(
  servers: readonly Server[],
  start: number,
  end: number,
  relabel: Relabel,
): readonly string[] {
  const moments = Array.from({ length: (end - start) / STEP + 1 }, (_, index) => start + index * STEP);
  return moments.flatMap((at) =>
    servers.flatMap(({ job, instance, scrape, work }) => {
      const snapshot = scrape(at * 1_000);
      const { runners, proxy } = work(snapshot);
      const of = (target: Labels) => (sample: Sample) =>
        line(sample.name, relabel(sample.labels, target), sample.value, at);
      return [
        ...[...scraped(snapshot), ...runners].map(of({ job, instance })),
        ...[UP, ...proxy].map(of({ job: `${job}-proxy`, instance })),
      ];
    }),
  );
}

const UP: Sample = { name: 'up', labels: {}, value: 1 };

function scraped(snapshot: Snapshot | undefined): readonly Sample[] {
  if (snapshot === undefined) {
    return [{ ...UP, value: 0 }];
  }
  const ofOllama = FAMILIES.flatMap(({ name, samples }) =>
    samples(snapshot).map((sample) => ({ name, ...sample })),
  );
  return [UP, ...ofOllama];
}

function line(name: string, labels: Labels, value: number, at: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
  return `${name}{${pairs.join(',')}} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value} ${at}`;
}
