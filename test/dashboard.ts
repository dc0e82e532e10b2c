/** The dashboard as it is shipped, and what its tests ask of it. */
import { readFileSync } from 'node:fs';

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly instant?: boolean;
  readonly format?: string;
  readonly datasource: { readonly uid: string };
}

export interface Transformation {
  readonly renameByName?: Readonly<Record<string, string>>;
}

export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly noValue?: string };
    readonly overrides: readonly Override[];
  };
  readonly transformations?: ReadonlyArray<{ readonly id: string; readonly options: Transformation }>;
  readonly options?: { readonly sortBy?: ReadonlyArray<{ readonly displayName: string }> };
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
  readonly editable: boolean;
  readonly panels: readonly DashboardPanel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly Annotation[] };
}

export const DASHBOARD_FILE = new URL('../grafana/ollama.json', import.meta.url);

export function readDashboard(): ShippedDashboard {
  return JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8'));
}

/** Those inside collapsed rows too, the rows themselves not. */
export function dataPanels(dashboard: ShippedDashboard): readonly DashboardPanel[] {
  return dashboard.panels
    .flatMap((panel) => [panel, ...(panel.panels ?? [])])
    .filter(({ type }) => type !== 'row');
}

/** Those of our own, with their queries. */
export function annotationQueries(
  dashboard: ShippedDashboard,
): ReadonlyArray<Annotation & { readonly expr: string }> {
  return dashboard.annotations.list.flatMap((annotation) =>
    annotation.expr === undefined ? [] : [{ ...annotation, expr: annotation.expr }],
  );
}
