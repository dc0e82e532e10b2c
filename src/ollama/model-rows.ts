/** Turns the list in the body of /api/ps or /api/tags into models: one for each name and quantization. */
import { ApiError } from './errors.ts';
import { isByteCount, isRecord, textOf } from './json.ts';

/** 16 MiB of real rows, some 350 bytes each, are fewer; rows that a stranger makes up can be 25 bytes short. */
const MAX_ROWS = 50_000;

/** What tells one series from another. */
export interface NamedModel {
  readonly model: string;
  readonly quantization: string;
}

/** What the rows of both lists have in common. */
export interface ModelRow extends NamedModel {
  readonly sizeBytes: number;
  readonly digest: string;
  readonly format: string;
  readonly family: string;
  readonly parameterSize: string;
  /** The row as it came, for what only one of the lists has. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ModelList<T> {
  /** Sorted by model, then quantization, so that series keep their order from scrape to scrape. */
  readonly models: readonly T[];
  /** Rows in the list, those that could not be used included, repetitions of a row not. */
  readonly rows: number;
  /** Rows that could not be used. */
  readonly skipped: number;
}

/**
 * Reads a parsed body. Rows that can't be used are counted and skipped; they never cost the good ones.
 *
 * @param read makes a model of a row; undefined if the row can't be used after all
 * @param merge makes one model of those that share name and quantization, at least one
 * @throws ApiError `invalid` where the body is not an object with a list of models; null stands for an empty one;
 *   `too_large` where the list is too long
 */
export function readModels<T extends NamedModel>(
  body: unknown,
  read: (row: ModelRow) => T | undefined,
  merge: (twins: readonly [T, ...T[]]) => T,
): ModelList<T> {
  const usable: Array<NamedRow<T>> = [];
  let skipped = 0;
  for (const item of modelList(body)) {
    const row = parseRow(item);
    const model = row && read(row);
    if (row === undefined || model === undefined) {
      skipped += 1;
    } else {
      usable.push({ name: row.model, digest: row.digest, model });
    }
  }
  usable.sort((a, b) => compare(a.name, b.name));
  const models: T[] = [];
  let rows = skipped;
  for (let start = 0, end = 0; start < usable.length; start = end) {
    end = endOfName(usable, start);
    const distinct = distinctModels(usable.slice(start, end));
    rows += distinct.length;
    models.push(...(distinct.length === 1 ? distinct : mergeTwins(distinct, merge)));
  }
  return { models, rows, skipped };
}

interface NamedRow<T> {
  readonly name: string;
  readonly digest: string;
  readonly model: T;
}

/** @returns the index after the last row that has the name of the row at `start`, in sorted rows */
function endOfName(rows: ReadonlyArray<NamedRow<unknown>>, start: number): number {
  let end = start + 1;
  while (rows[end]?.name === rows[start]?.name && end < rows.length) {
    end += 1;
  }
  return end;
}

/** Of rows of one name, those whose digest was not seen before. Without a digest none repeats another. */
function distinctModels<T>(rows: ReadonlyArray<NamedRow<T>>): readonly T[] {
  if (rows.length === 1) {
    return rows.map(({ model }) => model);
  }
  const seen = new Set<string>();
  return rows
    .filter(({ digest }) => digest === '' || (!seen.has(digest) && seen.add(digest)))
    .map(({ model }) => model);
}

/** Of models of one name, one for each quantization, sorted by that. */
function mergeTwins<T extends NamedModel>(
  models: readonly T[],
  merge: (twins: readonly [T, ...T[]]) => T,
): readonly T[] {
  const twins = new Map<string, [T, ...T[]]>();
  for (const model of models) {
    const others = twins.get(model.quantization);
    others === undefined ? twins.set(model.quantization, [model]) : others.push(model);
  }
  return [...twins.values()]
    .map((same) => (same.length === 1 ? same[0] : merge(same)))
    .sort((a, b) => compare(a.quantization, b.quantization));
}

function modelList(body: unknown): readonly unknown[] {
  if (!isRecord(body) || !('models' in body)) {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "models" key');
  }
  const list = body['models'] ?? [];
  if (!Array.isArray(list)) {
    throw new ApiError('invalid', '"models" in the answer is not a list');
  }
  if (list.length > MAX_ROWS) {
    throw new ApiError('too_large', `the answer lists ${list.length} models, more than ${MAX_ROWS}`);
  }
  return list;
}

function parseRow(item: unknown): ModelRow | undefined {
  if (!isRecord(item)) {
    return undefined;
  }
  const model = textOf(item['model']) || textOf(item['name']);
  const sizeBytes = item['size'];
  if (model === '' || !isByteCount(sizeBytes)) {
    return undefined;
  }
  const details = isRecord(item['details']) ? item['details'] : {};
  return {
    model,
    quantization: textOf(details['quantization_level']) || 'unknown',
    sizeBytes,
    digest: textOf(item['digest']),
    format: textOf(details['format']),
    family: textOf(details['family']),
    parameterSize: textOf(details['parameter_size']),
    fields: item,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

export function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** The largest of figures that may be missing; undefined where all are. */
export function largest(numbers: ReadonlyArray<number | undefined>): number | undefined {
  return numbers.reduce(
    (a, b) => (a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)),
    undefined,
  );
}
