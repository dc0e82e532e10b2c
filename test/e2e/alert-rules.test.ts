import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { PROMETHEUS_FOLDER, readRules } from '../rule-files.ts';

const binaries = inject('prometheus');
const promtool = binaries?.['promtool'] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'rules-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** Labels that the user's target has beside job and instance: they stay on every alert. */
const TARGET = 'job="ollama",instance="gpu-07:10434",rack="r1"';
const TARGET_LABELS = { job: 'ollama', instance: 'gpu-07:10434', rack: 'r1' };
const MODEL = `model="llama3.1:8b",quantization="Q4_K_M",${TARGET}`;
const MODEL_LABELS = { model: 'llama3.1:8b', quantization: 'Q4_K_M', ...TARGET_LABELS };
const OTHER = `model="all-minilm:latest",quantization="F16",${TARGET}`;

/** Values every 15 s by name of the series, in promtool's notation: `1x3` is four of them, `_` is none in a scrape. */
type InputSeries = Readonly<Record<string, string>>;

interface Case {
  readonly alert: string;
  readonly fires: {
    readonly series: InputSeries;
    /** Not a scrape earlier. */
    readonly at: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly description: string;
  };
  /** Just under the threshold, or for just too short a time. */
  readonly under: InputSeries;
  /** All is well, but for single scrapes that failed. */
  readonly failedScrape: InputSeries;
}

const GIB = 1024 ** 3;
const up = { [`up{${TARGET}}`]: '1x80' };

/** The series of one model; sizes in GiB. */
function model(labels: string, size: string, vram: string): InputSeries {
  return {
    [`ollama_model_size_bytes{${labels}}`]: gib(size),
    [`ollama_model_size_vram_bytes{${labels}}`]: gib(vram),
  };
}

function gib(values: string): string {
  return values.replaceAll(/(?<![x\d.])\d+(\.\d+)?/g, (number) => String(Number(number) * GIB));
}

const vramOf24 = { ...up, [`ollama_vram_capacity_bytes{${TARGET}}`]: gib('24x80') };
const memoryOf10 = { ...up, [`ollama_memory_capacity_bytes{${TARGET}}`]: gib('10x80') };
/** Whether /api/ps was read; `_` where the scrape of the exporter failed. */
const ps = (values: string) => ({ [`ollama_scrape_success{api="ps",${TARGET}}`]: values });
const psOk = ps('1x80');
/** In for a scrape, out for a scrape, so many times. */
const visits = (times: number) => '1 _ '.repeat(times).trim();

const RELOADED = `ollama_exporter_config_last_reload_successful{${TARGET}}`;

const CASES: readonly Case[] = [
  {
    alert: 'OllamaDown',
    fires: {
      series: {
        ...up,
        [`ollama_up{${TARGET}}`]: '1x3 0 0 0 _ 0x20',
        [`ollama_scrape_error{api="ps",reason="timeout",${TARGET}}`]: '_x3 1 1 1 _ 1x20',
      },
      at: '3m',
      labels: { ...TARGET_LABELS, severity: 'critical' },
      description: 'The Ollama behind gpu-07:10434 has not answered for over 2 minutes. Reason: timeout.',
    },
    under: { ...up, [`ollama_up{${TARGET}}`]: '1x3 0x7 1x60' },
    failedScrape: { ...up, [`ollama_up{${TARGET}}`]: '1x3 0 1x20 0 1 0 1x40' },
  },
  {
    alert: 'OllamaExporterDown',
    fires: {
      series: { [`up{${TARGET}}`]: '1x3 0x30', [`ollama_up{${TARGET}}`]: '1x3 _x30' },
      at: '6m',
      labels: { ...TARGET_LABELS, severity: 'critical' },
      description:
        'Prometheus has had no metrics of the Ollama exporter gpu-07:10434 for over 5 minutes, so nothing is known of its Ollama.',
    },
    under: { [`up{${TARGET}}`]: '1x3 0x18 1x60', [`ollama_up{${TARGET}}`]: '1x3 _x18 1x60' },
    failedScrape: { [`up{${TARGET}}`]: '1x3 0 1x30 0 1x30', [`ollama_up{${TARGET}}`]: '1x3 _ 1x30 _ 1x30' },
  },
  {
    alert: 'OllamaModelListUnavailable',
    fires: {
      series: {
        ...up,
        [`ollama_up{${TARGET}}`]: '1x10 _ 1x30',
        [`ollama_scrape_success{api="ps",${TARGET}}`]: '1x3 0x6 _ 0x30',
        [`ollama_scrape_success{api="version",${TARGET}}`]: '1x10 _ 1x30',
        [`ollama_scrape_error{api="ps",reason="reset",${TARGET}}`]: '_x3 1 _x50',
        [`ollama_scrape_error{api="ps",reason="timeout",${TARGET}}`]: '_x4 1x5 _ 1x30',
      },
      at: '6m',
      labels: { ...TARGET_LABELS, severity: 'warning' },
      description:
        'The Ollama behind gpu-07:10434 answers, but its list of loaded models (/api/ps) has failed for over 5 minutes. Reason: timeout; a timeout means a stuck scheduler, or an MLX model that is loading.',
    },
    under: {
      ...up,
      [`ollama_up{${TARGET}}`]: '1x80',
      [`ollama_scrape_success{api="ps",${TARGET}}`]: '1x3 0x18 1x60',
    },
    failedScrape: {
      ...up,
      [`ollama_up{${TARGET}}`]: '1x80',
      [`ollama_scrape_success{api="ps",${TARGET}}`]: '1x3 0 1x20 0 1x20',
    },
  },
  {
    alert: 'OllamaVramAlmostFull',
    fires: {
      series: { ...vramOf24, ...psOk, ...model(MODEL, '21x20 _ 21x60', '21x20 _ 21x60') },
      at: '10m',
      labels: { ...TARGET_LABELS, severity: 'warning' },
      description:
        'Loaded models have taken 87.5% of the VRAM of the Ollama behind gpu-07:10434, and over 85% for 10 minutes. The next model may evict one of them, or spill to RAM.',
    },
    under: { ...vramOf24, ...psOk, ...model(MODEL, '20.4x80', '20.4x80') },
    failedScrape: {
      ...vramOf24,
      ...psOk,
      // One makes room for the other while a scrape fails: never are both there.
      ...model(MODEL, '20x20 _x60', '20x20 _x60'),
      ...model(OTHER, '_x21 20x60', '_x21 20x60'),
    },
  },
  {
    alert: 'OllamaVramFull',
    fires: {
      series: {
        ...vramOf24,
        ...psOk,
        ...model(MODEL, '12x10 _ 12x60', '12x10 _ 12x60'),
        ...model(OTHER, '11x10 _ 11x60', '11x10 _ 11x60'),
      },
      at: '5m',
      labels: { ...TARGET_LABELS, severity: 'critical' },
      description:
        'Loaded models have taken 95.83% of the VRAM of the Ollama behind gpu-07:10434, and over 95% for 5 minutes. The next load will evict a model, spill to RAM or fail.',
    },
    under: { ...vramOf24, ...psOk, ...model(MODEL, '22.7x80', '22.7x80') },
    failedScrape: { ...vramOf24, ...psOk, ...model(MODEL, '22x20 _ 22x60', '22x20 _ 22x60') },
  },
  {
    alert: 'OllamaMemoryAlmostFull',
    fires: {
      series: {
        ...memoryOf10,
        ...psOk,
        ...model(MODEL, '12x10 _ 12x60', '2.5x10 _ 2.5x60'),
        ...model(OTHER, '1x10 _ 1x60', '99x10 _ 99x60'),
      },
      at: '5m',
      labels: { ...TARGET_LABELS, severity: 'critical' },
      description:
        'The parts of models that are in RAM have taken 95% of the memory of the Ollama behind gpu-07:10434, and over 90% for 5 minutes. It may soon be killed for want of memory.',
    },
    under: { ...memoryOf10, ...psOk, ...model(MODEL, '12x80', '3x80'), ...model(OTHER, '1x80', '99x80') },
    failedScrape: { ...memoryOf10, ...psOk, ...model(MODEL, '8x20 _ 8x60', '0x20 _ 0x60') },
  },
  {
    alert: 'OllamaModelSpilledToRam',
    fires: {
      series: {
        ...up,
        ...ps('1x4 0 1x4 _ 1x60'),
        ...model(MODEL, '32x4 _ 32x4 _ 32x60', '24x4 _ 24x4 _ 24x60'),
      },
      at: '5m',
      labels: { ...MODEL_LABELS, severity: 'warning' },
      description:
        '25% of llama3.1:8b (Q4_K_M) on gpu-07:10434 has been in RAM for over 5 minutes: VRAM was too small for it when it was loaded, or num_gpu limits it. It answers slowly.',
    },
    under: { ...up, ...psOk, ...model(MODEL, '32x19 _x60', '24x19 _x60'), ...model(OTHER, '1x80', '2x80') },
    failedScrape: {
      ...up,
      ...ps('1x20 _ 1x60'),
      ...model(MODEL, '24x20 _ 24x60', '24x20 _ 24x60'),
      ...model(OTHER, '0x80', '0x80'),
    },
  },
  {
    alert: 'OllamaModelOnCpu',
    fires: {
      series: { ...vramOf24, ...ps('1x10 _ 1x60'), ...model(MODEL, '4x10 _ 4x60', '0x10 _ 0x60') },
      at: '5m',
      labels: { ...MODEL_LABELS, severity: 'warning' },
      description:
        'All of llama3.1:8b (Q4_K_M) on gpu-07:10434 has been on the CPU for over 5 minutes, although the server has a GPU.',
    },
    under: { ...up, ...psOk, ...model(MODEL, '4x80', '0x80'), ...model(OTHER, '1x80', '0x80') },
    failedScrape: {
      ...vramOf24,
      ...ps('1x20 _ 1x60'),
      ...model(MODEL, '4x20 _ 4x60', '1x20 _ 1x60'),
      ...model(OTHER, '0x80', '0x80'),
    },
  },
  {
    alert: 'OllamaModelThrashing',
    fires: {
      series: { ...up, ...psOk, [`ollama_model_size_bytes{${MODEL}}`]: visits(4) },
      at: '1m45s',
      labels: { ...MODEL_LABELS, severity: 'warning' },
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 came and went 4 times within 15 minutes. Each load costs its users seconds to minutes.',
    },
    under: { ...up, ...psOk, [`ollama_model_size_bytes{${MODEL}}`]: visits(3) },
    failedScrape: {
      ...up,
      [`ollama_model_size_bytes{${MODEL}}`]: visits(10),
      [`ollama_scrape_success{api="ps",${TARGET}}`]: visits(10).replaceAll('_', '0'),
    },
  },
  {
    alert: 'OllamaModelOverdue',
    fires: {
      series: { ...up, [`ollama_model_expires_in_seconds{${MODEL}}`]: '-585-15x2 _ -645-15x60' },
      at: '2m30s',
      labels: { ...MODEL_LABELS, severity: 'warning' },
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 is 12m 15s past its expiry. Ollama sets a new one only when the model goes idle, so it has not been idle for at least that long: steady overlapping requests (normal under load), one very long request, or one that is stuck.',
    },
    under: {
      ...up,
      [`ollama_model_expires_in_seconds{${MODEL}}`]: '0-15x40 300-15x40',
      [`ollama_model_expires_in_seconds{${OTHER}}`]: '+Inf +Inf +Inf',
    },
    failedScrape: { ...up, [`ollama_model_expires_in_seconds{${MODEL}}`]: '-500x10 _ -500x60' },
  },
  {
    alert: 'OllamaContextShrunk',
    fires: {
      series: { ...up, [`ollama_model_context_length_tokens{${MODEL}}`]: '32768x3 8192x8 _ 8192x60' },
      at: '6m',
      labels: { ...MODEL_LABELS, severity: 'info' },
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 has a context of 8192 tokens, less than it had within the last day. Ollama lowers it when memory is short; prompts that no longer fit are cut.',
    },
    under: {
      ...up,
      [`ollama_model_context_length_tokens{${MODEL}}`]: '32768x3 8192x18 32768x60',
      [`ollama_model_context_length_tokens{${OTHER}}`]: '256x20 512x60',
    },
    failedScrape: { ...up, [`ollama_model_context_length_tokens{${MODEL}}`]: '32768x10 _ 32768x60' },
  },
  {
    alert: 'OllamaExporterConfigReloadFailed',
    fires: {
      series: { ...up, [RELOADED]: '1x3 0x6 _ 0x30' },
      at: '6m',
      labels: { ...TARGET_LABELS, severity: 'warning' },
      description:
        'The configuration file of the Ollama exporter gpu-07:10434 was bad when it was read again, over 5 minutes ago. The old configuration is still in force; a restart would fail.',
    },
    under: { ...up, [RELOADED]: '1x3 0x18 1x60' },
    failedScrape: { ...up, [RELOADED]: '1x3 _ 1x30 _ 1x30' },
  },
];

interface Expected {
  readonly at: string;
  readonly alerts: ReadonlyArray<{
    readonly exp_labels: Readonly<Record<string, string>>;
    readonly exp_annotations: Readonly<Record<string, string>>;
  }>;
}

/** Evaluates the shipped rules every 15 s over these series, and compares. */
function checkRules(alert: string, series: InputSeries, expected: readonly Expected[]): string {
  return runPromtool({
    rule_files: ['recording.yml', 'alerts.yml'].map((name) =>
      fileURLToPath(new URL(name, PROMETHEUS_FOLDER)),
    ),
    evaluation_interval: '15s',
    group_eval_order: ['ollama.recording', 'ollama.alerts'],
    tests: [
      {
        interval: '15s',
        input_series: Object.entries(series).map(([name, values]) => ({
          series: name,
          values: markStale(values),
        })),
        alert_rule_test: expected.map(({ at, alerts }) => ({
          eval_time: at,
          alertname: alert,
          exp_alerts: alerts,
        })),
      },
    ],
  });
}

/** Where a series ends, Prometheus marks it stale at once; promtool leaves that to the test. */
function markStale(values: string): string {
  return values.replaceAll(/(?<=\d )_(?:x(\d+))?/g, (_, count) =>
    count > 1 ? `stale _x${count - 1}` : 'stale',
  );
}

/** Every 15 s for 20 minutes, to be sure that it never fires in between. */
const NEVER: readonly Expected[] = Array.from({ length: 80 }, (_, index) => ({
  at: `${index * 15}s`,
  alerts: [],
}));

describe.skipIf(binaries === undefined)('the alerts', () => {
  test('are all tested', () => {
    expect(CASES.map(({ alert }) => alert)).toEqual(readRules('alerts.yml').map(({ alert }) => alert));
  });

  test('are valid rules to promtool', () => {
    for (const name of ['alerts.yml', 'recording.yml']) {
      const file = fileURLToPath(new URL(name, PROMETHEUS_FOLDER));
      expect(spawnSync(promtool, ['check', 'rules', file]).status).toBe(0);
    }
  });

  describe.each(CASES)('$alert', ({ alert, fires, under, failedScrape }) => {
    const rule = readRules('alerts.yml').find((candidate) => candidate.alert === alert);

    test('fires, with all that a person needs to know, across a failed scrape, and not earlier', () => {
      const exp_annotations = {
        summary: rule?.annotations?.['summary'] ?? '',
        description: fires.description,
        runbook_url: `https://github.com/ollama-exporter/ollama-exporter/blob/main/docs/runbooks.md#${alert.toLowerCase()}`,
      };
      const firing = { at: fires.at, alerts: [{ exp_labels: fires.labels, exp_annotations }] };
      expect(checkRules(alert, fires.series, [{ at: scrapeBefore(fires.at), alerts: [] }, firing])).toBe(
        'SUCCESS',
      );
    });

    test('does not fire just under its threshold', () => {
      expect(checkRules(alert, under, NEVER)).toBe('SUCCESS');
    });

    test('does not fire for a failed scrape', () => {
      expect(checkRules(alert, failedScrape, NEVER)).toBe('SUCCESS');
    });
  });

  describe('OllamaExporterDown', () => {
    test('fires for a job of any name that once had an exporter, and once only', () => {
      const other = 'job="gpu-nodes",instance="gpu-07:10434"';
      const series = { [`up{${other}}`]: '1x3 0x400', [`ollama_up{${other}}`]: '1x3 _x400' };
      const labels = { job: 'gpu-nodes', instance: 'gpu-07:10434' };
      expect(firesAt('6m', series, labels)).toBe('SUCCESS');
      expect(firesAt('90m', series, labels)).toBe('SUCCESS');
    });

    const second = TARGET.replace('gpu-07', 'gpu-08');
    const longUp = '1x400';

    test('fires for one of two that is gone from service discovery', () => {
      const series = {
        [`up{${TARGET}}`]: '1x300 _x300',
        [`ollama_up{${TARGET}}`]: '1x300 _x300',
        [`up{${second}}`]: longUp,
        [`ollama_up{${second}}`]: longUp,
      };
      expect(firesAt('81m', series, TARGET_LABELS)).toBe('SUCCESS');
    });

    test('fires when the only one is gone', () => {
      const series = { [`up{${TARGET}}`]: '1x300 _x300', [`ollama_up{${TARGET}}`]: '1x300 _x300' };
      expect(firesAt('81m', series, TARGET_LABELS)).toBe('SUCCESS');
    });

    test('keeps still while another one takes its place', () => {
      const series = {
        [`up{${TARGET}}`]: '1x300 _x300',
        [`ollama_up{${TARGET}}`]: '1x300 _x300',
        [`up{${second}}`]: '_x300 1x300',
        [`ollama_up{${second}}`]: '_x300 1x300',
      };
      const never = Array.from({ length: 120 }, (_, minute) => ({ at: `${minute}m`, alerts: [] }));
      expect(checkRules('OllamaExporterDown', series, never)).toBe('SUCCESS');
    });

    test('fires when there never was one', () => {
      expect(firesAt('6m', { 'up{job="node"}': '1x80' }, {})).toBe('SUCCESS');
    });
  });

  test('OllamaModelListUnavailable keeps still while Ollama is down altogether', () => {
    const series = { ...up, ...ps('0x80'), [`ollama_up{${TARGET}}`]: '0x80' };
    expect(checkRules('OllamaModelListUnavailable', series, NEVER)).toBe('SUCCESS');
  });

  test('OllamaModelOnCpu fires without a known capacity where another model is on the GPU', () => {
    const series = { ...up, ...psOk, ...model(MODEL, '4x80', '0x80'), ...model(OTHER, '1x80', '1x80') };
    expect(alertsAt('OllamaModelOnCpu', '5m', series)).toContain(`model="llama3.1:8b"`);
    expect(alertsAt('OllamaModelOnCpu', '5m', series)).not.toContain('all-minilm');
  });

  test.each(['OllamaVramAlmostFull', 'OllamaVramFull', 'OllamaMemoryAlmostFull'])(
    '%s keeps still where the capacity is said to be 0, and ends as soon as the models have left',
    (alert) => {
      const full = { ...psOk, ...model(MODEL, '64x60 _x60', '32x60 _x60') };
      const loaded = { [`ollama_loaded_models{${TARGET}}`]: '1x60 0x60' };
      const capacity = (size: string) => ({
        [`ollama_vram_capacity_bytes{${TARGET}}`]: gib(size),
        [`ollama_memory_capacity_bytes{${TARGET}}`]: gib(size),
      });
      expect(checkRules(alert, { ...up, ...full, ...capacity('0x120') }, NEVER)).toBe('SUCCESS');
      const series = { ...up, ...full, ...loaded, ...capacity('32x120') };
      expect(alertsAt(alert, '15m', series)).toContain(alert);
      expect(checkRules(alert, series, [{ at: '15m15s', alerts: [] }])).toBe('SUCCESS');
    },
  );

  test('OllamaModelThrashing and OllamaContextShrunk look back as far as they say', () => {
    const visitsOver12Minutes = '1x5 _x6 '.repeat(4).trim();
    const thrashing = { ...up, ...psOk, [`ollama_model_size_bytes{${MODEL}}`]: visitsOver12Minutes };
    expect(alertsAt('OllamaModelThrashing', '11m30s', thrashing)).toContain('came and went 4 times');
    const shrunk = { [`ollama_model_context_length_tokens{${MODEL}}`]: '1048576x3 524288x2880' };
    expect(alertsAt('OllamaContextShrunk', '12h', shrunk)).toContain('has a context of 524288 tokens');
  });

  /** What promtool says that it got, where nothing was expected. */
  function alertsAt(alert: string, at: string, series: InputSeries): string {
    return checkRules(alert, series, [{ at, alerts: [] }]);
  }

  /** With whatever annotations: compares the labels only. */
  function firesAt(at: string, series: InputSeries, labels: Readonly<Record<string, string>>): string {
    const instance = labels['instance'];
    const whose = instance === undefined ? 'any Ollama exporter' : `the Ollama exporter ${instance}`;
    const exp_annotations = {
      summary: 'The Ollama exporter is down.',
      description: `Prometheus has had no metrics of ${whose} for over 5 minutes, so nothing is known of its Ollama.`,
      runbook_url:
        'https://github.com/ollama-exporter/ollama-exporter/blob/main/docs/runbooks.md#ollamaexporterdown',
    };
    const exp_labels = { ...labels, severity: 'critical' };
    return checkRules('OllamaExporterDown', series, [{ at, alerts: [{ exp_labels, exp_annotations }] }]);
  }
});

describe.skipIf(binaries === undefined)('the joins in docs/capacity.md', () => {
  const page = readFileSync(new URL('../../docs/capacity.md', import.meta.url), 'utf8');
  const [dcgm = '', smi = '', rest = ''] = [...page.matchAll(/```promql\n(.*?)```/gs)].map(([, expr = '']) =>
    expr.trim(),
  );
  const GPUS = ['gpu="0"', 'gpu="1"'];
  const series = {
    ...model('model="a",quantization="q",job="ollama",instance="gpu-07:10434",host="gpu-07"', '6', '6'),
    ...Object.fromEntries(
      GPUS.flatMap((gpu) => {
        const labels = `${gpu},job="gpu",instance="gpu-07:9400",host="gpu-07"`;
        return [
          [`DCGM_FI_DEV_FB_USED{${labels}}`, '4096'],
          [`DCGM_FI_DEV_FB_FREE{${labels}}`, '8192'],
          [`nvidia_smi_memory_total_bytes{${labels}}`, gib('12')],
        ];
      }),
    ),
  };

  test.each([
    [dcgm, '{host="gpu-07",instance="gpu-07:10434",job="ollama"}', 0.25],
    [smi, '{host="gpu-07",instance="gpu-07:10434",job="ollama"}', 0.25],
    [rest, '{host="gpu-07"}', 2 * GIB],
  ])('%s', (expr, labels, value) => {
    const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const promql_expr_test = [{ expr, eval_time: '0s', exp_samples: [{ labels, value }] }];
    expect(runPromtool({ tests: [{ interval: '15s', input_series, promql_expr_test }] })).toBe('SUCCESS');
  });
});

function runPromtool(tests: object): string {
  const file = join(folder, 'rules.test.yml');
  writeFileSync(file, JSON.stringify(tests));
  const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
  return status === 0 ? 'SUCCESS' : `${stdout}${stderr}`;
}

function scrapeBefore(time: string): string {
  const [, minutes = 0, seconds = 0] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(time) ?? [];
  return `${Number(minutes) * 60 + Number(seconds) - 15}s`;
}
