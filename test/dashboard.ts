/** The shipped dashboard, and queries of its parts. */
import { readFileSync } from 'node:fs';

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly format?: string;
  readonly datasource: { readonly uid: string };
}

export interface Transformation {
  readonly renameByName?: Readonly<Record<string, string>>;
  readonly excludeByName?: Readonly<Record<string, boolean>>;
  readonly stringField?: string;
}

export interface Mapped {
  readonly text: string;
  readonly color?: string;
}

export type ValueMapping =
  | { readonly type: 'value'; readonly options: Readonly<Record<string, Mapped>> }
  | {
      readonly type: 'range';
      readonly options: { readonly from: number; readonly to: number; readonly result: Mapped };
    };

export interface FieldConfig {
  readonly unit?: string;
  readonly noValue?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly mappings?: readonly ValueMapping[];
  readonly thresholds?: {
    readonly steps: ReadonlyArray<{ readonly value: number | null; readonly color: string }>;
  };
  readonly color?: { readonly mode: string };
  readonly custom?: {
    readonly fillOpacity?: number;
    readonly lineInterpolation?: string;
    readonly stacking?: { readonly mode: string };
    readonly thresholdsStyle?: { readonly mode: string };
  };
}

export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: FieldConfig;
    readonly overrides: readonly Override[];
  };
  readonly transformations?: ReadonlyArray<{ readonly id: string; readonly options: Transformation }>;
  readonly options?: {
    readonly sortBy?: ReadonlyArray<{ readonly displayName: string; readonly desc?: boolean }>;
    readonly textMode?: string;
  };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly panels?: readonly DashboardPanel[];
  readonly collapsed?: boolean;
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly query: string;
  readonly datasource?: { readonly uid: string };
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
  readonly refresh?: number;
}

export interface Annotation {
  readonly name: string;
  readonly builtIn: number;
  readonly expr?: string;
  readonly datasource: { readonly uid: string };
}

export interface Override {
  readonly matcher: { readonly id: string; readonly options: string };
  readonly properties: ReadonlyArray<{ readonly id: string; readonly value: unknown }>;
}

export interface ShippedDashboard {
  readonly id: number | null;
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly __requires: ReadonlyArray<{ readonly id: string; readonly version: string }>;
  readonly links: ReadonlyArray<{ readonly url: string }>;
  readonly panels: readonly DashboardPanel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly Annotation[] };
}

export const DASHBOARD_FILE = new URL('../grafana/ollama.json', import.meta.url);

export function readDashboard(): ShippedDashboard {
  return JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8'));
}

/** Including those inside collapsed rows, without the rows themselves. */
export function dataPanels(dashboard: ShippedDashboard): readonly DashboardPanel[] {
  return dashboard.panels
    .flatMap((panel) => [panel, ...(panel.panels ?? [])])
    .filter(({ type }) => type !== 'row');
}

/** The dashboard's own annotations, with their queries. */
export function annotationQueries(
  dashboard: ShippedDashboard,
): ReadonlyArray<Annotation & { readonly expr: string }> {
  return dashboard.annotations.list.flatMap((annotation) =>
    annotation.expr === undefined ? [] : [{ ...annotation, expr: annotation.expr }],
  );
}

/** A query as Grafana sends it, with "All" selected everywhere, for the last hour. */
export function filledIn(expr: string): string {
  return expr
    .replaceAll(/\$(job|instance|model|exporter_job)\b/g, '.+')
    .replaceAll('$__range', '3600s')
    .replaceAll('$__rate_interval', '1m');
}
