/** Renders models and a capacity as a bar: one segment per model, and the excess beyond a mark. */
import { gib } from './gib.ts';
import { type Html, html } from './html.ts';

export interface Part {
  readonly name: string;
  /** A class in style.css. */
  readonly colour: string;
  /** More than 0. */
  readonly bytes: number;
}

/** Percent of the bar, so that the smallest model is visible. */
const MIN_WIDTH = 1;
const OVERLAP = 0.2;
/** Percent of the bar that is filled if the capacity is unknown. */
const OPEN = 70;

/**
 * Widths are attributes: the page's Content-Security-Policy forbids `style`.
 *
 * @param capacity bytes; null if unknown, which leaves the bar open
 * @param words text of the bar for screen readers
 */
export function bar(parts: readonly Part[], capacity: number | null, words: string): Html {
  const used = sum(parts.map(({ bytes }) => bytes));
  const full = capacity === null ? used / (OPEN / 100) : Math.max(used, capacity);
  const widths = widthsOf(parts.map(({ bytes }) => (bytes / full) * 100));
  let end = 0;
  const segments = parts.map(({ name, colour, bytes }, index) => {
    const start = end;
    const width = widths[index] ?? 0;
    end += width;
    // Overlaps the next one, so that rounding leaves no gap.
    const beneath = index < parts.length - 1 ? OVERLAP : 0;
    return piece(
      start,
      width + beneath,
      html`<div class="segment ${colour}${width < MIN_WIDTH ? ' thin' : ''}" title="${name}: ${gib(bytes)} GiB"><bdi>${name}</bdi></div>`,
    );
  });
  const list = parts.map(({ name, bytes }) => `${name} ${gib(bytes)} GiB`).join(', ');
  const fits = capacity === null || used <= capacity ? 100 : (capacity / used) * 100;
  return html`<svg class="bar${capacity === null ? ' open' : ''}" role="img" aria-label="${list === '' ? words : `${words}: ${list}`}">${segments}${
    capacity === null ? piece(end, 100 - end, html`<div class="unknown-end"></div>`) : ''
  }${fits < 100 ? piece(fits, 100 - fits, html`<div class="over"></div>`) : ''}</svg>
`;
}

/** No segment is below the minimum; the larger ones shrink for it, so that the total is right. */
function widthsOf(shares: readonly number[]): readonly number[] {
  const least = Math.min(MIN_WIDTH, 50 / shares.length);
  const excess = sum(shares.map((share) => Math.max(least - share, 0)));
  const spare = sum(shares.map((share) => Math.max(share - least, 0)));
  const kept = 1 - Math.min(1, excess / (spare || 1));
  return shares.map((share) => least + Math.max(share - least, 0) * kept);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function piece(start: number, width: number, content: Html): Html {
  return html`<foreignObject x="${start.toFixed(2)}%" y="0" width="${width.toFixed(2)}%" height="100%">${content}</foreignObject>`;
}
