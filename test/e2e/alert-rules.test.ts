import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { REASONS } from '../../src/ollama/errors.ts';
import { PROMETHEUS_FOLDER, readRules } from '../rule-files.ts';
import { type InputSeries, ruleTest, runPromtool } from './promtool.ts';
import { relabelled, TARGET_LABELS, type TargetLabels } from './target-labels.ts';

const binaries = inject('prometheus');
const promtool = binaries?.['promtool'] ?? '';

/** Additional labels of the user's target: they stay on every alert. */
const TARGET = 'job="ollama",instance="gpu-07:10434",rack="r1"';
const LABELS_OF_TARGET = { job: 'ollama', instance: 'gpu-07:10434', rack: 'r1' };
const MODEL = `model="llama3.1:8b",quantization="Q4_K_M",${TARGET}`;
const LABELS_OF_MODEL = { model: 'llama3.1:8b', quantization: 'Q4_K_M', ...LABELS_OF_TARGET };
const OTHER = `model="all-minilm:latest",quantization="F16",${TARGET}`;

interface Case {
  readonly alert: string;
  readonly fires: {
    readonly series: InputSeries;
    /** And not one scrape earlier. */
    readonly at: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly summary: string;
    readonly description: string;
    /** Labels of the target that the alert drops, since it aggregates. */
    readonly drops?: readonly string[];
  };
  /** Just under the threshold, or for slightly too short a time. */
  readonly under: InputSeries;
  /** Normal operation, except for single failed scrapes. */
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
/** Whether /api/ps succeeded; `_` if the scrape of the exporter failed. */
const ps = (values: string) => ({
  [`ollama_scrape_success{api="ps",${TARGET}}`]: values,
  [`ollama_loaded_models{${TARGET}}`]: values.replaceAll(/\b0/g, '_'),
});
const psOk = ps('1x80');
/** Present and absent in alternating scrapes, so many times. */
const visits = (times: number) => '1 _ '.repeat(times).trim();

/** Slots and counters of a model; the counters have the same value, which may be constant. */
function work(labels: string, busy: string, tokens: string): InputSeries {
  return {
    [`ollama_model_slots_busy{${labels}}`]: busy,
    [`ollama_model_generated_tokens_total{${labels}}`]: tokens,
    [`ollama_model_prompt_tokens_total{${labels}}`]: tokens,
    [`ollama_model_prompt_cached_tokens_total{${labels}}`]: tokens,
  };
}

/** Requests with one outcome, as a counter. */
function requests(outcome: string, counted: string, modelName = 'llama3.1:8b', api = 'chat'): InputSeries {
  return {
    [`ollama_proxy_requests_total{api="${api}",model="${modelName}",outcome="${outcome}",${TARGET}}`]:
      counted,
  };
}

/** Streams with a time to first token of up to so many seconds, in a single bucket. */
function firstTokens(seconds: '10' | '30' | '60', counted: string, modelName = 'llama3.1:8b'): InputSeries {
  const labels = `api="chat",model="${modelName}",${TARGET}`;
  const name = 'ollama_proxy_time_to_first_token_seconds';
  const buckets = ['10', '30', '60', '+Inf'].map((le) => [
    `${name}_bucket{le="${le}",${labels}}`,
    Number(le) < Number(seconds) ? '0x160' : counted,
  ]);
  return { ...Object.fromEntries(buckets), [`${name}_count{${labels}}`]: counted };
}

const PROXY_DROPS = ['model', 'api', 'outcome'];

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
      labels: { ...LABELS_OF_TARGET, severity: 'critical' },
      summary: 'Ollama on gpu-07:10434 is down.',
      description: `Ollama on gpu-07:10434 has not responded for over 2 minutes. Reason: timeout. ${REASONS.timeout}`,
    },
    under: { ...up, [`ollama_up{${TARGET}}`]: '1x3 0x7 1x60' },
    failedScrape: { ...up, [`ollama_up{${TARGET}}`]: '1x3 0 1x20 0 1 0 1x40' },
  },
  {
    alert: 'OllamaExporterDown',
    fires: {
      series: { [`up{${TARGET}}`]: '1x3 0x30', [`ollama_up{${TARGET}}`]: '1x3 _x30' },
      at: '6m',
      labels: { ...LABELS_OF_TARGET, severity: 'critical' },
      summary: 'The Ollama exporter for gpu-07:10434 is down.',
      description:
        'Prometheus has not been able to scrape the Ollama exporter for gpu-07:10434 (job ollama) for over 5 minutes. Nothing is known about its Ollama, and no other alert can fire for it.',
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
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      summary: 'Ollama on gpu-07:10434 is up, but does not report its loaded models.',
      description: `Ollama on gpu-07:10434 responds, but its list of loaded models (/api/ps) has failed for over 5 minutes. Reason: timeout. ${REASONS.timeout}`,
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
      series: { ...vramOf24, ...psOk, ...model(MODEL, '21x3 _ 21x60', '21x3 _ 21x60') },
      at: '2m',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      summary: 'VRAM on gpu-07:10434 is almost full: 88%.',
      description:
        'On average over 10 minutes, loaded models have taken 88% of the VRAM of gpu-07:10434 (24.0 GiB). Largest: llama3.1:8b, 21.0 GiB. The next model may evict one of them, or spill into RAM.',
    },
    under: { ...vramOf24, ...psOk, ...model(MODEL, '20.4x80', '20.4x80') },
    failedScrape: {
      ...vramOf24,
      ...psOk,
      // One evicts the other while a scrape fails: both are never loaded at once.
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
        ...model(MODEL, '12x1 _ 12x60', '12x1 _ 12x60'),
        ...model(OTHER, '11x1 _ 11x60', '11x1 _ 11x60'),
      },
      at: '1m',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      summary: 'VRAM on gpu-07:10434 is full: 96%.',
      description:
        'On average over 5 minutes, loaded models have taken 96% of the VRAM of gpu-07:10434 (24.0 GiB). Largest: llama3.1:8b, 12.0 GiB. The next load will evict a model, spill into RAM or fail.',
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
        ...model(MODEL, '12x1 _ 12x60', '2.5x1 _ 2.5x60'),
        ...model(OTHER, '1x1 _ 1x60', '99x1 _ 99x60'),
      },
      at: '1m',
      labels: { ...LABELS_OF_TARGET, severity: 'critical' },
      summary: 'RAM on gpu-07:10434 is almost full of models: 95%.',
      description:
        'On average over 5 minutes, the parts of models in RAM have taken 95% of the memory of gpu-07:10434 (10.0 GiB). Largest: llama3.1:8b, 9.5 GiB. Ollama is at risk of being OOM-killed.',
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
      at: '10m',
      labels: { ...LABELS_OF_MODEL, severity: 'warning' },
      summary: 'llama3.1:8b on gpu-07:10434 does not fit into VRAM, and is slow.',
      description:
        '25% of llama3.1:8b (Q4_K_M) on gpu-07:10434 has been in RAM for over 10 minutes: VRAM was too small for it when it was loaded, or num_gpu limits it. It generates slowly.',
    },
    under: { ...up, ...psOk, ...model(MODEL, '32x39 _x60', '24x39 _x60'), ...model(OTHER, '1x80', '2x80') },
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
      at: '10m',
      labels: { ...LABELS_OF_MODEL, severity: 'warning' },
      summary: 'llama3.1:8b on gpu-07:10434 runs on the CPU, although there is a GPU.',
      description:
        'All of llama3.1:8b (Q4_K_M) on gpu-07:10434 has been on the CPU for over 10 minutes, although the server has a GPU.',
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
      labels: { ...LABELS_OF_MODEL, severity: 'warning' },
      summary: 'llama3.1:8b on gpu-07:10434 is loaded over and over.',
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 was loaded 4 times within 15 minutes: it makes room for other models and comes back, its keep_alive is too short, or clients request different num_ctx or other load options. Each load costs its users seconds to minutes.',
    },
    under: { ...up, ...psOk, [`ollama_model_size_bytes{${MODEL}}`]: visits(3) },
    failedScrape: {
      ...up,
      [`ollama_model_size_bytes{${MODEL}}`]: visits(10),
      ...ps(visits(10).replaceAll('_', '0')),
    },
  },
  {
    alert: 'OllamaModelOverdue',
    fires: {
      series: { ...up, [`ollama_model_expires_in_seconds{${MODEL}}`]: '-585-15x2 _ -645-15x60' },
      at: '2m30s',
      labels: { ...LABELS_OF_MODEL, severity: 'warning' },
      summary: 'llama3.1:8b on gpu-07:10434 has been busy for very long, or is stuck.',
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 is 12m 15s past its expiry. Ollama sets a new one only when the model becomes idle, so it has not been idle for at least that long: steady overlapping requests (normal under load), one very long request, or one that is stuck.',
    },
    under: {
      ...up,
      [`ollama_model_expires_in_seconds{${MODEL}}`]: '0-15x40 300-15x40',
      [`ollama_model_expires_in_seconds{${OTHER}}`]: '+Inf +Inf +Inf',
    },
    failedScrape: {
      ...up,
      ...psOk,
      ...model(MODEL, '4x80', '4x80'),
      [`ollama_model_expires_in_seconds{${MODEL}}`]: '300-15x9 _ 135-15x8 300-15x18 300-15x18 300-15x18',
    },
  },
  {
    alert: 'OllamaModelStuck',
    fires: {
      series: {
        ...up,
        ...ps('1x150'),
        ...model(MODEL, '4x150', '4x150'),
        ...work(MODEL, '_x5 1x10 _ 1x150', '7x20 _ 7x150'),
      },
      at: '31m15s',
      labels: { ...LABELS_OF_MODEL, severity: 'warning' },
      summary: 'llama3.1:8b on gpu-07:10434 has been busy for over 30 minutes without progress.',
      description:
        'llama3.1:8b (Q4_K_M) on gpu-07:10434 has had a busy slot for over 30 minutes, and in that time no request began or ended in it. Either its runner is stuck, or it generates one very long response. Query /slots of the runner twice: if n_decoded grows, it generates; if not, run ollama stop.',
    },
    // A request ends every half hour.
    under: {
      ...up,
      ...ps('1x360'),
      ...model(MODEL, '4x360', '4x360'),
      ...work(MODEL, '1x360', '7x119 9x119 11x119'),
    },
    // Idle for one scrape in between.
    failedScrape: {
      ...up,
      ...ps('1x360'),
      ...model(MODEL, '4x360', '4x360'),
      ...work(MODEL, '1x50 _ 1x50 0 1x100 _ 0 1x100', '7x360'),
    },
  },
  {
    alert: 'OllamaContextShrunk',
    fires: {
      series: { ...up, [`ollama_model_context_length_tokens{${MODEL}}`]: '32768x3 8192x8 _ 8192x60' },
      at: '6m',
      labels: { ...LABELS_OF_MODEL, severity: 'info' },
      summary: 'llama3.1:8b on gpu-07:10434 was loaded with less context than before.',
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
    alert: 'OllamaRequestsFailing',
    fires: {
      series: {
        ...up,
        ...requests('ok', '0+9x2 _ 36+9x60'),
        ...requests('cut', '0+1x2 _ 4+1x60'),
        ...requests('error', '0+0.2x2 _ 0.8+0.2x60', ''),
      },
      at: '2m45s',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      drops: PROXY_DROPS,
      summary: '12% of the requests to Ollama on gpu-07:10434 fail.',
      description:
        'Within 10 minutes, 12% of the requests through the proxy gpu-07:10434 have failed. Most of them: cut. Responses end before they are complete: a runner crashed, or Ollama was stopped. Its log says which.',
    },
    under: {
      ...up,
      ...requests('ok', '0+97x80'),
      ...requests('error', '0+5x80', ''),
      ...requests('bad_request', '0+40x80', ''),
    },
    failedScrape: { ...up, ...requests('ok', '0+1x20 _ 22+1x60'), ...requests('cut', '0x20 _ 2x60') },
  },
  {
    alert: 'OllamaBusy',
    fires: {
      series: { ...up, ...requests('ok', '0+9x2 _ 36+9x60'), ...requests('busy', '0+1x2 _ 4+1x60', '') },
      at: '2m45s',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      drops: PROXY_DROPS,
      summary: 'Ollama on gpu-07:10434 rejects 10% of its requests as busy.',
      description:
        'Within 10 minutes, Ollama has responded to 10% of the requests through the proxy gpu-07:10434 with 503: its queue (OLLAMA_MAX_QUEUE, 512 by default) was full. More requests arrive than it serves, or they wait for a model that does not load. Clients may try again; the queue stays full until there are fewer of them.',
    },
    under: { ...up, ...requests('ok', '0+1000x80'), ...requests('busy', '0+10x80', '') },
    failedScrape: { ...up, ...requests('ok', '0+1x20 _ 22+1x60'), ...requests('busy', '0x20 _ 2x60', '') },
  },
  {
    alert: 'OllamaSlowFirstToken',
    fires: {
      series: {
        ...up,
        ...firstTokens('60', '0+2x5 _ 14+2x80'),
        ...firstTokens('10', '0+0.1x5 _ 0.7+0.1x80', 'all-minilm:latest'),
      },
      at: '7m30s',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      drops: ['model', 'api'],
      summary: 'The first token of Ollama on gpu-07:10434 takes up to 58.42s.',
      description:
        'Within 15 minutes, one in twenty streams through the proxy gpu-07:10434 has waited for its first token for 58.42s or longer. Slowest: llama3.1:8b, 58.5s. Requests wait for a free slot, for a model to load, or for long prompts.',
    },
    under: { ...up, ...firstTokens('30', '0+2x80') },
    // Slow, but never twenty within 15 minutes.
    failedScrape: { ...up, ...firstTokens('60', '0 _ 1x20 _ 19x60') },
  },
  {
    alert: 'OllamaExporterConfigReloadFailed',
    fires: {
      series: { ...up, [RELOADED]: '1x3 0x6 _ 0x30' },
      at: '6m',
      labels: { ...LABELS_OF_TARGET, severity: 'warning' },
      summary: 'The Ollama exporter gpu-07:10434 could not reload its configuration.',
      description:
        'Reloading the configuration file of the Ollama exporter gpu-07:10434 failed more than 5 minutes ago. The old configuration is still in use; a restart would fail.',
    },
    under: { ...up, [RELOADED]: '1x3 0x18 1x60' },
    failedScrape: { ...up, [RELOADED]: '1x3 _ 1x30 _ 1x30' },
  },
];

/** Every 15 s for so many minutes, to check that it never fires in between. */
const during = (minutes: number) => Array.from({ length: minutes * 4 }, (_, index) => `${index * 15}s`);
const ALWAYS = during(20);
/** Alerts with a longer window. */
const WATCHED: Readonly<Record<string, readonly string[]>> = { OllamaModelStuck: during(80) };

describe.skipIf(binaries === undefined)('the alerts', () => {
  test('have a test for each rule', () => {
    expect(CASES.map(({ alert }) => alert)).toEqual(readRules('alerts.yml').map(({ alert }) => alert));
  });

  test('pass promtool check rules', () => {
    for (const name of ['alerts.yml', 'recording.yml']) {
      const file = fileURLToPath(new URL(name, PROMETHEUS_FOLDER));
      expect(spawnSync(promtool, ['check', 'rules', file]).status).toBe(0);
    }
  });

  describe.each(TARGET_LABELS)('$title:', alertsOf);
});

function alertsOf(target: TargetLabels): void {
  const check = ruleTest(promtool);
  const withLabels = (series: InputSeries): InputSeries =>
    Object.fromEntries(Object.entries(series).map(([name, values]) => [relabelled(name, target), values]));

  /** With all labels and texts. */
  function firesAt(
    at: string,
    alert: string,
    series: InputSeries,
    { labels, summary, description, drops = [] }: Omit<Case['fires'], 'series' | 'at'>,
  ): string {
    const exp_annotations = {
      summary,
      description,
      runbook_url: `https://github.com/ollama-exporter/ollama-exporter/blob/main/docs/runbooks.md#${alert.toLowerCase()}`,
    };
    const { severity = '', ...rest } = labels;
    const allLabels = Object.entries('instance' in rest ? target.of(rest) : rest);
    const kept = allLabels.filter(([name]) => !drops.includes(name));
    const exp_labels = { ...Object.fromEntries(kept), severity };
    const alert_rule_test = [
      { eval_time: at, alertname: alert, exp_alerts: [{ exp_labels, exp_annotations }] },
    ];
    return check(withLabels(series), { alert_rule_test });
  }

  function doesNotFire(alert: string, series: InputSeries, times = WATCHED[alert] ?? ALWAYS): string {
    const alert_rule_test = times.map((eval_time) => ({ eval_time, alertname: alert, exp_alerts: [] }));
    return check(withLabels(series), { alert_rule_test });
  }

  /** The output of promtool, which contains the alerts that are not expected. */
  const alertsAt = (at: string, alert: string, series: InputSeries) => doesNotFire(alert, series, [at]);

  describe.each(CASES)('$alert', ({ alert, fires, under, failedScrape }) => {
    test('fires with all labels and texts, despite a failed scrape, and not one scrape earlier', () => {
      expect(firesAt(fires.at, alert, fires.series, fires)).toBe('SUCCESS');
      expect(alertsAt(scrapeBefore(fires.at), alert, fires.series)).toBe('SUCCESS');
    });

    test('does not fire just under its threshold', () => {
      expect(doesNotFire(alert, under)).toBe('SUCCESS');
    });

    test('does not fire for a failed scrape', () => {
      expect(doesNotFire(alert, failedScrape)).toBe('SUCCESS');
    });
  });

  describe('OllamaExporterDown', () => {
    const second = TARGET.replace('gpu-07', 'gpu-08');

    test('fires when the last target disappears from service discovery, and when there never was one', () => {
      const noTarget = {
        labels: { severity: 'critical' },
        summary: 'Prometheus has no Ollama exporter as a target.',
        description:
          'No target has had a job that this rule is about for over 5 minutes: no Ollama is monitored. If the job has another name, edit the rule.',
      };
      const disappeared = { [`up{${TARGET}}`]: '1x10 _x80', 'up{job="node",instance="a"}': '1x90' };
      expect(firesAt('8m', 'OllamaExporterDown', disappeared, noTarget)).toBe('SUCCESS');
      const never = { 'up{job="node",instance="a"}': '1x80' };
      expect(firesAt('6m', 'OllamaExporterDown', never, noTarget)).toBe('SUCCESS');
    });

    test('does not fire while one target replaces another', () => {
      const series = { [`up{${TARGET}}`]: '1x40 _x40', [`up{${second}}`]: '_x40 1x40' };
      expect(doesNotFire('OllamaExporterDown', series)).toBe('SUCCESS');
    });
  });

  test('OllamaModelListUnavailable does not fire while Ollama is down', () => {
    const series = { ...up, ...ps('0x80'), [`ollama_up{${TARGET}}`]: '0x80' };
    expect(doesNotFire('OllamaModelListUnavailable', series)).toBe('SUCCESS');
  });

  test.each(Object.entries(REASONS))(
    'the alerts explain the reason %s with the text of the page',
    (reason, words) => {
      const down = {
        [`ollama_up{${TARGET}}`]: '0x20',
        [`ollama_scrape_error{api="version",reason="${reason}",${TARGET}}`]: '1x20',
      };
      expect(alertsAt('3m', 'OllamaDown', down)).toContain(`Reason: ${reason}. ${words}"`);
      const unlisted = {
        ...ps('0x40'),
        [`ollama_up{${TARGET}}`]: '1x40',
        [`ollama_scrape_error{api="ps",reason="${reason}",${TARGET}}`]: '1x40',
        [`ollama_scrape_error{api="tags",reason="other",${TARGET}}`]: '1x40',
      };
      expect(alertsAt('6m', 'OllamaModelListUnavailable', unlisted)).toContain(
        `Reason: ${reason}. ${words}"`,
      );
    },
  );

  test('OllamaModelOnCpu fires without a capacity if another model is on the GPU', () => {
    const series = { ...up, ...psOk, ...model(MODEL, '4x80', '0x80'), ...model(OTHER, '1x80', '1x80') };
    expect(alertsAt('10m', 'OllamaModelOnCpu', series)).toContain('llama3.1:8b');
    expect(alertsAt('10m', 'OllamaModelOnCpu', series)).not.toContain('all-minilm');
  });

  test.each(['OllamaModelOnCpu', 'OllamaModelSpilledToRam', 'OllamaVramFull', 'OllamaMemoryAlmostFull'])(
    '%s does not fire for a model without size_vram',
    (alert) => {
      const series = {
        ...vramOf24,
        ...memoryOf10,
        ...psOk,
        ...model(OTHER, '1x80', '1x80'),
        [`ollama_model_size_bytes{${MODEL}}`]: gib('40x80'),
      };
      expect(doesNotFire(alert, series)).toBe('SUCCESS');
    },
  );

  describe.each(['OllamaVramAlmostFull', 'OllamaVramFull', 'OllamaMemoryAlmostFull'])('%s', (alert) => {
    const capacity = (size: string) => ({
      [`ollama_vram_capacity_bytes{${TARGET}}`]: gib(size),
      [`ollama_memory_capacity_bytes{${TARGET}}`]: gib(size),
    });

    test('does not fire for a capacity of 0', () => {
      const full = { ...psOk, ...model(MODEL, '64x60 _x60', '32x60 _x60') };
      expect(doesNotFire(alert, { ...up, ...full, ...capacity('0x120') })).toBe('SUCCESS');
    });

    test('resolves minutes after the models were unloaded, and does not flap before', () => {
      const full = {
        ...model(MODEL, '64x60 _x80', '32x60 _x80'),
        [`ollama_loaded_models{${TARGET}}`]: '1x60 0x80',
      };
      const series = { ...up, ...full, ...capacity('32x140') };
      for (const at of ['15m', '17m30s', '19m']) {
        expect(alertsAt(at, alert, series)).toContain(alert);
      }
      expect(alertsAt('24m', alert, series)).toBe('SUCCESS');
    });

    test('reports an invalid capacity from 110%', () => {
      const over = (size: string) => ({
        ...up,
        ...psOk,
        ...capacity('10x80'),
        ...model(MODEL, size, '11x80'),
      });
      expect(alertsAt('5m', alert, over('22x80'))).not.toContain('must be wrong');
      const wrong = { ...over('24x80'), ...model(MODEL, '24x80', '12x80') };
      expect(alertsAt('5m', alert, wrong)).toContain('the capacity must be wrong. Correct --ollama.');
    });

    test('fires on a server that swaps models, of which every third fills the memory', () => {
      // While the next model loads, none is listed.
      const swaps = (fills: string, second: string, third: string) =>
        `${fills} _ ${second} _ ${third} _ `.repeat(14).trim();
      const series = {
        ...up,
        ...capacity('24x84'),
        ...model(MODEL, swaps('47', '47', '_'), swaps('23.5', '23.5', '_')),
        ...model(OTHER, swaps('_', '_', '40'), swaps('_', '_', '20')),
        [`ollama_loaded_models{${TARGET}}`]: swaps('1', '1', '1').replaceAll('_', '0'),
      };
      expect(alertsAt('15m', alert, series)).toContain(alert);
    });
  });

  describe('OllamaModelThrashing', () => {
    const SIZE = `ollama_model_size_bytes{${MODEL}}`;
    const CONTEXT = `ollama_model_context_length_tokens{${MODEL}}`;
    const turns = (first: string, second: string, times: number) =>
      `${first} ${second} `.repeat(times).trim();
    const loaded = { ...up, ...psOk };

    test('fires for two clients with different num_ctx, even if no scrape sees the model unloaded', () => {
      const series = { ...loaded, [SIZE]: turns('13', '3', 10), [CONTEXT]: turns('65536', '4096', 10) };
      expect(alertsAt('1m15s', 'OllamaModelThrashing', series)).toContain('was loaded 5 times');
    });

    test('fires for load options that change only the context, or only the size', () => {
      const context = { ...loaded, [SIZE]: '13x20', [CONTEXT]: turns('65536', '4096', 10) };
      expect(alertsAt('1m15s', 'OllamaModelThrashing', context)).toContain('was loaded 5 times');
      const size = { ...loaded, [SIZE]: turns('13', '12', 10), [CONTEXT]: '4096x20' };
      expect(alertsAt('1m15s', 'OllamaModelThrashing', size)).toContain('was loaded 5 times');
    });

    test('counts a load once, even if several series change', () => {
      const series = {
        ...loaded,
        [SIZE]: '13 _ 3 _ 13 _ _x70',
        [CONTEXT]: '65536 _ 4096 _ 65536 _ _x70',
      };
      expect(doesNotFire('OllamaModelThrashing', series)).toBe('SUCCESS');
    });

    test('does not fire for an MLX model whose size changes, or a model that reports 0 while loading', () => {
      const mlx = {
        ...loaded,
        [SIZE]: '13+1x80',
        [`ollama_model_info{digest="a",format="safetensors",family="qwen3",parameter_size="8B",${MODEL}}`]:
          '1x80',
      };
      expect(doesNotFire('OllamaModelThrashing', mlx)).toBe('SUCCESS');
      const loading = { ...loaded, [SIZE]: '0 3x10 _ 0 3x10 _ 0 3x40' };
      expect(doesNotFire('OllamaModelThrashing', loading)).toBe('SUCCESS');
    });

    test('has a window of 15 minutes', () => {
      const series = { ...loaded, [SIZE]: '1x5 _x6 '.repeat(4).trim() };
      expect(alertsAt('11m30s', 'OllamaModelThrashing', series)).toContain('was loaded 4 times');
    });
  });

  describe('OllamaModelOverdue', () => {
    const EXPIRY = `ollama_model_expires_in_seconds{${MODEL}}`;
    const loaded = { ...up, ...psOk, ...model(MODEL, '4x80', '4x80') };

    test('fires if the first request since the load does not end, so that the expiry does not move', () => {
      const series = { ...loaded, [EXPIRY]: `${'299.992 300.001 '.repeat(20).trim()} 300x40` };
      const words = 'has an expiry that has not moved for over 10 minutes.';
      expect(alertsAt('11m', 'OllamaModelOverdue', series)).toContain(words);
      expect(alertsAt('10m', 'OllamaModelOverdue', series)).toBe('SUCCESS');
    });

    test.each([
      ['pinned', '+Inf '.repeat(80).trim()],
      ['idle for a long time', '86400-15x80'],
      ['used occasionally', '299 285 296 300 290 '.repeat(16).trim()],
    ])('does not fire for a model that is %s', (_, expiry) => {
      expect(doesNotFire('OllamaModelOverdue', { ...loaded, [EXPIRY]: expiry })).toBe('SUCCESS');
    });

    test('does not fire for a model that is loaded again for each request', () => {
      const visit = (value: string) => `${value} ${value} ${value} _ `.repeat(20).trim();
      const series = { ...up, ...psOk, ...model(MODEL, visit('4'), visit('4')), [EXPIRY]: visit('0') };
      expect(doesNotFire('OllamaModelOverdue', series)).toBe('SUCCESS');
    });
  });

  describe('OllamaModelOverdue, with known slots,', () => {
    const overdue = {
      ...up,
      ...psOk,
      ...model(MODEL, '4x80', '4x80'),
      [`ollama_model_expires_in_seconds{${MODEL}}`]: '-585-15x80',
    };

    test('does not fire for a model with busy slots in the last 10 minutes', () => {
      const busy = { [`ollama_model_slots_busy{${MODEL}}`]: '1x30 _ 1 0x30 2x20' };
      expect(doesNotFire('OllamaModelOverdue', { ...overdue, ...busy })).toBe('SUCCESS');
    });

    test('does not fire for a model with requests too short to be seen, if tokens are counted', () => {
      const embedding = {
        ...work(MODEL, '0x80', '0x80'),
        [`ollama_model_prompt_tokens_total{${MODEL}}`]: '0+9x80',
      };
      expect(doesNotFire('OllamaModelOverdue', { ...overdue, ...embedding })).toBe('SUCCESS');
    });

    test('fires for an idle model that Ollama reports as busy', () => {
      expect(alertsAt('15m', 'OllamaModelOverdue', { ...overdue, ...work(MODEL, '0x80', '7x80') })).toContain(
        'past its expiry',
      );
    });

    test('fires for a model whose runner does not respond, next to a busy model', () => {
      const series = {
        ...overdue,
        ...work(OTHER, '1x80', '0+9x80'),
        [`ollama_model_runner_up{${MODEL}}`]: '0x80',
      };
      expect(alertsAt('15m', 'OllamaModelOverdue', series)).toContain('llama3.1:8b');
    });
  });

  describe('OllamaModelStuck', () => {
    const loaded = { ...up, ...ps('1x360'), ...model(MODEL, '4x360', '4x360') };
    const GENERATED = `ollama_model_generated_tokens_total{${MODEL}}`;
    const PROMPT = `ollama_model_prompt_tokens_total{${MODEL}}`;
    const CACHED = `ollama_model_prompt_cached_tokens_total{${MODEL}}`;
    const noProgress = work(MODEL, '1x360', '7x360');

    test.each([GENERATED, PROMPT, CACHED])('does not fire while %s increases', (counter) => {
      expect(
        doesNotFire('OllamaModelStuck', { ...loaded, ...noProgress, [counter]: '7x100 8x100 9x100 10x60' }),
      ).toBe('SUCCESS');
    });

    test('does not fire if the runner has no counters', () => {
      const slots = { [`ollama_model_slots_busy{${MODEL}}`]: '1x360' };
      expect(doesNotFire('OllamaModelStuck', { ...loaded, ...slots })).toBe('SUCCESS');
    });

    test('fires for older runners, without cached tokens and with missed scrapes, and reports the number of slots', () => {
      const { [CACHED]: _, ...older } = work(MODEL, '3 3 _ 3 _ _ '.repeat(40).trim(), '7x360');
      expect(alertsAt('40m', 'OllamaModelStuck', { ...loaded, ...older })).toContain(
        'has had 3 busy slots for over',
      );
    });

    test('does not mistake a restart of the exporter for progress', () => {
      const restarted = work(MODEL, '1x360', '7x60 _x4 0x360');
      expect(alertsAt('40m', 'OllamaModelStuck', { ...loaded, ...restarted })).toContain('llama3.1:8b');
    });

    test('resolves minutes after the slot is free, a token is generated or the model is unloaded', () => {
      const stuck = (busy: string, tokens: string, size = '4x360') => ({
        ...loaded,
        ...model(MODEL, size, size),
        ...work(MODEL, busy, tokens),
      });
      for (const series of [
        stuck('1x160 0x200', '7x360'),
        stuck('1x360', '7x160 8x200'),
        stuck('1x160 _x200', '7x360', '4x160 _x200'),
      ]) {
        expect(alertsAt('40m', 'OllamaModelStuck', series)).toContain('llama3.1:8b');
        expect(alertsAt('43m', 'OllamaModelStuck', series)).toBe('SUCCESS');
      }
    });
  });

  describe('requests through the proxy:', () => {
    test.each(['error', 'failed', 'incomplete', 'cut', 'unreachable'])(
      'OllamaRequestsFailing fires for the outcome %s, with a remedy',
      (outcome) => {
        const series = { ...up, ...requests('ok', '0+1x60'), ...requests(outcome, '0+1x60', '') };
        expect(alertsAt('10m', 'OllamaRequestsFailing', series)).toMatch(
          new RegExp(`50% of the requests .* Most of them: ${outcome}\\. \\w.*[.?]"`),
        );
      },
    );

    test.each(['bad_request', 'not_found', 'client_gone', 'busy'])(
      'OllamaRequestsFailing does not fire for the outcome %s',
      (outcome) => {
        const series = { ...up, ...requests('ok', '0+1x60'), ...requests(outcome, '0+9x60', '') };
        expect(doesNotFire('OllamaRequestsFailing', series)).toBe('SUCCESS');
      },
    );

    test.each([
      ['OllamaRequestsFailing', 'unreachable'],
      ['OllamaBusy', 'busy'],
    ])('%s does not fire for requests that are not measured', (alert, outcome) => {
      const others = { ...requests('ok', '0+1x60'), ...requests(outcome, '0+9x60', '', 'other') };
      expect(doesNotFire(alert, { ...up, ...others })).toBe('SUCCESS');
    });

    test('OllamaRequestsFailing fires if all requests fail, and resolves when they succeed', () => {
      const series = {
        ...up,
        ...requests('ok', '5x40 5+1x80'),
        ...requests('unreachable', '0+1x40 40x80', ''),
      };
      expect(alertsAt('9m', 'OllamaRequestsFailing', series)).toContain('100% of the requests');
      expect(alertsAt('21m', 'OllamaRequestsFailing', series)).toBe('SUCCESS');
    });
  });

  test('OllamaContextShrunk has a window of a day', () => {
    const shrunk = { [`ollama_model_context_length_tokens{${MODEL}}`]: '1048576x3 524288x2880' };
    expect(alertsAt('12h', 'OllamaContextShrunk', shrunk)).toContain('has a context of 524288 tokens');
  });
}

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
    expect(runPromtool(promtool, { tests: [{ interval: '15s', input_series, promql_expr_test }] })).toBe(
      'SUCCESS',
    );
  });
});

function scrapeBefore(time: string): string {
  const [, minutes = 0, seconds = 0] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(time) ?? [];
  return `${Number(minutes) * 60 + Number(seconds) - 15}s`;
}
