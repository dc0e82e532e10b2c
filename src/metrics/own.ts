/** Turns the process into the exporter's own metrics, which go out on the telemetry path only. */
import type { BuildInfo } from '../config/build-info.ts';
import type { LastReload } from '../targets/modules.ts';
import { escaped, NO_LABELS } from './labels.ts';
import { maxOpenFiles, type ProcessFigures, watchProcess } from './process-figures.ts';
import { type Family, familyWriter, joinFamilies, type Text } from './text-format.ts';

/** What the process is like now. */
interface Now extends ProcessFigures {
  /** How late the event loop was, seconds. */
  readonly lag: number;
}

export interface SelfMetric extends Family {
  readonly labels?: Readonly<Record<string, string>>;
  /** undefined: it is left out. */
  readonly value: (now: Now) => number | undefined;
}

export interface SelfMetrics {
  readonly families: readonly SelfMetric[];
  /** In text format. Who asks in the same turn of the event loop gets the same. */
  readonly render: () => Promise<Text>;
}

/** @param lastReload of the configuration file; undefined where there is none */
export function createSelfMetrics(build: BuildInfo, lastReload: (() => LastReload) | undefined): SelfMetrics {
  const families = [
    buildInfo(build),
    ...processMetrics(),
    ...(lastReload === undefined ? [] : reloadMetrics(lastReload)),
  ];
  const renderers = families.map(rendererOf);
  const read = watchProcess();
  return {
    families,
    render: oncePerTurn((lag) => {
      const now = { ...read(), lag };
      return joinFamilies(renderers.map((render) => render(now)));
    }),
  };
}

/** Of five hundred scrapes that end at the same moment, each would else wait for the metrics of those before it. */
function oncePerTurn<T>(render: (lag: number) => T): () => Promise<T> {
  let next: Promise<T> | undefined;
  return () => {
    next ??= new Promise((resolve) => {
      const asked = performance.now();
      setImmediate(() => {
        next = undefined;
        resolve(render((performance.now() - asked) / 1_000));
      });
    });
    return next;
  };
}

function rendererOf(metric: SelfMetric): (now: Now) => string {
  const write = familyWriter(metric);
  const labels = labelText(metric.labels);
  return (now) => {
    const value = metric.value(now);
    return write((emit) => value !== undefined && emit(labels, value));
  };
}

function labelText(labels: SelfMetric['labels']): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? NO_LABELS : `{${pairs.join()}}`;
}

function buildInfo({ version, revision }: BuildInfo): SelfMetric {
  return {
    name: 'ollama_exporter_build_info',
    help: "A metric with a constant '1' value labeled by version and revision from which ollama-exporter was built, and the Node.js version that runs it.",
    type: 'gauge',
    labels: { version, revision, node_version: process.version },
    value: () => 1,
  };
}

type Row = readonly [name: string, help: string, value: SelfMetric['value']];

/**
 * Named as prom-client names them. Left out are three of its gauges that end in `_total`, which promlint rejects, and
 * what no one would alert on.
 */
function processMetrics(): readonly SelfMetric[] {
  const startSeconds = Math.round(Date.now() / 1_000 - process.uptime());
  const maxFiles = maxOpenFiles();
  const rows: readonly Row[] = [
    ['process_cpu_user_seconds_total', 'CPU time in user mode.', ({ cpu }) => cpu.user],
    ['process_cpu_system_seconds_total', 'CPU time in the kernel.', ({ cpu }) => cpu.system],
    ['process_cpu_seconds_total', 'CPU time in all.', ({ cpu }) => cpu.total],
    ['process_start_time_seconds', 'Unix time at which the process started.', () => startSeconds],
    ['process_resident_memory_bytes', 'Memory that the process takes.', ({ memory }) => memory.resident],
    ['process_virtual_memory_bytes', 'Address space of the process.', ({ memory }) => memory.virtual],
    ['process_heap_bytes', 'Data segment of the process.', ({ memory }) => memory.segment],
    ['process_open_fds', 'Number of open file descriptors.', ({ openFiles }) => openFiles],
    ['process_max_fds', 'Most file descriptors that may be open.', () => maxFiles],
    ['nodejs_eventloop_lag_seconds', 'How late the event loop was in this scrape.', ({ lag }) => lag],
    ...delayRows(),
    ['nodejs_heap_size_total_bytes', "Size of JavaScript's heap.", ({ heap }) => heap.total],
    ['nodejs_heap_size_used_bytes', "Used part of JavaScript's heap.", ({ heap }) => heap.used],
    ['nodejs_external_memory_bytes', "Buffers outside of JavaScript's heap.", ({ heap }) => heap.external],
  ];
  return rows.map(([name, help, value]) => ({
    name,
    help,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    value,
  }));
}

function delayRows(): readonly Row[] {
  const sampled = 'time between two samples, taken every 10 ms, of the event loop since the last scrape.';
  return [
    ['nodejs_eventloop_lag_max_seconds', `Longest ${sampled}`, ({ delay }) => delay.max],
    ['nodejs_eventloop_lag_p50_seconds', `50th percentile of the ${sampled}`, ({ delay }) => delay.p50],
    ['nodejs_eventloop_lag_p90_seconds', `90th percentile of the ${sampled}`, ({ delay }) => delay.p90],
    ['nodejs_eventloop_lag_p99_seconds', `99th percentile of the ${sampled}`, ({ delay }) => delay.p99],
  ];
}

/** Named as those of Prometheus and blackbox_exporter. */
function reloadMetrics(lastReload: () => LastReload): readonly SelfMetric[] {
  return [
    {
      name: 'ollama_exporter_config_last_reload_successful',
      help: 'Whether the configuration file was good when it was last read.',
      type: 'gauge',
      value: () => Number(lastReload().successful),
    },
    {
      name: 'ollama_exporter_config_last_reload_success_timestamp_seconds',
      help: 'Unix time at which the configuration that is in force was read.',
      type: 'gauge',
      value: () => lastReload().successSeconds,
    },
  ];
}
