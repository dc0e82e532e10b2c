/** Columns of tables, and the transformations that merge queries into rows. */
import { TableCellDisplayMode, TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { colored, type Frame, type Step, tablePanel } from './panels.ts';

/** A column: a label, or the value of a query. */
export interface Column {
  readonly title: string;
  readonly width?: number;
  readonly properties?: readonly DynamicConfigValue[];
}

export const hidden = { id: 'custom.hidden', value: true };
export const textColor = { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } };
export const gauge = { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.Gauge, mode: 'basic' } };
export const unit = (value: string) => ({ id: 'unit', value });
/** Shown for an unknown value in an existing row. */
export const noValue = (value = '–') => ({ id: 'noValue', value });
export const mappings = (value: unknown) => ({ id: 'mappings', value });
export const thresholds = (...steps: readonly Step[]) => ({
  id: 'thresholds',
  value: colored(...steps).build(),
});
export const links = (...value: readonly unknown[]) => ({ id: 'links', value });

/**
 * Merges the queries into one row for each set of labels that they share.
 *
 * @param columns by label, or by refId of the query, in display order
 */
export function joined(
  frame: Frame,
  columns: Readonly<Record<string, Column>>,
  queries: Readonly<Record<string, string>>,
): PanelBuilder {
  const field = (key: string) => (key in queries ? `Value #${key}` : key);
  const panel = tablePanel(frame, queries);
  const entries = Object.entries(columns);
  const renamed = entries.map(([key, { title }]) => [field(key), title]);
  const order = entries.map(([key], index) => [field(key), index]);
  const dropped = Object.keys(queries).filter((refId) => !(refId in columns));
  panel.withTransformation({ id: 'merge', options: {} }).withTransformation({
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries([['Time', true], ...dropped.map((refId) => [field(refId), true])]),
      indexByName: Object.fromEntries(order),
      renameByName: Object.fromEntries(renamed),
    },
  });
  for (const { title, width, properties = [] } of entries.map(([, column]) => column)) {
    const all = [...properties, ...(width === undefined ? [] : [{ id: 'custom.width', value: width }])];
    if (all.length > 0) {
      panel.overrideByName(title, all);
    }
  }
  return panel;
}

export function ascending(...titles: readonly string[]) {
  return titles.map((title) => new TableSortByFieldStateBuilder().displayName(title).desc(false));
}

export function descending(title: string) {
  return [new TableSortByFieldStateBuilder().displayName(title).desc(true)];
}
