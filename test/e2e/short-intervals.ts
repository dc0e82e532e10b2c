/**
 * Makes the shipped Prometheus configuration fast enough for a test, and changes nothing else: every duration (`for`,
 * `keep_firing_for`, `[1m]`, `offset 9m`) is divided by DIVISOR, the intervals are one second, and the addresses those
 * of the test. Thresholds, labels and texts are unchanged.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { PROMETHEUS_FOLDER } from '../rule-files.ts';

/** A window of 1m becomes 3 s, which is three scrapes of this test. */
const DIVISOR = 20;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

function shorten(duration: string): string {
  const [, amount, unit = ''] = /^(\d+)([smhdw])$/.exec(duration) ?? [];
  return `${(Number(amount) * (SECONDS[unit] ?? Number.NaN) * 1_000) / DIVISOR}ms`;
}

export function shortenedRules(file: 'alerts.yml' | 'recording.yml'): string {
  return readFileSync(new URL(file, PROMETHEUS_FOLDER), 'utf8').replaceAll(
    /(?<=^\s+(?:keep_firing_)?for: |\boffset |\[)\d+[smhd]\b/gm,
    shorten,
  );
}

export function shortenedConfig(exporterHost: string, alertmanagerHost: string): string {
  const shipped = parse(readFileSync(new URL('prometheus.yml', PROMETHEUS_FOLDER), 'utf8'));
  const text = JSON.stringify({
    ...shipped,
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
  });
  return text.replace('localhost:10434', exporterHost).replace('localhost:9093', alertmanagerHost);
}

/** @param webhook to which every receiver sends its notifications */
export function shortenedAlertmanager(webhook: string): string {
  const config = parse(
    readFileSync(new URL('alertmanager.yml', PROMETHEUS_FOLDER), 'utf8').replaceAll(
      /(?<=^\s+(?:group_wait|group_interval|repeat_interval): )\S+/gm,
      shorten,
    ),
  );
  const receivers = config.receivers.map(({ name }: { readonly name: string }) => ({
    name,
    webhook_configs: [{ url: webhook, max_alerts: 0 }],
  }));
  return JSON.stringify({ ...config, receivers });
}
