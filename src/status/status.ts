/** Converts a snapshot to the values of the page and of /api/status. */
import type { ApiError } from '../ollama/errors.ts';
import type { NamedModel } from '../ollama/model-list.ts';
import type { RunningModel, RunningModels } from '../ollama/models.ts';
import { expiryAt } from '../ollama/time.ts';
import type { ModelRunner } from '../scrape/runners-reading.ts';
import { isUp, outcomes, type Snapshot } from '../scrape/snapshot.ts';
import { processor, until } from './ps-words.ts';

/** Used instead of a request's name for problems of the runners. */
export const RUNNERS = 'runners';

/** The JSON of the response; sizes in bytes, null if unknown. */
export interface Status {
  readonly target: string;
  readonly module: string;
  readonly simulated: boolean;
  /** `partial`: some requests fail. */
  readonly state: 'up' | 'partial' | 'down';
  readonly problems: readonly Problem[];
  readonly version: string | null;
  /** RFC 3339, by the clock of the exporter. */
  readonly read_at: string;
  readonly seconds: number;
  readonly vram_capacity: number | null;
  readonly memory_capacity: number | null;
  /** null: the list is not available. */
  readonly models: readonly ModelStatus[] | null;
  /** Invalid rows. */
  readonly skipped: number;
  /** Whether the runners of the models are read. */
  readonly runners: boolean;
  readonly totals: Totals;
}

export interface Problem {
  readonly api: string;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
}

export interface ModelStatus {
  readonly model: string;
  readonly quantization: string;
  readonly parameter_size: string;
  readonly family: string;
  readonly digest: string;
  readonly size: number;
  readonly size_vram: number | null;
  readonly processor: string;
  readonly context_length: number | null;
  /** Maximum and current number of concurrent requests; null if its runner is not read, or did not respond. */
  readonly slots: number | null;
  readonly slots_busy: number | null;
  /** Seconds; null for never, or for no valid time: see `until`. */
  readonly expires_in: number | null;
  readonly until: string;
}

export interface Totals {
  readonly models: number;
  readonly size: number;
  /** null, like `size_ram`, if unknown for one of the models. */
  readonly size_vram: number | null;
  readonly size_ram: number | null;
}

export interface StatusSource {
  readonly target: URL;
  readonly module: string;
  readonly simulated: boolean;
  readonly readAt: Date;
}

export function statusOf(snapshot: Snapshot, { target, module, simulated, readAt }: StatusSource): Status {
  const { capacity, ps, version } = snapshot;
  const failures = outcomes(snapshot).flatMap(([api, outcome]) =>
    outcome.ok ? [] : [problemOf(api, outcome.error)],
  );
  // Problems of the runners do not mean that Ollama's API fails.
  const problems = [
    ...failures,
    ...(snapshot.runners?.problems ?? []).map((error) => problemOf(RUNNERS, error)),
  ];
  const models = ps?.ok ? modelsOf(ps.value, snapshot.runners?.models ?? []) : null;
  return {
    target: target.href,
    module,
    simulated,
    state: isUp(snapshot) ? (failures.length === 0 ? 'up' : 'partial') : 'down',
    problems,
    version: version?.ok ? version.value : null,
    read_at: readAt.toISOString(),
    seconds: Math.max(...outcomes(snapshot).map(([, { seconds }]) => seconds)),
    vram_capacity: capacity.vramBytes ?? null,
    memory_capacity: capacity.memoryBytes ?? null,
    models,
    skipped: ps?.ok ? ps.value.skipped : 0,
    runners: snapshot.runners !== undefined,
    totals: totalsOf(models ?? []),
  };
}

function problemOf(api: string, error: ApiError): Problem {
  return { api, reason: error.reason, message: error.message, remedy: error.remedy };
}

/** The model with the most VRAM comes first. */
function modelsOf({ models, nowMs }: RunningModels, runners: readonly ModelRunner[]): readonly ModelStatus[] {
  const runnerOf = new Map(runners.map((runner) => [keyOf(runner), runner]));
  return models
    .map((model) => modelOf(model, runnerOf.get(keyOf(model)), nowMs))
    .sort(
      (a, b) => (b.size_vram ?? 0) - (a.size_vram ?? 0) || b.size - a.size || (a.model < b.model ? -1 : 1),
    );
}

function keyOf({ model, quantization }: NamedModel): string {
  return JSON.stringify([model, quantization]);
}

function modelOf(running: RunningModel, runner: ModelRunner | undefined, nowMs: number): ModelStatus {
  const { model, quantization, sizeBytes, sizeVramBytes, contextLength, expiresAtMs, details } = running;
  const seconds = expiresAtMs === undefined ? undefined : (expiryAt(expiresAtMs, nowMs) - nowMs) / 1_000;
  return {
    model,
    quantization,
    parameter_size: distinct(details.map(({ parameterSize }) => parameterSize)),
    family: distinct(details.map(({ family }) => family)),
    digest: distinct(details.map(({ digest }) => digest)),
    size: sizeBytes,
    size_vram: sizeVramBytes ?? null,
    processor: processor(sizeBytes, sizeVramBytes),
    context_length: contextLength ?? null,
    slots: runner?.slots ?? null,
    slots_busy: runner?.busySlots ?? null,
    expires_in: seconds === undefined || seconds === Number.POSITIVE_INFINITY ? null : seconds,
    until: until(seconds),
  };
}

/** Rows with the same name can have different manifests. */
function distinct(texts: readonly string[]): string {
  return [...new Set(texts)].join(', ');
}

function totalsOf(models: readonly ModelStatus[]): Totals {
  const size = models.reduce((sum, model) => sum + model.size, 0);
  const size_vram = totalOf(models.map((model) => model.size_vram));
  const size_ram = totalOf(models.map(ramOf));
  return { models: models.length, size, size_vram, size_ram };
}

function totalOf(numbers: ReadonlyArray<number | null>): number | null {
  return numbers.reduce<number | null>(
    (sum, number) => (sum === null || number === null ? null : sum + number),
    0,
  );
}

/** If VRAM exceeds the size, the server's values are invalid, and no RAM is shown. */
export function ramOf({ size, size_vram }: Pick<ModelStatus, 'size' | 'size_vram'>): number | null {
  return size_vram === null ? null : Math.max(size - size_vram, 0);
}
