/** The rows of /api/ps and /api/tags → models: one for each name and quantization. */
import { isByteCount } from './json.ts';
import { type ModelList, type ModelRow, type NamedModel, readModels } from './model-list.ts';
import { parseTimestamp } from './time.ts';

/** What one manifest says of a model: one per digest that is loaded under the same name and quantization. */
export interface ModelDetails {
  readonly digest: string;
  readonly format: string;
  readonly family: string;
  readonly parameterSize: string;
}

/** All rows that share name and quantization, as one. */
export interface RunningModel extends NamedModel {
  /** Bytes in RAM and VRAM together. */
  readonly sizeBytes: number;
  /** undefined where the server does not say. */
  readonly sizeVramBytes: number | undefined;
  /** Tokens; undefined where the server gives none. */
  readonly contextLength: number | undefined;
  /** As the server gives it, Unix milliseconds, to be read by `expiryAt`; undefined where it is no usable time. */
  readonly expiresAtMs: number | undefined;
  readonly details: readonly ModelDetails[];
}

export interface RunningModels extends ModelList<RunningModel> {
  /** Unix milliseconds on the Ollama host when it answered; what "now" means for `expiresAtMs`. */
  readonly nowMs: number;
}

/**
 * @param body parsed JSON
 * @throws ApiError `invalid` where the body is not a list of models
 */
export function parseRunningModels(body: unknown): ModelList<RunningModel> {
  return readModels(body, readRunning, mergeRunning);
}

function readRunning(row: ModelRow): RunningModel | undefined {
  const { model, quantization, sizeBytes, digest, format, family, parameterSize, fields } = row;
  const sizeVramBytes = fields['size_vram'] ?? absentSizeVram(fields);
  if (sizeVramBytes !== undefined && !isByteCount(sizeVramBytes)) {
    return undefined;
  }
  return {
    model,
    quantization,
    sizeBytes,
    sizeVramBytes,
    contextLength: parseContextLength(fields['context_length']),
    expiresAtMs: parseTimestamp(fields['expires_at']),
    details: [{ digest, format, family, parameterSize }],
  };
}

/** v0.1.38 to v0.1.41, whose rows have modified_at, omit it when it is 0 (`omitempty` in api/types.go); LocalAI always. */
function absentSizeVram(fields: ModelRow['fields']): 0 | undefined {
  return 'modified_at' in fields ? 0 : undefined;
}

/** Absent before v0.10.0; 0 for image generation models and for MLX before its first ping. */
function parseContextLength(value: unknown): number | undefined {
  return isByteCount(value) && value > 0 ? value : undefined;
}

/** A tag that was pulled again while the old one is loaded gives two rows of one name (sched.go:107-127). */
function mergeRunning(twins: readonly [RunningModel, ...RunningModel[]]): RunningModel {
  return {
    ...twins[0],
    sizeBytes: total(twins.map(({ sizeBytes }) => sizeBytes)),
    sizeVramBytes: totalIfKnown(twins.map(({ sizeVramBytes }) => sizeVramBytes)),
    contextLength: largest(twins.map(({ contextLength }) => contextLength)),
    expiresAtMs: largest(twins.map(({ expiresAtMs }) => expiresAtMs)),
    details: twins.flatMap(({ details }) => details),
  };
}

export interface InstalledModel extends NamedModel {
  /** Of its manifest; '' where the server gives none. */
  readonly digest: string;
  /** Bytes of all its layers on disk; layers that models share count for each. */
  readonly sizeBytes: number;
  /** Unix milliseconds; undefined where the server gives no usable time. */
  readonly modifiedAtMs: number | undefined;
}

export type InstalledModels = ModelList<InstalledModel>;

/**
 * @param body parsed JSON
 * @throws ApiError `invalid` where the body is not a list of models
 */
export function parseInstalledModels(body: unknown): InstalledModels {
  return readModels(body, readInstalled, mergeInstalled);
}

function readInstalled({ model, quantization, digest, sizeBytes, fields }: ModelRow): InstalledModel {
  return { model, quantization, digest, sizeBytes, modifiedAtMs: parseTimestamp(fields['modified_at']) };
}

/** Names are unique on disk; other servers than Ollama may repeat one. */
function mergeInstalled(twins: readonly [InstalledModel, ...InstalledModel[]]): InstalledModel {
  return {
    ...twins[0],
    sizeBytes: total(twins.map(({ sizeBytes }) => sizeBytes)),
    modifiedAtMs: largest(twins.map(({ modifiedAtMs }) => modifiedAtMs)),
  };
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** undefined where one of them is. */
function totalIfKnown(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === numbers.length ? total(known) : undefined;
}

/** The largest of figures that may be missing; undefined where all are. */
function largest(numbers: ReadonlyArray<number | undefined>): number | undefined {
  return numbers.reduce(
    (a, b) => (a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)),
    undefined,
  );
}
