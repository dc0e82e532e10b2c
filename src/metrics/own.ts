/** The registries of the exporter's own metrics, which the telemetry path adds to the metrics of Ollama. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BuildInfo } from '../config/build-info.ts';

/**
 * Default metrics of prom-client that are excluded:
 * - gauges whose names end in `_total`, which promtool's linter rejects;
 * - the event loop lag, whose calculation takes as long as that of all the others, and which every scrape resets, also
 *   for other Prometheus servers.
 */
const EXCLUDED = /^nodejs_active_.*_total$|^nodejs_eventloop_lag_/;

/** prom-client can't be told not to measure the lag. Its default of 10 ms would wake an idle process 100 times a second. */
const LAG_INTERVAL_MS = 2 ** 31 - 1;

/** Adds the metrics of one room to a registry. */
export type RegisterMetrics = (registry: Registry) => void;

/** A registry of the metrics of these rooms, without the process metrics; undefined if there are none. */
export function createRegistry(rooms: readonly RegisterMetrics[]): Registry | undefined {
  const register = new Registry();
  for (const registerMetrics of rooms) {
    registerMetrics(register);
  }
  return rooms.length === 0 ? undefined : register;
}

/**
 * Must be called only once per process: prom-client can't stop its default metrics.
 *
 * @param rooms each adds its own metrics
 */
export function createOwnRegistry(build: BuildInfo, rooms: readonly RegisterMetrics[]): Registry {
  const register = new Registry();
  const { version, revision } = build;
  new Gauge({
    name: 'ollama_exporter_build_info',
    help: "A metric with a constant '1' value labeled by version and revision from which ollama-exporter was built, and the Node.js version that runs it.",
    labelNames: ['version', 'revision', 'node_version'],
    registers: [register],
  }).set({ version, revision, node_version: process.version }, 1);
  for (const registerMetrics of rooms) {
    registerMetrics(register);
  }
  registerEventLoopTime(register);
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: LAG_INTERVAL_MS });
  for (const { name } of register.getMetricsAsArray()) {
    if (EXCLUDED.test(name)) {
      register.removeSingleMetric(name);
    }
  }
  return register;
}

/** The metric that OpenTelemetry's semantic conventions for Node.js call `nodejs.eventloop.time`. */
function registerEventLoopTime(register: Registry): void {
  new Counter({
    name: 'nodejs_eventloop_time_seconds_total',
    help: 'Time that the event loop has been in each state since start: active, or idle, which is waiting for events.',
    labelNames: ['state'],
    registers: [register],
    collect() {
      const { active, idle } = performance.eventLoopUtilization();
      this.reset();
      this.inc({ state: 'active' }, active / 1000);
      this.inc({ state: 'idle' }, idle / 1000);
    },
  });
}
