/** The metrics that the exporter exposes about itself, as its tests need them: what they are called, and their types. */
import pino from 'pino';
import { createOwnRegistry } from '../src/metrics/own.ts';
import { loadModules } from '../src/targets/modules.ts';

export async function ownMetrics(): Promise<ReadonlyArray<{ readonly name: string; readonly type: string }>> {
  const modules = await loadModules(undefined, 1_000, pino({ level: 'silent' }));
  const registry = createOwnRegistry({ version: '1', revision: 'x' }, [modules.registerMetrics]);
  return (await registry.getMetricsAsJSON()).map(({ name, type }) => ({ name, type: String(type) }));
}
