/** Evaluates the shipped alerts over a past hour, as Prometheus would have done. */
import type { Prometheus } from '../../test/e2e/prometheus-process.ts';
import { type Rule, readRules } from '../../test/rule-files.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Unix seconds. */
  readonly at: number;
  readonly value: number;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

function seconds(duration = '0s'): number {
  const [, amount, unit = ''] = /^(\d+)([smh])$/.exec(duration) ?? [];
  return Number(amount) * (SECONDS[unit] ?? Number.NaN);
}

/**
 * @param start Unix seconds, like `end`; `step` in seconds is the evaluation interval
 * @returns the series ALERTS and ALERTS_FOR_STATE
 */
export async function evaluateAlerts(
  prometheus: Prometheus,
  start: number,
  end: number,
  step: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const rule of readRules('alerts.yml')) {
    for (const { labels, samples: met } of await prometheus.queryRange(rule.expr, start, end, step)) {
      const { __name__: _, ...own } = labels;
      const instants = new Set(met.map(([at]) => at));
      samples.push(...alertSeries(rule, { ...own, ...rule.labels }, instants, start, end, step));
    }
  }
  return samples;
}

function alertSeries(
  { alert = '', for: duration, keep_firing_for }: Rule,
  own: Readonly<Record<string, string>>,
  met: ReadonlySet<number>,
  start: number,
  end: number,
  step: number,
): readonly Sample[] {
  const labels = { alertname: alert, ...own };
  const samples: Sample[] = [];
  let since: number | undefined;
  let lastMet = start;
  for (let at = start; at <= end; at += step) {
    const fires = since !== undefined && at - since >= seconds(duration);
    if (met.has(at)) {
      since ??= at;
      lastMet = at;
    } else if (!fires || at - lastMet > seconds(keep_firing_for)) {
      since = undefined;
    }
    if (since !== undefined) {
      const alertstate = at - since >= seconds(duration) ? 'firing' : 'pending';
      samples.push({ name: 'ALERTS', labels: { ...labels, alertstate }, at, value: 1 });
      samples.push({ name: 'ALERTS_FOR_STATE', labels, at, value: since });
    }
  }
  return samples;
}
