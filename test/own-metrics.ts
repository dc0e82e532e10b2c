/** The names and types of the exporter's own metrics. */
import pino from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { startCapacity } from '../src/machine/capacity.ts';
import { createOwnRegistry } from '../src/metrics/own.ts';
import { createRequestMetrics } from '../src/server/request-metrics.ts';
import { loadModules } from '../src/targets/modules.ts';

export async function ownMetrics(): Promise<ReadonlyArray<{ readonly name: string; readonly type: string }>> {
  const log = pino({ level: 'silent' });
  const modules = await loadModules(undefined, 1_000, log);
  const machine = { root: '/', env: {}, timeoutMs: 0, retryMs: 0 };
  const capacity = await startCapacity({ vramCapacity: undefined, memoryCapacity: 'auto' }, machine, log);
  const rooms = [
    modules.registerMetrics,
    capacity.registerMetrics,
    createRequestMetrics('/metrics').register,
  ];
  const registry = createOwnRegistry({ version: '1', revision: 'x' }, rooms);
  return (await registry.getMetricsAsJSON()).map(({ name, type }) => ({ name, type: String(type) }));
}

/** The names of prom-client's default metrics. */
export function defaultMetricNames(): readonly string[] {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register.getMetricsAsArray().map(({ name }) => name);
}
