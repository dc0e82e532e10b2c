/**
 * What Prometheus makes of series whose target has labels with the exporter's names. The rules are tested without such
 * labels, and with them in both ways that Prometheus supports.
 */

type Labels = Readonly<Record<string, string>>;

/** One for each label of the exporter: hardware of a host, labels of a pod. */
const SCRAPED_TARGET: Labels = {
  model: 'dgx',
  quantization: 'none',
  version: 'rack-2',
  api: 'beta',
  reason: 'spare',
  digest: 'd0',
  format: '19-inch',
  family: 'hopper',
  parameter_size: 'large',
  outcome: 'leased',
};

export interface TargetLabels {
  readonly title: string;
  /** The labels of a series, or of an alert derived from it. */
  readonly of: (labels: Labels) => Labels;
}

export const TARGET_LABELS: readonly TargetLabels[] = [
  { title: 'plain', of: (labels) => labels },
  {
    title: 'a target with labels of the same names',
    of: (labels) => ({
      ...Object.fromEntries(
        Object.entries(labels).map(([name, value]) => [
          name in SCRAPED_TARGET ? `exported_${name}` : name,
          value,
        ]),
      ),
      ...SCRAPED_TARGET,
    }),
  },
  { title: 'the same with honor_labels', of: (labels) => ({ ...SCRAPED_TARGET, ...labels }) },
];

/** @param series `name{label="value",…}` */
export function relabelled(series: string, { of }: TargetLabels): string {
  const [, name = '', text = ''] = /^(\w+)\{(.*)\}$/.exec(series) ?? [];
  const labels = Object.fromEntries(
    [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
  );
  const pairs = Object.entries(of(labels)).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${pairs.join(',')}}`;
}
