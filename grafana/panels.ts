/** Panels with what each one of the dashboard must have: title, description, unit, queries, text for no data. */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  FieldTextAlignment,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common';
import {
  MappingType,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '$datasource' };

/** The most common reason for no data. */
const NOTHING_LOADED = 'No data: nothing is loaded, or Ollama or the exporter is down';
export const NOTHING_SCRAPED = 'No data: the exporter is down, or not selected';
/** Both are off by default. */
export const NO_RUNNERS = 'No data: nothing is loaded, or --collector.runners is off';
export const NO_COUNTERS =
  'No data: no requests, --collector.runners is off, or Ollama runs without LLAMA_ARG_ENDPOINT_METRICS=1';
export const NO_PROXY = 'No data: no requests, or no proxy (--proxy.listen-address)';

export const COLORS = { OK: 'green', WARN: 'orange', BAD: 'red' } as const;

export interface Frame {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly width: number;
  readonly height: number;
}

export interface Query {
  readonly expr: string;
  /** The legend of a series; a table needs none. */
  readonly legend?: string;
}

interface PanelBuilder extends Builder<Panel> {
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  span(width: number): this;
  height(height: number): this;
  noValue(text: string): this;
  datasource(datasource: DataSourceRef): this;
  withTarget(target: Builder<Dataquery>): this;
}

function frame<T extends PanelBuilder>(panel: T, { title, description, unit, width, height }: Frame): T {
  return panel
    .title(title)
    .description(description)
    .unit(unit)
    .span(width)
    .height(height)
    .noValue(NOTHING_LOADED)
    .datasource(DATASOURCE);
}

function target({ expr, legend = '' }: Query, index: number): DataqueryBuilder {
  const refId = String.fromCharCode('A'.charCodeAt(0) + index);
  return new DataqueryBuilder().refId(refId).datasource(DATASOURCE).expr(expr).legendFormat(legend);
}

/** A color from a value upwards. */
export type Step = readonly [from: number | null, color: string];

export function colored(...steps: readonly Step[]) {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps(steps.map(([value, color]) => ({ value, color })));
}

/** Values that are shown as text. */
export function words(
  ...pairs: ReadonlyArray<readonly [value: string, text: string, color: string]>
): ValueMapping[] {
  const options = Object.fromEntries(
    pairs.map(([value, text, color], index) => [value, { text, color, index }]),
  );
  return [{ type: MappingType.ValueToText, options }];
}

export function range(from: number, to: number, text: string): ValueMapping[] {
  return [{ type: MappingType.RangeToText, options: { from, to, result: { text, index: 0 } } }];
}

export function statPanel(options: Omit<Frame, 'height'>, ...queries: readonly Query[]): stat.PanelBuilder {
  const panel = frame(new stat.PanelBuilder(), { ...options, height: 4 })
    .graphMode(BigValueGraphMode.None)
    .colorMode(BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(colored([null, 'text']));
  for (const [index, query] of queries.entries()) {
    panel.withTarget(target(query, index).instant());
  }
  return panel;
}

/** @param queries by refId */
export function tablePanel(options: Frame, queries: Readonly<Record<string, string>>): table.PanelBuilder {
  const panel = frame(new table.PanelBuilder(), options).align(FieldTextAlignment.Left);
  for (const [index, expr] of Object.values(queries).entries()) {
    panel.withTarget(target({ expr }, index).instant().format(PromQueryFormat.Table));
  }
  return panel;
}

export function timePanel(options: Frame, ...queries: readonly Query[]): timeseries.PanelBuilder {
  const panel = frame(new timeseries.PanelBuilder(), options)
    .lineWidth(1)
    .showPoints(VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  for (const [index, query] of queries.entries()) {
    panel.withTarget(target(query, index).range());
  }
  return panel;
}

export function timelinePanel(options: Frame, ...queries: readonly Query[]): statetimeline.PanelBuilder {
  const panel = frame(new statetimeline.PanelBuilder(), options)
    .showValue(VisibilityMode.Auto)
    .mergeValues(true)
    .rowHeight(0.8)
    .min(0)
    .legend(new common.VizLegendOptionsBuilder().showLegend(false));
  for (const [index, query] of queries.entries()) {
    panel.withTarget(target(query, index).range());
  }
  return panel;
}
