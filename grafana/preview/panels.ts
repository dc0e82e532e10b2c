/** Panels as HTML; time series as input for uPlot. */
import type { DashboardPanel, FieldConfig } from '../../test/dashboard.ts';
import type { Series } from '../../test/e2e/prometheus-process.ts';
import { show } from './fields.ts';
import { color, escaped } from './html.ts';

/** Unix seconds. */
export interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export interface QueryResult {
  readonly legendFormat: string;
  /** A dashed line above a stack. */
  readonly isLimit: boolean;
  readonly series: readonly Series[];
}

/** The input of `charts.js`. */
export interface Chart {
  readonly id: number;
  readonly times: readonly number[];
  readonly series: ReadonlyArray<{
    readonly name: string;
    readonly values: ReadonlyArray<number | null>;
    readonly last: string;
    readonly max: string;
    readonly isLimit: boolean;
  }>;
  readonly stacked: boolean;
  readonly stepped: boolean;
  readonly fill: number;
  readonly min: number | undefined;
  readonly unit: string;
  readonly lines: ReadonlyArray<{ readonly value: number; readonly color: string }>;
}

const nothing = ({ noValue = 'No data' }: FieldConfig) => `<p class="nothing">${escaped(noValue)}</p>`;
const nameOf = (legendFormat: string, { labels }: Series) =>
  legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '');

export function statHtml({ fieldConfig, options }: DashboardPanel, results: readonly QueryResult[]): string {
  const config = fieldConfig?.defaults ?? {};
  const values = results.flatMap(({ legendFormat, series }) =>
    series.map((one) => ({ name: nameOf(legendFormat, one), value: one.samples.at(-1)?.[1] ?? Number.NaN })),
  );
  if (values.length === 0) {
    return `<p class="stat word">${escaped(config.noValue ?? '')}</p>`;
  }
  return values
    .map(({ name, value }) => {
      const shown = show(value, config);
      const title = options?.textMode === 'value_and_name' ? `<small>${escaped(name)}</small>` : '';
      return `<p class="stat" style="color:${color(shown.color)}">${title}${escaped(shown.text)}</p>`;
    })
    .join('');
}

/** Values by time, null if there is none. */
function onGrid({ samples }: Series, { start, end, step }: Range): ReadonlyArray<number | null> {
  const byTime = new Map(samples);
  return Array.from(
    { length: (end - start) / step + 1 },
    (_, index) => byTime.get(start + index * step) ?? null,
  );
}

export function timelineHtml(
  { fieldConfig }: DashboardPanel,
  results: readonly QueryResult[],
  range: Range,
): string {
  const config = fieldConfig?.defaults ?? {};
  const rows = results
    .flatMap(({ legendFormat, series }) =>
      series.map((one) => ({ name: nameOf(legendFormat, one), values: onGrid(one, range) })),
    )
    .sort((a, b) => a.name.localeCompare(b.name));
  if (rows.length === 0) {
    return nothing(config);
  }
  const max = Math.max(...rows.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const hue = config.color?.mode === 'continuous-reds' ? 'red' : 'blue';
  const html = rows.map(
    ({ name, values }) =>
      `<div class="state"><span>${escaped(name)}</span><div>${boxes(values, max, hue)}</div></div>`,
  );
  return `<div class="timeline">${html.join('')}${timeAxis(range)}</div>`;
}

/** Consecutive equal values are one box. */
function boxes(values: ReadonlyArray<number | null>, max: number, hue: string): string {
  const begins = [...values.keys()].filter((index) => index === 0 || values[index] !== values[index - 1]);
  return begins
    .map((begin, index) => box(values, begin, begins[index + 1] ?? values.length, max, hue))
    .join('');
}

function box(
  values: ReadonlyArray<number | null>,
  begin: number,
  end: number,
  max: number,
  hue: string,
): string {
  const value = values[begin] ?? null;
  if (value === null) {
    return '';
  }
  const percent = (steps: number) => `${((steps / values.length) * 100).toFixed(2)}%`;
  const share = 25 + 75 * (value / max);
  const fits = max > 1 && end - begin > values.length / 60;
  const style = `left:${percent(begin)};width:calc(${percent(end - begin)} + 1px);background:color-mix(in srgb, var(--${hue}) ${share.toFixed(0)}%, var(--panel))`;
  return `<i style="${style}" class="${share > 60 ? 'deep' : ''}">${fits ? value : ''}</i>`;
}

function timeAxis({ start, end }: Range): string {
  const labels = [0, 1, 2, 3, 4, 5, 6].map((index) => start + ((end - start) * index) / 6);
  const texts = labels.map((at) => `<span>${new Date(at * 1_000).toISOString().slice(11, 16)}</span>`);
  return `<div class="axis">${texts.join('')}</div>`;
}

/** @returns the chart, or HTML if there is nothing to draw */
export function chartOf(
  { id, fieldConfig }: DashboardPanel,
  results: readonly QueryResult[],
  range: Range,
): Chart | string {
  const config = fieldConfig?.defaults ?? {};
  const series = results.flatMap(({ legendFormat, isLimit, series }) =>
    series.map((one) => {
      const values = onGrid(one, range);
      const known = values.filter((value) => value !== null);
      const last = known.at(-1);
      return {
        name: nameOf(legendFormat, one),
        values,
        last: last === undefined ? '' : show(last, config).text,
        max: show(Math.max(...known), config).text,
        isLimit,
      };
    }),
  );
  if (series.length === 0) {
    return nothing(config);
  }
  const dashed = config.custom?.thresholdsStyle?.mode === 'dashed';
  return {
    id,
    times: Array.from(
      { length: (range.end - range.start) / range.step + 1 },
      (_, index) => range.start + index * range.step,
    ),
    series: series.sort((a, b) => a.name.localeCompare(b.name)),
    stacked: config.custom?.stacking?.mode === 'normal',
    stepped: config.custom?.lineInterpolation === 'stepAfter',
    fill: config.custom?.fillOpacity ?? 0,
    min: config.min,
    unit: config.unit ?? 'none',
    lines: (dashed ? (config.thresholds?.steps ?? []) : []).flatMap(({ value, color: name }) =>
      value === null ? [] : [{ value, color: name }],
    ),
  };
}
