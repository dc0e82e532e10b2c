/** The metrics about Ollama, each declared once: name, help, labels, and how a snapshot fills it. */
import { isUp } from '../scrape/snapshot.ts';
import {
  expirySeconds,
  perApi,
  perFailure,
  perInstalledModel,
  perManifest,
  perModel,
  perRunner,
  type Samples,
  single,
} from './samples.ts';

/** All of them are gauges: no state is kept between scrapes that could be counted. */
export interface Family<Label extends string = string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
  readonly samples: Samples<Label>;
}

/** Ties the labels of the samples to `labelNames`: a missing or misspelt label does not compile. */
function family<const Label extends string>(declared: Family<Label>): Family<Label> {
  return declared;
}

const MODEL_LABELS = ['model', 'quantization'] as const;

export const FAMILIES: readonly Family[] = [
  family({
    name: 'ollama_up',
    help: 'Whether at least one of /api/ps and /api/version returned a valid response in this scrape.',
    labelNames: [],
    samples: single((snapshot) => Number(isUp(snapshot))),
  }),
  family({
    name: 'ollama_version_info',
    help: "A metric with a constant '1' value labeled by the version of Ollama (from /api/version).",
    labelNames: ['version'],
    samples: ({ version }) => (version?.ok ? [{ labels: { version: version.value }, value: 1 }] : []),
  }),
  family({
    name: 'ollama_vram_capacity_bytes',
    help: 'VRAM of the machine that Ollama runs on, as configured or detected.',
    labelNames: [],
    samples: single(({ capacity }) => capacity.vramBytes),
  }),
  family({
    name: 'ollama_memory_capacity_bytes',
    help: 'RAM of the machine that Ollama runs on, as configured or detected.',
    labelNames: [],
    samples: single(({ capacity }) => capacity.memoryBytes),
  }),
  family({
    name: 'ollama_loaded_models',
    help: 'Number of loaded models (entries in /api/ps).',
    labelNames: [],
    samples: single(({ ps }) => (ps?.ok ? ps.value.rows : undefined)),
  }),
  family({
    name: 'ollama_model_size_bytes',
    help: 'Memory used by the loaded model, RAM and VRAM together (from /api/ps size).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.sizeBytes),
  }),
  family({
    name: 'ollama_model_size_vram_bytes',
    help: 'VRAM used by the loaded model (from /api/ps size_vram).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.sizeVramBytes),
  }),
  family({
    name: 'ollama_model_context_length_tokens',
    help: 'Context length of the loaded model, per request slot (from /api/ps context_length).',
    labelNames: MODEL_LABELS,
    samples: perModel((model) => model.contextLength),
  }),
  family({
    name: 'ollama_model_expires_in_seconds',
    help: 'Time until Ollama unloads the model, by the clock of its host; +Inf if never, negative if busy or stopping (from /api/ps expires_at).',
    labelNames: MODEL_LABELS,
    samples: perModel((model, nowMs) => expirySeconds(model, nowMs, nowMs)),
  }),
  family({
    name: 'ollama_model_expires_timestamp_seconds',
    help: 'Unix time at which Ollama unloads the model, by the clock of its host; +Inf if never (from /api/ps expires_at).',
    labelNames: MODEL_LABELS,
    samples: perModel((model, nowMs) => expirySeconds(model, nowMs, 0)),
  }),
  family({
    name: 'ollama_model_info',
    help: "A metric with a constant '1' value labeled by digest and details of the loaded model (from /api/ps).",
    labelNames: [...MODEL_LABELS, 'digest', 'format', 'family', 'parameter_size'],
    samples: perManifest,
  }),
  family({
    name: 'ollama_model_runner_up',
    help: 'Whether the runner of the loaded model responded in time; absent if none was found.',
    labelNames: MODEL_LABELS,
    samples: perRunner(({ up }) => (up === undefined ? undefined : Number(up))),
  }),
  family({
    name: 'ollama_model_slots',
    help: 'Requests that the loaded model processes at once (from /slots of its runner).',
    labelNames: MODEL_LABELS,
    samples: perRunner(({ slots }) => slots),
  }),
  family({
    name: 'ollama_model_slots_busy',
    help: 'Slots of the loaded model that are processing a request (from /slots and /metrics of its runner).',
    labelNames: MODEL_LABELS,
    samples: perRunner(({ busySlots }) => busySlots),
  }),
  family({
    name: 'ollama_model_runner_resident_memory_bytes',
    help: 'RAM of the runner of the loaded model, with its prompt cache and without VRAM.',
    labelNames: MODEL_LABELS,
    samples: perRunner(({ residentBytes }) => residentBytes),
  }),
  family({
    name: 'ollama_installed_models',
    help: 'Number of models on disk (entries in /api/tags).',
    labelNames: [],
    samples: single(({ tags }) => (tags?.ok ? tags.value.rows : undefined)),
  }),
  family({
    name: 'ollama_installed_model_size_bytes',
    help: 'Size of the model on disk, including layers shared with other models (from /api/tags size).',
    labelNames: MODEL_LABELS,
    samples: perInstalledModel((model) => model.sizeBytes),
  }),
  family({
    name: 'ollama_installed_model_modified_timestamp_seconds',
    help: 'Unix time at which the model on disk was last changed (from /api/tags modified_at).',
    labelNames: MODEL_LABELS,
    samples: perInstalledModel(({ modifiedAtMs }) =>
      modifiedAtMs === undefined ? undefined : modifiedAtMs / 1_000,
    ),
  }),
  family({
    name: 'ollama_scrape_success',
    help: 'Whether the request to this API of Ollama succeeded in this scrape.',
    labelNames: ['api'],
    samples: perApi(({ reasons }) => Number(reasons.length === 0)),
  }),
  family({
    name: 'ollama_scrape_duration_seconds',
    help: 'Duration of the request to this API of Ollama in this scrape.',
    labelNames: ['api'],
    samples: perApi(({ seconds }) => seconds),
  }),
  family({
    name: 'ollama_scrape_error',
    help: 'Why the request to this API of Ollama failed in this scrape; exists only while it fails.',
    labelNames: ['api', 'reason'],
    samples: perFailure,
  }),
  family({
    name: 'ollama_scrape_skipped_models',
    help: 'Entries in /api/ps that were skipped because they have no valid name or no valid size.',
    labelNames: [],
    samples: single(({ ps }) => (ps?.ok ? ps.value.skipped : undefined)),
  }),
];
