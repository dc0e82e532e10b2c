/** Turns models and a capacity into a bar: a segment a model, and what does not fit beyond the end. */
import { type Html, html } from './html.ts';
import { humanBytes } from './ps-words.ts';
import type { ModelStatus } from './status.ts';

/** Of the drawing; the browser stretches it. */
const WIDTH = 1_000;

/** @param bytesOf and `capacity`: null where it is not known */
export function bar(
  name: string,
  models: readonly ModelStatus[],
  bytesOf: (model: ModelStatus) => number | null,
  capacity: number | null,
): Html {
  if (models.some((model) => bytesOf(model) === null)) {
    return html`<div class="bar">
<div>${name}: not known, since the server does not say it of each model</div>
</div>
`;
  }
  const parts = models
    .map((model) => ({ name: model.model, bytes: bytesOf(model) ?? 0 }))
    .filter(({ bytes }) => bytes > 0);
  const used = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const scale = WIDTH / Math.max(used, capacity ?? 0, 1);
  let end = 0;
  const segments = parts.map((part, index) => {
    const start = end;
    end += part.bytes;
    return html`<rect class="${index % 2 === 0 ? 'even' : 'odd'}" x="${tidy(start * scale)}" y="0" width="${tidy(part.bytes * scale)}" height="28"><title>${part.name}: ${humanBytes(part.bytes)}</title></rect>`;
  });
  const excess = capacity === null ? 0 : Math.max(used - capacity, 0);
  const beyond =
    excess > 0
      ? html`<rect class="over" x="${tidy(WIDTH - excess * scale)}" y="20" width="${tidy(excess * scale)}" height="8"/>`
      : html``;
  const words = inWords(name, used, capacity, excess);
  const list = parts.map((part) => `${part.name} ${humanBytes(part.bytes)}`).join(', ');
  return html`<div class="bar">
<div>${words}</div>
<svg viewBox="0 0 ${WIDTH} 28" preserveAspectRatio="none" role="img" aria-label="${list === '' ? words : `${words}: ${list}`}">${segments}${beyond}</svg>
</div>
`;
}

function inWords(name: string, used: number, capacity: number | null, excess: number): string {
  if (capacity === null) {
    return `${name}: ${humanBytes(used)}, of a capacity that is not known`;
  }
  const share = `${Math.round((used / capacity) * 100)}%`;
  return excess > 0
    ? `${name}: ${humanBytes(used)} in ${humanBytes(capacity)} (${share}), ${humanBytes(excess)} more than there is`
    : `${name}: ${humanBytes(used)} of ${humanBytes(capacity)} (${share})`;
}

function tidy(length: number): string {
  return length.toFixed(1);
}
