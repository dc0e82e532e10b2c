/** Turns a `Snapshot` into Prometheus's text format 0.0.4, byte by byte as prom-client would. */
import { METRICS, type MetricFamily } from './metrics.ts';
import type { Sample } from './samples.ts';
import type { Snapshot } from './scrape.ts';

/** @returns families with samples, in the order of `METRICS`, with an empty line between two of them */
export function renderExposition(snapshot: Snapshot): string {
  const families = METRICS.map((family) => renderFamily(family, snapshot)).filter((text) => text !== '');
  return `${families.join('\n\n')}\n`;
}

/** Texts of families by what they were made of: for as long as a list of models is the same, so are they. */
const rendered = new WeakMap<object, Map<MetricFamily, string>>();

function renderFamily(family: MetricFamily, snapshot: Snapshot): string {
  const source = family.source?.(snapshot);
  if (source === undefined) {
    return toText(family, family.samples(snapshot));
  }
  const texts = rendered.get(source) ?? new Map<MetricFamily, string>();
  rendered.set(source, texts);
  const text = texts.get(family) ?? toText(family, family.samples(snapshot));
  texts.set(family, text);
  return text;
}

function toText({ name, help }: MetricFamily, samples: readonly Sample[]): string {
  if (samples.length === 0) {
    return '';
  }
  let text = `# HELP ${name} ${help}\n# TYPE ${name} gauge`;
  for (const { labels, value } of samples) {
    text += `\n${name}${labels.text} ${valueText(value)}`;
  }
  return text;
}

function valueText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value);
}
