/** The columns of the table of models: their content and sort keys. */
import { shownSizes } from './gib.ts';
import { FOREVER } from './ps-words.ts';
import type { Column } from './sorting.ts';
import { type ModelStatus, ramOf, type Status } from './status.ts';
import { remaining } from './until.js';

export interface ModelColumn extends Column<ModelStatus> {
  readonly text: (model: ModelStatus) => string;
}

const NAME: ModelColumn = {
  key: 'model',
  heading: 'Model',
  value: ({ model }) => model,
  text: ({ model }) => model,
};

const CELLS: readonly ModelColumn[] = [
  {
    key: 'parameters',
    heading: 'Parameters',
    kind: 'number',
    value: ({ parameter_size }) => parameterCount(parameter_size),
    text: ({ parameter_size }) => parameter_size,
    largestFirst: true,
  },
  {
    key: 'quantization',
    heading: 'Quantization',
    value: ({ quantization }) => quantization,
    text: ({ quantization }) => quantization,
  },
  memory('vram', 'VRAM', ({ size_vram }) => size_vram),
  memory('ram', 'RAM', ramOf),
  memory('size', 'Size', ({ size }) => size),
  {
    key: 'processor',
    heading: 'Processor',
    // Models that spill are first.
    value: ({ size, size_vram }) => (size_vram ?? -1) / (size || 1),
    text: ({ processor }) => processor,
  },
  {
    key: 'context',
    heading: 'Context',
    kind: 'number',
    value: ({ context_length }) => context_length ?? -1,
    text: ({ context_length }) => context_length?.toLocaleString('en-US') ?? '–',
    largestFirst: true,
  },
];

/** Only if runners are read. */
const BUSY: ModelColumn = {
  key: 'busy',
  heading: 'Busy',
  kind: 'number',
  value: ({ slots_busy }) => slots_busy ?? -1,
  text: ({ slots, slots_busy }) =>
    slots === null || slots_busy === null ? '–' : `${slots_busy} of ${slots}`,
  largestFirst: true,
};

export const UNTIL: ModelColumn = {
  key: 'until',
  heading: 'Until',
  kind: 'number',
  value: ({ expires_in }) => expires_in ?? Number.POSITIVE_INFINITY,
  text: ({ expires_in, until }) =>
    expires_in !== null ? remaining(expires_in) : until === FOREVER ? 'forever' : 'loading',
};

export const COLUMNS = [NAME, ...CELLS, BUSY, UNTIL] as const;

/** Between the name and the expiry. */
export function cellsOf({ runners }: Pick<Status, 'runners'>): readonly ModelColumn[] {
  return runners ? [...CELLS, BUSY] : CELLS;
}

export function columnsOf(status: Pick<Status, 'runners'>): readonly [ModelColumn, ...ModelColumn[]] {
  return [NAME, ...cellsOf(status), UNTIL];
}

function memory(
  key: 'vram' | 'ram' | 'size',
  heading: string,
  bytesOf: (model: ModelStatus) => number | null,
): ModelColumn {
  return {
    key,
    heading,
    kind: 'number',
    value: (model) => bytesOf(model) ?? -1,
    text: (model) => shownSizes(model.size, model.size_vram, ramOf(model))[key],
    largestFirst: true,
  };
}

const UNITS = ['', 'K', 'M', 'B', 'T'];

/** The number in `8.0B` or `137M`; -1 if there is none. */
function parameterCount(text: string): number {
  const [, amount, unit = ''] = /^([\d.]+)([KMBT]?)/i.exec(text) ?? [];
  return amount === undefined ? -1 : Number(amount) * 1_000 ** UNITS.indexOf(unit.toUpperCase());
}
