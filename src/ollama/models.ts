/** The rows of /api/ps and /api/tags → models: one for each name and quantization. */
import { isByteCount } from './json.ts';
import { type ModelList, type ModelRow, type NamedModel, readModels } from './model-list.ts';
import { parseTimestamp } from './time.ts';

/** A manifest of a model: one per digest that is loaded under the same name and quantization. */
export interface ModelDetails {
  readonly digest: string;
  readonly format: string;
  readonly family: string;
  readonly parameterSize: string;
}

/** All rows with the same name and quantization, merged. */
export interface RunningModel extends NamedModel {
  /** Bytes in RAM and VRAM together. */
  readonly sizeBytes: number;
  /** undefined if the server does not report it. */
  readonly sizeVramBytes: number | undefined;
  /** Tokens; undefined if the server does not report it. */
  readonly contextLength: number | undefined;
  /** As reported, Unix milliseconds, for `expiryAt`; undefined if it is no valid time. */
  readonly expiresAtMs: number | undefined;
  readonly details: readonly ModelDetails[];
}

export interface RunningModels extends ModelList<RunningModel> {
  /** Unix milliseconds on the Ollama host at the time of the response: the "now" of `expiresAtMs`. */
  readonly nowMs: number;
}

/**
 * @param body parsed JSON
 * @throws ApiError `invalid` if the body is not a list of models
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

/** v0.1.38 to v0.1.41, whose rows have modified_at, omit 0 (`omitempty` in api/types.go); LocalAI always omits it. */
function absentSizeVram(fields: ModelRow['fields']): 0 | undefined {
  return 'modified_at' in fields ? 0 : undefined;
}

/** Absent before v0.10.0; 0 for image generation models and for MLX before its first ping. */
function parseContextLength(value: unknown): number | undefined {
  return isByteCount(value) && value > 0 ? value : undefined;
}

/** If a tag was pulled again while the old one is loaded, there are two rows with its name (sched.go:107-127). */
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
  /** Of its manifest; '' if the server does not report it. */
  readonly digest: string;
  /** Bytes of all its layers on disk; layers that models share count for each. */
  readonly sizeBytes: number;
  /** Unix milliseconds; undefined if the server reports no valid time. */
  readonly modifiedAtMs: number | undefined;
}

export type InstalledModels = ModelList<InstalledModel>;

/**
 * @param body parsed JSON
 * @throws ApiError `invalid` if the body is not a list of models
 */
export function parseInstalledModels(body: unknown): InstalledModels {
  return readModels(body, readInstalled, mergeInstalled);
}

function readInstalled({ model, quantization, digest, sizeBytes, fields }: ModelRow): InstalledModel {
  return { model, quantization, digest, sizeBytes, modifiedAtMs: parseTimestamp(fields['modified_at']) };
}

/** Names are unique on disk; servers other than Ollama may repeat one. */
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

/** undefined if one of them is. */
function totalIfKnown(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === numbers.length ? total(known) : undefined;
}

/** The largest of values that may be missing; undefined if all are. */
function largest(numbers: ReadonlyArray<number | undefined>): number | undefined {
  return numbers.reduce(
    (a, b) => (a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)),
    undefined,
  );
}
