/** The registries of the exporter's own metrics, which the telemetry path adds to the metrics of Ollama. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BuildInfo } from '../config/build-info.ts';

/** Default metrics of prom-client that are excluded. */
const EXCLUDED = [
  // Gauges whose names end in `_total`, which promtool's linter rejects.
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  // Have no values in two consecutive scrapes: their histogram is empty then.
  'nodejs_eventloop_lag_min_seconds',
  'nodejs_eventloop_lag_mean_seconds',
  'nodejs_eventloop_lag_stddev_seconds',
];

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
  collectDefaultMetrics({ register });
  for (const name of EXCLUDED) {
    register.removeSingleMetric(name);
  }
  return register;
}
