/** Matches runners to loaded models, and merges their responses. */
import { ApiError } from '../ollama/errors.ts';
import type { RunningModel, RunningModels } from '../ollama/models.ts';
import type { ModelRunner } from '../scrape/runners-reading.ts';
import type { BlobsOf, Row } from './blobs.ts';
import type { Runner } from './find.ts';
import type { RunnerResponse } from './runner-client.ts';

/** A runner and its response; undefined if it has no HTTP endpoints of llama-server. */
export interface QueriedRunner {
  readonly runner: Runner;
  readonly response: RunnerResponse | undefined;
}

/** A loaded model with its runners. */
export interface FoundModel {
  readonly model: RunningModel;
  readonly runners: readonly QueriedRunner[];
  /** Why there are fewer than rows in `/api/ps`. */
  readonly missing: readonly ApiError[];
}

/** By the blob of the weights; for MLX, whose runner has none, by the name. */
export async function match(
  { models }: RunningModels,
  queried: readonly QueriedRunner[],
  blobsOf: (rows: readonly Row[]) => ReturnType<BlobsOf>,
): Promise<readonly FoundModel[]> {
  const byName = (model: string) =>
    queried.filter(({ runner: { name } }) => name !== undefined && [name, `${name}:latest`].includes(model));
  const hasBlobs = queried.some(({ runner }) => runner.blob !== undefined);
  const unnamed = models.flatMap(({ model, sizeBytes, details }) =>
    // Without a size, it may be a cloud model, for which /api/show queries ollama.com.
    hasBlobs && sizeBytes > 0 && byName(model).length === 0
      ? details.map(({ digest }) => ({ model, digest }))
      : [],
  );
  const blobs = await blobsOf(unnamed);
  return models.map((model): FoundModel => {
    const named = byName(model.model);
    if (named.length > 0) {
      return { model, runners: named, missing: [] };
    }
    const known = new Set(model.details.map(({ digest }) => blobs.get(digest)));
    const found = [...known].map((blob) => ({
      blob,
      runners: queried.filter(({ runner }) => blob !== undefined && runner.blob === blob),
    }));
    const missing = found
      .filter(({ runners }) => runners.length === 0)
      .map(({ blob }) => (blob instanceof ApiError ? blob : notFound(model)));
    return { model, runners: found.flatMap(({ runners }) => runners), missing };
  });
}

function notFound({ model }: RunningModel): ApiError {
  return new ApiError('not_found', `no runner of ${model} was found`);
}

export function problemsOf({ runners, missing }: FoundModel): readonly ApiError[] {
  return [...missing, ...runners.flatMap(({ response }) => response?.problems ?? [])];
}

/** The first of each reason. */
export function distinct(problems: readonly ApiError[]): readonly ApiError[] {
  return [
    ...new Map(problems.toReversed().map((problem) => [problem.reason, problem])).values(),
  ].toReversed();
}

export function modelRunner({ model: { model, quantization }, runners }: FoundModel): ModelRunner {
  const responses = runners.flatMap(({ response }) => response ?? []);
  return {
    model,
    quantization,
    up: responses.length === 0 ? undefined : responses.every(({ up }) => up),
    slots: totalIfKnown(responses.map(({ slots }) => slots?.total)),
    busySlots: totalIfKnown(responses.map(({ slots }) => slots?.busy)),
    residentBytes: totalIfKnown(runners.map(({ runner }) => runner.residentBytes)),
  };
}

/** undefined if one of them is, or there is none. */
function totalIfKnown(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 || known.length < numbers.length
    ? undefined
    : known.reduce((sum, number) => sum + number, 0);
}
