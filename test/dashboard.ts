/** The dashboard as it is shipped, and what its tests ask of it. */
import { readFileSync } from 'node:fs';

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly instant?: boolean;
  readonly datasource: { readonly uid: string };
}

export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly noValue?: string } };
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

export interface ShippedDashboard {
  readonly id: number | null;
  readonly uid: string;
  readonly editable: boolean;
  readonly panels: readonly DashboardPanel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: {
    readonly list: ReadonlyArray<{ readonly expr: string; readonly datasource: { uid: string } }>;
  };
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
