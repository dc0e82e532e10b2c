/** Evaluates the shipped rules over synthetic series with promtool. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROMETHEUS_FOLDER } from '../rule-files.ts';

/** Values every 15 s by series, in promtool's notation: `1x3` is four of them, `_` is none in a scrape. */
export type InputSeries = Readonly<Record<string, string>>;

export interface ExpectedAlerts {
  readonly eval_time: string;
  readonly alertname: string;
  readonly exp_alerts: ReadonlyArray<{
    readonly exp_labels: Readonly<Record<string, string>>;
    readonly exp_annotations: Readonly<Record<string, string>>;
  }>;
}

export interface ExpectedSamples {
  readonly expr: string;
  readonly eval_time: string;
  readonly exp_samples: ReadonlyArray<{ readonly labels: string; readonly value: number }>;
}

/** @returns `SUCCESS`, or the unexpected result of promtool */
export type RuleTest = (series: InputSeries, expected: Expected) => string;

export interface Expected {
  readonly alert_rule_test?: readonly ExpectedAlerts[];
  readonly promql_expr_test?: readonly ExpectedSamples[];
}

/** @param promtool path of the binary */
export function ruleTest(promtool: string): RuleTest {
  const rule_files = ['recording.yml', 'alerts.yml'].map((name) =>
    fileURLToPath(new URL(name, PROMETHEUS_FOLDER)),
  );
  return (series, expected) =>
    runPromtool(promtool, {
      rule_files,
      evaluation_interval: '15s',
      group_eval_order: ['ollama.recording', 'ollama.work', 'ollama.alerts'],
      tests: [
        {
          interval: '15s',
          input_series: Object.entries(series).map(([name, values]) => ({
            series: name,
            values: markStale(values),
          })),
          ...expected,
        },
      ],
    });
}

/** Prometheus marks the end of a series as stale at once; promtool leaves that to the test. */
function markStale(values: string): string {
  return values.replaceAll(/(?<=\d )_(?:x(\d+))?/g, (_, count) =>
    count > 1 ? `stale _x${count - 1}` : 'stale',
  );
}

/** @param tests as in promtool's test file; JSON is YAML */
export function runPromtool(promtool: string, tests: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'rules-'));
  const file = join(folder, 'rules.test.yml');
  writeFileSync(file, JSON.stringify(tests));
  const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return status === 0 ? 'SUCCESS' : `${stdout}${stderr}`;
}
