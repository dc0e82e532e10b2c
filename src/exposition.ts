/** Turns a `Snapshot` into Prometheus's text format. */
import { METRICS, type MetricFamily } from './metrics.ts';
import type { Snapshot } from './scrape.ts';
import { BETWEEN_FAMILIES, familyText } from './text-format.ts';

/** @returns families with samples, in the order of `METRICS` */
export function renderExposition(snapshot: Snapshot): string {
  let text = '';
  for (const render of RENDERERS) {
    const family = render(snapshot);
    text += text === '' || family === '' ? family : BETWEEN_FAMILIES + family;
  }
  return text;
}

const RENDERERS = METRICS.map(rendererOf);

/** For as long as what its samples are made of is the same, so is the text of a family. */
function rendererOf(family: MetricFamily): (snapshot: Snapshot) => string {
  const { source: sourceOf, samples } = family;
  const toText = (snapshot: Snapshot) => familyText(family, (emit) => samples(snapshot, emit));
  if (sourceOf === undefined) {
    return toText;
  }
  let last: { readonly source: object; readonly text: string; readonly inOnePiece: boolean } | undefined;
  return (snapshot) => {
    const source = sourceOf(snapshot);
    if (source === undefined) {
      return '';
    }
    if (last?.source !== source) {
      last = { source, text: toText(snapshot), inOnePiece: false };
    } else if (!last.inOnePiece) {
      last = { source, text: inOnePiece(last.text), inOnePiece: true };
    }
    return last.text;
  };
}

/** V8 keeps what `+=` makes as a tree of its parts, and would put these together for each answer. */
function inOnePiece(text: string): string {
  return Buffer.from(text).toString();
}
