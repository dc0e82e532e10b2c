/** Turns the body of GET /api/ps into the models that sit in memory. */
import { ApiError } from './api-error.ts';
import { type ExpiryMs, parseExpiry } from './expiry.ts';
import { isRecord, textOf } from './json.ts';

/** What one manifest says of a model: one per digest that is loaded under the same name and quantization. */
export interface ModelDetails {
  readonly digest: string;
  readonly format: string;
  readonly family: string;
  readonly parameterSize: string;
}

/** All rows that share name and quantization, as one. */
export interface RunningModel {
  readonly model: string;
  readonly quantization: string;
  /** Bytes in RAM and VRAM together. */
  readonly sizeBytes: number;
  readonly sizeVramBytes: number;
  /** Tokens; undefined where the server gives none. */
  readonly contextLength: number | undefined;
  /** When Ollama means to unload it; undefined where the server gives no usable time. */
  readonly expiresAtMs: ExpiryMs | undefined;
  readonly details: readonly ModelDetails[];
}

export interface RunningModels {
  /** Sorted by model, then quantization, so that series keep their order from scrape to scrape. */
  readonly models: readonly RunningModel[];
  /** Rows in /api/ps, those that could not be used included, repetitions of a row not. */
  readonly rows: number;
  /** Rows that could not be used. */
  readonly skipped: number;
  /** Unix milliseconds on the Ollama host when it answered; what "now" means for `expiresAtMs`. */
  readonly nowMs: number;
}

interface Row extends Omit<RunningModel, 'details'> {
  readonly details: ModelDetails;
}

/**
 * Reads a parsed body of /api/ps. Rows that can't be used are counted and skipped; they never cost the good ones.
 *
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 * @throws ApiError `invalid` where the body is not an object with a list of models; null stands for an empty one
 */
export function parseRunningModels(body: unknown, nowMs: number): RunningModels {
  if (!isRecord(body) || !('models' in body)) {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "models" key');
  }
  const list = body['models'] ?? [];
  if (!Array.isArray(list)) {
    throw new ApiError('invalid', '"models" in the answer is not a list');
  }
  const parsed = list.map((row) => parseRow(row, nowMs));
  const usable = parsed.filter((row) => row !== undefined);
  const distinct = withoutRepetitions(usable);
  const skipped = parsed.length - usable.length;
  return { models: mergeByName(distinct), rows: distinct.length + skipped, skipped, nowMs };
}

function parseRow(row: unknown, nowMs: number): Row | undefined {
  if (!isRecord(row)) {
    return undefined;
  }
  const model = textOf(row['model']) || textOf(row['name']);
  const sizeBytes = row['size'];
  // v0.1.38 to v0.1.41 omit size_vram when it is 0 (`omitempty` in api/types.go).
  const sizeVramBytes = 'size_vram' in row ? row['size_vram'] : 0;
  if (model === '' || !isByteCount(sizeBytes) || !isByteCount(sizeVramBytes)) {
    return undefined;
  }
  const details = isRecord(row['details']) ? row['details'] : {};
  return {
    model,
    quantization: textOf(details['quantization_level']) || 'unknown',
    sizeBytes,
    sizeVramBytes,
    contextLength: parseContextLength(row['context_length']),
    expiresAtMs: parseExpiry(row['expires_at'], nowMs),
    details: {
      digest: textOf(row['digest']),
      format: textOf(details['format']),
      family: textOf(details['family']),
      parameterSize: textOf(details['parameter_size']),
    },
  };
}

function isByteCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Absent before v0.10.0; 0 for image generation models and for MLX before its first ping. */
function parseContextLength(value: unknown): number | undefined {
  return isByteCount(value) && value > 0 ? value : undefined;
}

/** Drops rows whose digest was already seen under the same name. Without a digest no row repeats another. */
function withoutRepetitions(rows: readonly Row[]): readonly Row[] {
  const seen = new Set<string>();
  return rows.filter(({ model, details: { digest } }) => {
    const key = JSON.stringify([model, digest]);
    const repeated = digest !== '' && seen.has(key);
    seen.add(key);
    return !repeated;
  });
}

/** A tag that was pulled again while the old one is loaded gives two rows of one name (sched.go:107-127). */
function mergeByName(rows: readonly Row[]): readonly RunningModel[] {
  const merged = new Map<string, RunningModel>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.quantization]);
    const twin = merged.get(key);
    merged.set(key, twin === undefined ? { ...row, details: [row.details] } : mergeRow(twin, row));
  }
  return [...merged.values()].sort(
    (a, b) => compare(a.model, b.model) || compare(a.quantization, b.quantization),
  );
}

function mergeRow(twin: RunningModel, row: Row): RunningModel {
  return {
    ...twin,
    sizeBytes: twin.sizeBytes + row.sizeBytes,
    sizeVramBytes: twin.sizeVramBytes + row.sizeVramBytes,
    contextLength: larger(twin.contextLength, row.contextLength),
    expiresAtMs: larger(twin.expiresAtMs, row.expiresAtMs),
    details: [...twin.details, row.details],
  };
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
