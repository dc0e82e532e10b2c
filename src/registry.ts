/** Turns a `Snapshot` into a prom-client `Registry` of its own. */
import { Gauge, Registry } from 'prom-client';
import { METRICS, type MetricFamily, type Sample } from './metrics.ts';
import type { Snapshot } from './scrape.ts';

/**
 * A gauge that hands over ready samples. `set()` would hash the labels without escaping them, so that a stranger's
 * model name could take another model's place, and a gauge that was never set would print 0.
 */
class ReadyGauge extends Gauge {
  readonly #samples: readonly Sample[];

  constructor({ name, help, labelNames }: MetricFamily, samples: readonly Sample[], registry: Registry) {
    super({ name, help, labelNames, registers: [registry] });
    this.#samples = samples;
  }

  override async get() {
    const metric = await super.get();
    return { ...metric, values: [...this.#samples] };
  }
}

/** @returns a registry to be rendered and dropped; families without a sample are not in it */
export function toRegistry(snapshot: Snapshot): Registry {
  const registry = new Registry();
  for (const family of METRICS) {
    const samples = family.samples(snapshot);
    if (samples.length > 0) {
      new ReadyGauge(family, samples, registry);
    }
  }
  return registry;
}
