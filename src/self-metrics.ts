/** Turns the process into the exporter's own metrics, which go out on the telemetry path only. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BuildInfo } from './build-info.ts';
import type { LastReload } from './probe/running-config.ts';

/**
 * What is kept of prom-client's default metrics. Left out: three gauges that end in `_total`, which promlint
 * rejects; minimum, mean and deviation of the event loop's lag, which are bogus when nothing was measured between
 * two scrapes; and what no one would alert on (heap spaces, handles, requests).
 */
const KEPT: ReadonlySet<string> = new Set([
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p90_seconds',
  'nodejs_eventloop_lag_p99_seconds',
]);

/**
 * The one registry that outlives a scrape: these series belong to the process, not to Ollama.
 *
 * @param lastReload of the configuration file; undefined where there is none
 */
export function createSelfMetrics(
  { version, revision }: BuildInfo,
  lastReload: (() => LastReload) | undefined,
): Registry {
  const registry = new Registry();
  const buildInfo = new Gauge({
    name: 'ollama_exporter_build_info',
    help: "A metric with a constant '1' value labeled by version and revision from which ollama-exporter was built, and the Node.js version that runs it.",
    labelNames: ['version', 'revision', 'node_version'],
    registers: [registry],
  });
  buildInfo.set({ version, revision, node_version: process.version }, 1);
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!KEPT.has(name) && name !== 'ollama_exporter_build_info') {
      registry.removeSingleMetric(name);
    }
  }
  if (lastReload !== undefined) {
    addReloadMetrics(registry, lastReload);
  }
  return registry;
}

/** Named as those of Prometheus and blackbox_exporter. */
function addReloadMetrics(registry: Registry, lastReload: () => LastReload): void {
  new Gauge({
    name: 'ollama_exporter_config_last_reload_successful',
    help: 'Whether the configuration file was good when it was last read.',
    registers: [registry],
    collect() {
      this.set(Number(lastReload().successful));
    },
  });
  new Gauge({
    name: 'ollama_exporter_config_last_reload_success_timestamp_seconds',
    help: 'Unix time at which the configuration that is in force was read.',
    registers: [registry],
    collect() {
      this.set(lastReload().successSeconds);
    },
  });
}
