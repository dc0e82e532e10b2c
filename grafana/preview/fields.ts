/** Formats values as Grafana does: unit, decimals, mappings, thresholds. */
import type { FieldConfig, Mapped } from '../../test/dashboard.ts';

export interface Shown {
  readonly text: string;
  /** A name in Grafana's palette. */
  readonly color: string | undefined;
}

export function show(value: number | string, config: FieldConfig): Shown {
  const mapped = mappingOf(value, config);
  const step =
    typeof value === 'number'
      ? config.thresholds?.steps.findLast(
          (candidate) => value >= (candidate.value ?? Number.NEGATIVE_INFINITY),
        )
      : undefined;
  const text = typeof value === 'number' ? format(value, config) : value;
  return { text: mapped?.text ?? text, color: mapped?.color ?? step?.color };
}

function mappingOf(value: number | string, { mappings = [] }: FieldConfig): Mapped | undefined {
  const found = mappings.map((mapping) => {
    if (mapping.type === 'value') {
      return mapping.options[String(value)];
    }
    const { from, to, result } = mapping.options;
    return from <= Number(value) && Number(value) <= to ? result : undefined;
  });
  return found.find((mapped) => mapped !== undefined);
}

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const SECONDS: ReadonlyArray<readonly [from: number, size: number, unit: string]> = [
  [86_400, 86_400, 'days'],
  [3_600, 3_600, 'hours'],
  [60, 60, 'mins'],
  [1, 1, 's'],
  [0, 0.001, 'ms'],
];

function format(value: number, { unit, decimals }: FieldConfig): string {
  const fixed = (scaled: number) =>
    scaled.toFixed(decimals ?? (Number.isInteger(scaled) ? 0 : Math.abs(scaled) < 10 ? 1 : 0));
  switch (unit) {
    case 'bytes': {
      const power = value === 0 ? 0 : Math.min(Math.floor(Math.log2(Math.abs(value)) / 10), BYTES.length - 1);
      return `${fixed(value / 1_024 ** power)} ${BYTES[power]}`;
    }
    case 's': {
      const [, size = 1, name = 's'] = SECONDS.find(([from]) => Math.abs(value) >= from) ?? [];
      return value === 0 ? '0 s' : `${fixed(value / size)} ${name}`;
    }
    case 'percent':
      return `${fixed(value)}%`;
    case 'percentunit':
      return `${fixed(value * 100)}%`;
    case 'locale':
      return value.toLocaleString('en');
    default:
      return fixed(value);
  }
}
