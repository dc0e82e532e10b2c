/** Adds up the counters of each model's runners. The sums are the only values that outlive a scrape. */
import { Counter, type Registry } from 'prom-client';
import type { NamedModel } from '../ollama/model-list.ts';
import { dropOldest, keepLatest } from './bounded.ts';
import { COUNTERS, type CounterName, type RunnerCounters } from './llama-server.ts';

const DECLARED: Readonly<Record<CounterName, { readonly name: string; readonly help: string }>> = {
  tokens_predicted_total: {
    name: 'ollama_model_generated_tokens_total',
    help: 'Tokens that the model generated, counted when a request ends (from /metrics of its runner).',
  },
  tokens_predicted_seconds_total: {
    name: 'ollama_model_generation_seconds_total',
    help: 'Time spent on generating, summed over requests and counted when a request ends (from /metrics of its runner).',
  },
  prompt_tokens_total: {
    name: 'ollama_model_prompt_tokens_total',
    help: 'Prompt tokens that the model computed, without those from the cache (from /metrics of its runner).',
  },
  prompt_tokens_cached_total: {
    name: 'ollama_model_prompt_cached_tokens_total',
    help: 'Prompt tokens taken from the cache; from Ollama 0.32.14 on (from /metrics of its runner).',
  },
  prompt_seconds_total: {
    name: 'ollama_model_prompt_seconds_total',
    help: 'Time spent on prompts; before Ollama 0.32.14 summed over requests (from /metrics of its runner).',
  },
};

/** Number of unloaded models whose sums are kept. */
const MAX_UNLOADED = 256;
/** Must exceed the number of runners: the value of a forgotten one would be added again. */
const MAX_RUNNERS_READ = 1_024;

export interface CountedRunner {
  /** See `Runner`. */
  readonly processKey: string;
  readonly isOlder: boolean;
  readonly counters: RunnerCounters | undefined;
}

export interface ModelCounters {
  /**
   * Adds the increase of each runner's counters since they were last read. When a runner is first read, adds all if it
   * started after the exporter, and nothing if it is older.
   */
  readonly add: (model: NamedModel, runners: readonly CountedRunner[]) => void;
  /** Drops the sums of the models that were unloaded longest ago, beyond 256. @param loaded all loaded models */
  readonly forget: (loaded: readonly NamedModel[]) => void;
  readonly registerMetrics: (registry: Registry) => void;
}

export function createCounters(): ModelCounters {
  const counters = new Map(
    COUNTERS.map((name) => [
      name,
      new Counter({ ...DECLARED[name], labelNames: ['model', 'quantization'], registers: [] }),
    ]),
  );
  /** The counters of each runner when it was last read, least recently read first. */
  const lastRead = new Map<string, RunnerCounters>();
  /** The labels that have sums, least recently loaded first. */
  const summed = new Map<string, NamedModel>();

  const increase = (labels: LabelsOfModel, { processKey, isOlder, counters: now = {} }: CountedRunner) => {
    const before = lastRead.get(processKey);
    const highest: { [Name in CounterName]?: number } = { ...before };
    for (const [name, counter] of counters) {
      const value = now[name];
      if (value !== undefined) {
        const base = before?.[name] ?? (before === undefined && isOlder ? value : 0);
        counter.inc(labels, Math.max(0, value - base));
        // Otherwise the difference would be counted twice after a value that decreased.
        highest[name] = Math.max(base, value);
      }
    }
    keepLatest(lastRead, processKey, highest, MAX_RUNNERS_READ);
  };

  return {
    add: ({ model, quantization }, runners) => {
      for (const runner of runners.filter((each) => each.counters !== undefined)) {
        increase({ model, quantization }, runner);
        summed.set(keyOf({ model, quantization }), { model, quantization });
      }
    },
    forget: (loaded) => {
      const keys = loaded.map(keyOf);
      for (const key of keys) {
        const labels = summed.get(key);
        if (labels !== undefined) {
          keepLatest(summed, key, labels, Number.POSITIVE_INFINITY);
        }
      }
      const present = keys.filter((key) => summed.has(key)).length;
      for (const { model, quantization } of dropOldest(summed, summed.size - present - MAX_UNLOADED)) {
        for (const counter of counters.values()) {
          counter.remove({ model, quantization });
        }
      }
    },
    registerMetrics: (registry) => {
      for (const counter of counters.values()) {
        registry.registerMetric(counter);
      }
    },
  };
}

type LabelsOfModel = Record<'model' | 'quantization', string>;

function keyOf({ model, quantization }: NamedModel): string {
  return JSON.stringify([model, quantization]);
}
