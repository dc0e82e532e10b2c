/** Links of the dashboard: to itself for one server, to the exporter's page, to the documentation. */

export const DASHBOARD_UID = 'ollama-overview';

const DOCS = 'https://github.com/ollama-exporter/ollama-exporter/blob/main/docs';
export const RUNBOOKS = `${DOCS}/runbooks.md`;
export const ABOUT = `${DOCS}/dashboard.md`;

interface Link {
  readonly title: string;
  readonly url: string;
  readonly targetBlank: boolean;
}

export const onlyThisServer: Link = {
  title: 'Show only this server',
  url: `/d/${DASHBOARD_UID}?\${datasource:queryparam}&var-job=\${__data.fields.job:percentencode}&var-instance=\${__data.fields.instance:percentencode}&\${exporter_page:queryparam}&\${__url_time_range}`,
  targetBlank: false,
};

/** The variable is a prefix of the instance: `http://`, or `http://exporter:10434/?target=`. */
export const exporterPage: Link = {
  title: "Open the exporter's page",
  url: `\${exporter_page:raw}\${__value.raw}`,
  targetBlank: true,
};

/** @param anchor of its heading, in lower case */
export function runbook(anchor: string): Link {
  return { title: 'Open the runbook', url: `${RUNBOOKS}#${anchor}`, targetBlank: true };
}

/** The runbook of the alert in this row. */
export const runbookOfAlert = runbook(`\${__data.fields.runbook}`);
