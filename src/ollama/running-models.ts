/** Turns the body of GET /api/ps into the models that sit in memory. */
import { isByteCount } from './json.ts';
import { largest, type ModelList, type ModelRow, type NamedModel, readModels, total } from './model-rows.ts';
import { parseTimestamp } from './timestamp.ts';

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
  readonly sizeVramBytes: number;
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
  return readModels(body, readRow, mergeRows);
}

function readRow(row: ModelRow): RunningModel | undefined {
  const { model, quantization, sizeBytes, digest, format, family, parameterSize, fields } = row;
  // v0.1.38 to v0.1.41 omit size_vram when it is 0 (`omitempty` in api/types.go).
  const sizeVramBytes = 'size_vram' in fields ? fields['size_vram'] : 0;
  if (!isByteCount(sizeVramBytes)) {
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

/** Absent before v0.10.0; 0 for image generation models and for MLX before its first ping. */
function parseContextLength(value: unknown): number | undefined {
  return isByteCount(value) && value > 0 ? value : undefined;
}

/** A tag that was pulled again while the old one is loaded gives two rows of one name (sched.go:107-127). */
function mergeRows(twins: readonly [RunningModel, ...RunningModel[]]): RunningModel {
  return {
    ...twins[0],
    sizeBytes: total(twins.map(({ sizeBytes }) => sizeBytes)),
    sizeVramBytes: total(twins.map(({ sizeVramBytes }) => sizeVramBytes)),
    contextLength: largest(twins.map(({ contextLength }) => contextLength)),
    expiresAtMs: largest(twins.map(({ expiresAtMs }) => expiresAtMs)),
    details: twins.flatMap(({ details }) => details),
  };
}
