/** The metrics about Ollama, each declared once: name, help, labels, and how a `Snapshot` fills it. */

import { isUp, type Snapshot } from '../scrape/snapshot.ts';
import { escaped } from './labels.ts';
import {
  expirySeconds,
  installedModels,
  perApi,
  perDigest,
  perFailure,
  perInstalledModel,
  perModel,
  plain,
  runningModels,
  type Samples,
} from './samples.ts';
import type { Family } from './text-format.ts';

export interface MetricFamily extends Family {
  readonly labelNames: readonly string[];
  /** What alone the samples are made of, where that can outlast the snapshot. */
  readonly source?: (snapshot: Snapshot) => object | undefined;
  readonly samples: Samples;
}

const MODEL_LABELS = ['model', 'quantization'] as const;

export const METRICS: readonly MetricFamily[] = [
  {
    name: 'ollama_up',
    help: 'Whether Ollama answered at least one of /api/ps and /api/version properly in this scrape.',
    type: 'gauge',
    labelNames: [],
    samples: plain((snapshot) => Number(isUp(snapshot))),
  },
  {
    name: 'ollama_version_info',
    help: "A metric with a constant '1' value labeled by the version of Ollama (from /api/version).",
    type: 'gauge',
    labelNames: ['version'],
    samples: ({ version }, emit) => {
      if (version?.ok) {
        emit(`{version="${escaped(version.value)}"}`, 1);
      }
    },
  },
  {
    name: 'ollama_vram_capacity_bytes',
    help: 'VRAM of the machine that Ollama runs on, as the exporter was told.',
    type: 'gauge',
    labelNames: [],
    samples: plain(({ capacity }) => capacity.vramBytes),
  },
  {
    name: 'ollama_memory_capacity_bytes',
    help: 'RAM of the machine that Ollama runs on, as the exporter was told.',
    type: 'gauge',
    labelNames: [],
    samples: plain(({ capacity }) => capacity.memoryBytes),
  },
  {
    name: 'ollama_loaded_models',
    help: 'Number of models in memory (rows in /api/ps).',
    type: 'gauge',
    labelNames: [],
    samples: plain(({ ps }) => (ps?.ok ? ps.value.rows : undefined)),
  },
  {
    name: 'ollama_model_size_bytes',
    help: 'Memory that the loaded model takes, RAM and VRAM together (from /api/ps size).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    source: runningModels,
    samples: perModel((model) => model.sizeBytes),
  },
  {
    name: 'ollama_model_size_vram_bytes',
    help: 'The part of ollama_model_size_bytes that is in VRAM (from /api/ps size_vram).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    source: runningModels,
    samples: perModel((model) => model.sizeVramBytes),
  },
  {
    name: 'ollama_model_context_length_tokens',
    help: 'Context length that the model was loaded with, per request slot (from /api/ps context_length).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    source: runningModels,
    samples: perModel((model) => model.contextLength),
  },
  {
    name: 'ollama_model_expires_in_seconds',
    help: 'Time until Ollama means to unload the model, by the clock of its host; +Inf is never, and a negative value means busy or stopping (from /api/ps expires_at).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    samples: perModel(({ expiresAtMs }, nowMs) => expirySeconds(expiresAtMs, nowMs, nowMs)),
  },
  {
    name: 'ollama_model_expires_timestamp_seconds',
    help: 'Unix time at which Ollama means to unload the model, by the clock of its host; +Inf is never (from /api/ps expires_at).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    samples: perModel(({ expiresAtMs }, nowMs) => expirySeconds(expiresAtMs, nowMs, 0)),
  },
  {
    name: 'ollama_model_info',
    help: "A metric with a constant '1' value labeled by what the manifest says of the loaded model (from /api/ps digest and details).",
    type: 'gauge',
    labelNames: [...MODEL_LABELS, 'digest', 'format', 'family', 'parameter_size'],
    source: runningModels,
    samples: perDigest,
  },
  {
    name: 'ollama_installed_models',
    help: 'Number of models on disk (rows in /api/tags).',
    type: 'gauge',
    labelNames: [],
    samples: plain(({ tags }) => (tags?.ok ? tags.value.rows : undefined)),
  },
  {
    name: 'ollama_installed_model_size_bytes',
    help: 'Size of the model on disk, layers shared with others included (from /api/tags size).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    source: installedModels,
    samples: perInstalledModel((model) => model.sizeBytes),
  },
  {
    name: 'ollama_installed_model_modified_timestamp_seconds',
    help: 'Unix time at which the model on disk was last changed (from /api/tags modified_at).',
    type: 'gauge',
    labelNames: MODEL_LABELS,
    source: installedModels,
    samples: perInstalledModel(({ modifiedAtMs }) =>
      modifiedAtMs === undefined ? undefined : modifiedAtMs / 1_000,
    ),
  },
  {
    name: 'ollama_scrape_success',
    help: 'Whether the call to this API of Ollama succeeded in this scrape.',
    type: 'gauge',
    labelNames: ['api'],
    samples: perApi((outcome) => Number(outcome.ok)),
  },
  {
    name: 'ollama_scrape_duration_seconds',
    help: 'Time that the call to this API of Ollama took in this scrape.',
    type: 'gauge',
    labelNames: ['api'],
    samples: perApi((outcome) => outcome.seconds),
  },
  {
    name: 'ollama_scrape_error',
    help: 'Why the call to this API of Ollama failed in this scrape; only while it fails.',
    type: 'gauge',
    labelNames: ['api', 'reason'],
    samples: perFailure,
  },
  {
    name: 'ollama_scrape_skipped_models',
    help: 'Rows in /api/ps that could not be used, for want of a name or of usable sizes.',
    type: 'gauge',
    labelNames: [],
    samples: plain(({ ps }) => (ps?.ok ? ps.value.skipped : undefined)),
  },
];
