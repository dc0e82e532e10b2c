/** Renders the text of a scrape: a new registry for each snapshot, next to the exporter's own. */
import { Gauge, Registry } from 'prom-client';
import type { Snapshot } from '../scrape/snapshot.ts';
import { FAMILIES, type Family } from './families.ts';
import type { Sample } from './samples.ts';

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A snapshot → Prometheus's text format 0.0.4, with families in the order of `FAMILIES`. */
export type Render = (snapshot: Snapshot) => Promise<string>;

/**
 * Scrapes that share a snapshot share its text: rendering it for each of 256 scrapers takes longer than the scrape.
 *
 * @param own the exporter's own metrics, to append
 */
export function createRender(own?: Registry): Render {
  const texts = new WeakMap<Snapshot, Promise<string>>();
  return (snapshot) => {
    const shared = texts.get(snapshot);
    if (shared !== undefined) {
      return shared;
    }
    const registry = registryOf(snapshot);
    const text = (own === undefined ? registry : Registry.merge([registry, own])).metrics();
    texts.set(snapshot, text);
    return text;
  };
}

function registryOf(snapshot: Snapshot): Registry {
  const registry = new Registry();
  for (const family of FAMILIES) {
    const samples = family.samples(snapshot);
    // A gauge without samples would be rendered as 0, or as a family without a series.
    if (samples.length > 0) {
      registry.registerMetric(new ConstGauge(family, samples));
    }
  }
  return registry;
}

/** Without it, prom-client creates an empty object and a WeakMap entry for each sample: a tenth of a scrape. */
const NONE = {};

/** Like client_golang's const metrics. `Gauge.set` confuses two series if a label value contains `,name:`. */
class ConstGauge extends Gauge {
  readonly #samples: readonly Sample[];

  constructor({ name, help, labelNames }: Family, samples: readonly Sample[]) {
    super({ name, help, labelNames, registers: [] });
    this.#samples = samples;
  }

  override async get() {
    return {
      ...(await super.get()),
      values: this.#samples.map(({ labels, value }) => ({ labels, value, sharedLabels: NONE })),
    };
  }
}
