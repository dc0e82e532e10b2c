/** All names of series that the exporter exposes, about Ollama and about itself. */
import { FAMILIES } from '../src/metrics/families.ts';
import { createProxyMetrics } from '../src/proxy/proxy-metrics.ts';
import { createCounters } from '../src/runners/counters.ts';
import { ownMetrics } from './own-metrics.ts';

export async function exportedNames(): Promise<ReadonlySet<string>> {
  const { registry } = createProxyMetrics();
  createCounters().registerMetrics(registry);
  const counted = [...(await ownMetrics()), ...(await registry.getMetricsAsJSON())];
  const names = counted.flatMap(({ name, type }) =>
    String(type) === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return new Set([...FAMILIES.map(({ name }) => name), ...names]);
}
