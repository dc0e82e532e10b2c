/** The metrics about Ollama, each declared once: name, help, labels, and how a `Snapshot` fills it. */
import type { InstalledModel } from './ollama/installed-models.ts';
import type { NamedModel } from './ollama/model-rows.ts';
import type { RunningModel } from './ollama/running-models.ts';
import { isUp, type Outcome, outcomes, type Snapshot } from './scrape.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** No samples: the family is left out of the exposition. */
  readonly samples: (snapshot: Snapshot) => readonly Sample[];
}

const MODEL_LABELS = ['model', 'quantization'] as const;

export const METRICS: readonly MetricFamily[] = [
  {
    name: 'ollama_up',
    help: 'Whether Ollama answered at least one of /api/ps and /api/version properly in this scrape.',
    labelNames: [],
    samples: (snapshot) => [plain(Number(isUp(snapshot)))],
  },
  {
    name: 'ollama_version_info',
    help: "A metric with a constant '1' value labeled by the version of Ollama (from /api/version).",
    labelNames: ['version'],
    samples: ({ version }) => (version?.ok ? [{ labels: { version: version.value }, value: 1 }] : []),
  },
  {
    name: 'ollama_vram_capacity_bytes',
    help: 'VRAM of the machine that Ollama runs on, as the exporter was told.',
    labelNames: [],
    samples: ({ capacity }) => plainIfKnown(capacity.vramBytes),
  },
  {
    name: 'ollama_memory_capacity_bytes',
    help: 'RAM of the machine that Ollama runs on, as the exporter was told.',
    labelNames: [],
    samples: ({ capacity }) => plainIfKnown(capacity.memoryBytes),
  },
  {
    name: 'ollama_loaded_models',
    help: 'Number of models in memory (rows in /api/ps).',
    labelNames: [],
    samples: ({ ps }) => (ps?.ok ? [plain(ps.value.rows)] : []),
  },
  {
    name: 'ollama_model_size_bytes',
    help: 'Memory that the loaded model takes, RAM and VRAM together (from /api/ps size).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.sizeBytes),
  },
  {
    name: 'ollama_model_size_vram_bytes',
    help: 'The part of ollama_model_size_bytes that is in VRAM (from /api/ps size_vram).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.sizeVramBytes),
  },
  {
    name: 'ollama_model_context_length_tokens',
    help: 'Context length that the model was loaded with, per request slot (from /api/ps context_length).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.contextLength),
  },
  {
    name: 'ollama_model_expires_in_seconds',
    help: 'Time until Ollama means to unload the model, by the clock of its host; +Inf is never, and a negative value means busy or stopping (from /api/ps expires_at).',
    labelNames: MODEL_LABELS,
    samples: perModel(({ expiresAtMs }, nowMs) => seconds(expiresAtMs, nowMs)),
  },
  {
    name: 'ollama_model_expires_timestamp_seconds',
    help: 'Unix time at which Ollama means to unload the model, by the clock of its host; +Inf is never (from /api/ps expires_at).',
    labelNames: MODEL_LABELS,
    samples: perModel(({ expiresAtMs }) => seconds(expiresAtMs, 0)),
  },
  {
    name: 'ollama_model_info',
    help: "A metric with a constant '1' value labeled by what the manifest says of the loaded model (from /api/ps digest and details).",
    labelNames: [...MODEL_LABELS, 'digest', 'format', 'family', 'parameter_size'],
    samples: ({ ps }) => (ps?.ok ? ps.value.models.flatMap(infoSamples) : []),
  },
  {
    name: 'ollama_installed_models',
    help: 'Number of models on disk (rows in /api/tags).',
    labelNames: [],
    samples: ({ tags }) => (tags?.ok ? [plain(tags.value.rows)] : []),
  },
  {
    name: 'ollama_installed_model_size_bytes',
    help: 'Size of the model on disk, layers shared with others included (from /api/tags size).',
    labelNames: MODEL_LABELS,
    samples: perInstalledModel((model) => model.sizeBytes),
  },
  {
    name: 'ollama_installed_model_modified_timestamp_seconds',
    help: 'Unix time at which the model on disk was last changed (from /api/tags modified_at).',
    labelNames: MODEL_LABELS,
    samples: perInstalledModel(({ modifiedAtMs }) => seconds(modifiedAtMs, 0)),
  },
  {
    name: 'ollama_scrape_success',
    help: 'Whether the call to this API of Ollama succeeded in this scrape.',
    labelNames: ['api'],
    samples: perApi((outcome) => Number(outcome.ok)),
  },
  {
    name: 'ollama_scrape_duration_seconds',
    help: 'Time that the call to this API of Ollama took in this scrape.',
    labelNames: ['api'],
    samples: perApi((outcome) => outcome.seconds),
  },
  {
    name: 'ollama_scrape_error',
    help: 'Why the call to this API of Ollama failed in this scrape; only while it fails.',
    labelNames: ['api', 'reason'],
    samples: (snapshot) =>
      outcomes(snapshot).flatMap(([api, outcome]) =>
        outcome.ok ? [] : [{ labels: { api, reason: outcome.error.reason }, value: 1 }],
      ),
  },
  {
    name: 'ollama_scrape_skipped_models',
    help: 'Rows in /api/ps that could not be used, for want of a name or of usable sizes.',
    labelNames: [],
    samples: ({ ps }) => (ps?.ok ? [plain(ps.value.skipped)] : []),
  },
];

function plain(value: number): Sample {
  return { labels: {}, value };
}

function plainIfKnown(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [plain(value)];
}

/** One sample a model in memory; none where `value` gives undefined. */
function perModel(
  value: (model: RunningModel, nowMs: number) => number | undefined,
): MetricFamily['samples'] {
  return ({ ps }) => (ps?.ok ? modelSamples(ps.value.models, (model) => value(model, ps.value.nowMs)) : []);
}

/** One sample a model on disk; none where `value` gives undefined. */
function perInstalledModel(value: (model: InstalledModel) => number | undefined): MetricFamily['samples'] {
  return ({ tags }) => (tags?.ok ? modelSamples(tags.value.models, value) : []);
}

function modelSamples<T extends NamedModel>(
  models: readonly T[],
  value: (model: T) => number | undefined,
): readonly Sample[] {
  return models.flatMap((model) => {
    const sample = value(model);
    return sample === undefined ? [] : [{ labels: modelLabels(model), value: sample }];
  });
}

function modelLabels({ model, quantization }: NamedModel) {
  return { model, quantization };
}

/** One sample a digest. Rows without a digest can still say the same of themselves, and must not repeat a series. */
function infoSamples(model: RunningModel): readonly Sample[] {
  const samples = model.details.map(({ parameterSize, ...details }) => ({
    labels: { ...modelLabels(model), ...details, parameter_size: parameterSize },
    value: 1,
  }));
  return [...new Map(samples.map((sample) => [JSON.stringify(sample.labels), sample])).values()];
}

function seconds(ms: number | undefined, sinceMs: number): number | undefined {
  return ms === undefined ? undefined : (ms - sinceMs) / 1_000;
}

function perApi(value: (outcome: Outcome<unknown>) => number): MetricFamily['samples'] {
  return (snapshot) =>
    outcomes(snapshot).map(([api, outcome]) => ({ labels: { api }, value: value(outcome) }));
}
