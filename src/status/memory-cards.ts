/** Renders the memory of models as two cards: the value, its share of the capacity, and a bar. */
import { bar, type Part } from './bar.ts';
import { type CapacitySource, capacityAdvice } from './capacity-advice.ts';
import { gib, percent } from './gib.ts';
import { type Html, html } from './html.ts';
import { type ModelStatus, ramOf, type Status } from './status.ts';

interface Memory {
  readonly name: 'VRAM' | 'RAM';
  /** null if the server does not report it for each model. */
  readonly used: number | null;
  /** null if unknown. */
  readonly capacity: number | null;
  readonly parts: readonly Part[];
  /** How to set an unknown capacity. */
  readonly advice: Html;
}

/** @param models in the order of their segments @param colours the class of each model's name */
export function memoryCards(
  { totals, vram_capacity, memory_capacity }: Status,
  models: readonly ModelStatus[],
  colours: ReadonlyMap<string, string>,
  source: CapacitySource,
): Html {
  const partsOf = (bytesOf: (model: ModelStatus) => number | null): readonly Part[] =>
    limited(
      models
        .map((model) => ({
          name: model.model,
          colour: colours.get(model.model) ?? '',
          bytes: bytesOf(model) ?? 0,
        }))
        .filter(({ bytes }) => bytes > 0),
    );
  const vram: Memory = {
    name: 'VRAM',
    used: totals.size_vram,
    capacity: vram_capacity,
    parts: partsOf(({ size_vram }) => size_vram),
    advice: capacityAdvice('vram', source),
  };
  const ram: Memory = {
    name: 'RAM',
    used: totals.size_ram,
    capacity: memory_capacity,
    parts: partsOf(ramOf),
    advice: capacityAdvice('memory', source),
  };
  return html`<div class="cards">
${[vram, ram].map(card)}</div>
`;
}

/** More segments cannot be distinguished. */
const MAX_PARTS = 200;

function limited(parts: readonly Part[]): readonly Part[] {
  const rest = parts.slice(MAX_PARTS);
  const bytes = rest.reduce((sum, part) => sum + part.bytes, 0);
  const others = { name: `${rest.length} more`, colour: '', bytes };
  return rest.length === 0 ? parts : [...parts.slice(0, MAX_PARTS), others];
}

function card(memory: Memory): Html {
  const id = memory.name.toLowerCase();
  return html`<section class="card" aria-labelledby="${id}">
<h2 id="${id}">${memory.name}</h2>
${contentOf(memory)}</section>
`;
}

function contentOf({ name, used, capacity, parts, advice }: Memory): Html {
  if (used === null) {
    return html`<p class="figure"><span>Unknown</span></p>
<p class="note">The server does not report <code>size_vram</code> for every model.</p>
`;
  }
  if (capacity === null) {
    const words = `${name}: ${gib(used)} GiB in use, capacity not set`;
    return html`<p class="figure"><span><strong>${gib(used)}</strong> GiB</span> <span class="quiet">capacity not set</span></p>
${bar(parts, capacity, words)}<p class="note">${advice}</p>
`;
  }
  const over = used > capacity;
  const share = percent(used, capacity);
  const words = `${name}: ${gib(used)} of ${gib(capacity)} GiB in use (${share})`;
  const excess = `${gib(used - capacity)} GiB over capacity`;
  return html`<p class="figure"><span><strong>${gib(used)}</strong> of ${gib(capacity)} GiB</span> <strong${over ? html` class="bad"` : ''}>${share}</strong></p>
${bar(parts, capacity, over ? `${words}, ${excess}` : words)}${over ? html`<p class="note bad">${excess}</p>\n` : ''}`;
}
