/** The list in the body of /api/ps or /api/tags; rows with the same name and quantization are one model. */
import { INVISIBLE } from '../log/invisible.ts';
import { ApiError } from './errors.ts';
import { isByteCount, isRecord, textOf } from './json.ts';

/** Ten times the models of any server; rendering the page and the exposition of so many takes a tenth of a second. */
const MAX_ROWS = 2_000;
/** Characters of all labels. 2,000 real rows have 320,000; the page and the exposition repeat them ten times. */
const MAX_TEXT = 500_000;

/**
 * Names and details with line breaks or invisible characters are invalid: they may be a request that the server
 * repeats. Ollama's own names have at most 593 characters; `details` are free text.
 */
const NAME = new RegExp(`^[^${INVISIBLE}]{1,1024}$`, 'u');
const DETAIL = new RegExp(`^[^${INVISIBLE}]{1,256}$`, 'u');

/** The labels that distinguish series. */
export interface NamedModel {
  readonly model: string;
  readonly quantization: string;
}

/** The fields that the rows of both lists have. */
export interface ModelRow extends NamedModel {
  readonly sizeBytes: number;
  readonly digest: string;
  readonly format: string;
  readonly family: string;
  readonly parameterSize: string;
  /** The row as received, for fields that only one of the lists has. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ModelList<T> {
  /** Sorted by model, then quantization, so that series keep their order between scrapes. */
  readonly models: readonly T[];
  /** Rows in the list, including skipped ones, without repetitions. */
  readonly rows: number;
  /** Rows without a valid name or size. */
  readonly skipped: number;
}

/**
 * Reads a parsed body. Invalid rows are counted and skipped; they never affect other rows.
 *
 * @param read converts a row to a model; undefined if the row is invalid
 * @param merge merges models with the same name and quantization
 * @throws ApiError `invalid` if the body is not an object with a list of models; null means an empty list;
 * `too_large` if the list is too long
 */
export function readModels<T extends NamedModel>(
  body: unknown,
  read: (row: ModelRow) => T | undefined,
  merge: (twins: readonly [T, ...T[]]) => T,
): ModelList<T> {
  const byName = new Map<string, SameName<T>>();
  let rows = 0;
  let skipped = 0;
  for (const row of readRows(body)) {
    const model = row && read(row);
    if (row === undefined || model === undefined) {
      skipped += 1;
      continue;
    }
    const same = byName.get(model.model) ?? { digests: new Set(), byQuantization: new Map() };
    byName.set(model.model, same);
    // A repeated row counts once. Rows without a digest are never repetitions.
    if (row.digest !== '' && same.digests.has(row.digest)) {
      continue;
    }
    same.digests.add(row.digest);
    rows += 1;
    const twins = same.byQuantization.get(model.quantization);
    if (twins === undefined) {
      same.byQuantization.set(model.quantization, [model]);
    } else {
      twins.push(model);
    }
  }
  const models = sorted(byName).flatMap(({ byQuantization }) =>
    sorted(byQuantization).map((twins) => (twins.length === 1 ? twins[0] : merge(twins))),
  );
  return { models, rows: rows + skipped, skipped };
}

/** The row of each item in the list; undefined if it is invalid. */
function readRows(body: unknown): ReadonlyArray<ModelRow | undefined> {
  const rows = modelList(body).map(parseRow);
  const length = rows.reduce((sum, row) => sum + textLength(row), 0);
  if (length > MAX_TEXT) {
    throw new ApiError('too_large', `the response has ${length} characters of text, more than ${MAX_TEXT}`);
  }
  return rows;
}

function textLength(row: ModelRow | undefined): number {
  const { model = '', quantization, digest, format, family, parameterSize } = row ?? {};
  return [model, quantization, digest, format, family, parameterSize].join('').length;
}

/** The rows with the same name and quantization. */
interface SameName<T> {
  readonly digests: Set<string>;
  readonly byQuantization: Map<string, [T, ...T[]]>;
}

/** The values, by their keys. */
function sorted<T>(map: ReadonlyMap<string, T>): readonly T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function modelList(body: unknown): readonly unknown[] {
  if (!isRecord(body) || !('models' in body)) {
    throw new ApiError('invalid', 'the response is not a JSON object with a "models" key');
  }
  const list = body['models'] ?? [];
  if (!Array.isArray(list)) {
    throw new ApiError('invalid', '"models" in the response is not a list');
  }
  if (list.length > MAX_ROWS) {
    throw new ApiError('too_large', `the response lists ${list.length} models, more than ${MAX_ROWS}`);
  }
  return list;
}

function parseRow(item: unknown): ModelRow | undefined {
  if (!isRecord(item)) {
    return undefined;
  }
  const model = textOf(item['model'], NAME) || textOf(item['name'], NAME);
  const sizeBytes = item['size'];
  if (model === '' || !isByteCount(sizeBytes)) {
    return undefined;
  }
  const details = isRecord(item['details']) ? item['details'] : {};
  return {
    model,
    quantization: textOf(details['quantization_level'], DETAIL) || 'unknown',
    sizeBytes,
    digest: textOf(item['digest'], DETAIL),
    format: textOf(details['format'], DETAIL),
    family: textOf(details['family'], DETAIL),
    parameterSize: textOf(details['parameter_size'], DETAIL),
    fields: item,
  };
}
