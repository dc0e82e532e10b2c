/** Turns a `Snapshot` into Prometheus's text format. */

import type { Snapshot } from '../scrape/snapshot.ts';
import { METRICS, type MetricFamily } from './families.ts';
import { familyWriter, joinFamilies, LARGE, type Text } from './text-format.ts';

/** @returns families with samples, in the order of `METRICS` */
export function renderExposition(snapshot: Snapshot): Text {
  return joinFamilies(RENDERERS.map((render) => render(snapshot)));
}

const RENDERERS = METRICS.map(rendererOf);

/** For as long as what its samples are made of is the same, so is the text of a family. */
function rendererOf(family: MetricFamily): (snapshot: Snapshot) => Text {
  const { source: sourceOf, samples } = family;
  const write = familyWriter(family);
  const toText = (snapshot: Snapshot) => write((emit) => samples(snapshot, emit));
  if (sourceOf === undefined) {
    return toText;
  }
  let last: { readonly source: object; readonly text: Text; readonly inOnePiece: boolean } | undefined;
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
function inOnePiece(text: Text): Text {
  const bytes = Buffer.from(text);
  return bytes.length < LARGE ? bytes.toString() : bytes;
}
