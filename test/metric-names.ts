/** Every name that a query may select of what the exporter exposes, about Ollama and about itself. */
import { FAMILIES } from '../src/metrics/families.ts';
import { ownMetrics } from './own-metrics.ts';

export async function exportedNames(): Promise<ReadonlySet<string>> {
  const own = (await ownMetrics()).flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return new Set([...FAMILIES.map(({ name }) => name), ...own]);
}
