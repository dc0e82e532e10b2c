/** How a snapshot fills a family: with one sample, one per model, or one per request to Ollama's API. */

import type { NamedModel } from '../ollama/model-list.ts';
import type { InstalledModel, RunningModel } from '../ollama/models.ts';
import { expiryAt } from '../ollama/time.ts';
import { type Outcome, outcomes, type Snapshot } from '../scrape/snapshot.ts';

export interface Sample<Label extends string = string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

/** Without samples, the family is left out of the exposition. */
export type Samples<Label extends string = string> = (snapshot: Snapshot) => ReadonlyArray<Sample<Label>>;

type ModelLabel = 'model' | 'quantization';

/** One sample without labels; none where `figureOf` returns undefined. */
export function single(figureOf: (snapshot: Snapshot) => number | undefined): Samples<never> {
  return (snapshot) => {
    const value = figureOf(snapshot);
    return value === undefined ? [] : [{ labels: {}, value }];
  };
}

/** One sample per loaded model; none where `figureOf` returns undefined. `nowMs` is by the clock of Ollama's host. */
export function perModel(
  figureOf: (model: RunningModel, nowMs: number) => number | undefined,
): Samples<ModelLabel> {
  return ({ ps }) => {
    if (!ps?.ok) {
      return [];
    }
    const { models, nowMs } = ps.value;
    return models.flatMap((model) => sampleOf(model, figureOf(model, nowMs)));
  };
}

/** One sample per model on disk; none where `figureOf` returns undefined. */
export function perInstalledModel(
  figureOf: (model: InstalledModel) => number | undefined,
): Samples<ModelLabel> {
  return ({ tags }) =>
    tags?.ok ? tags.value.models.flatMap((model) => sampleOf(model, figureOf(model))) : [];
}

function sampleOf(
  { model, quantization }: NamedModel,
  value: number | undefined,
): ReadonlyArray<Sample<ModelLabel>> {
  return value === undefined ? [] : [{ labels: { model, quantization }, value }];
}

/** One sample per manifest. Rows without a digest can be equal, and must not repeat a series. */
export const perManifest: Samples<ModelLabel | 'digest' | 'format' | 'family' | 'parameter_size'> = ({
  ps,
}) => {
  const models = ps?.ok ? ps.value.models : [];
  return models.flatMap(({ model, quantization, details }) => {
    const labels = details.map(({ digest, format, family, parameterSize }) => ({
      model,
      quantization,
      digest,
      format,
      family,
      parameter_size: parameterSize,
    }));
    return distinct(labels).map((set) => ({ labels: set, value: 1 }));
  });
};

function distinct<T>(sets: readonly T[]): readonly T[] {
  return sets.length === 1 ? sets : [...new Map(sets.map((set) => [JSON.stringify(set), set])).values()];
}

/** One sample per request that was made. */
export function perApi(figureOf: (outcome: Outcome<unknown>) => number): Samples<'api'> {
  return (snapshot) =>
    outcomes(snapshot).map(([api, outcome]) => ({ labels: { api }, value: figureOf(outcome) }));
}

/** One sample per request that failed. */
export const perFailure: Samples<'api' | 'reason'> = (snapshot) =>
  outcomes(snapshot).flatMap(([api, outcome]) =>
    outcome.ok ? [] : [{ labels: { api, reason: outcome.error.reason }, value: 1 }],
  );

/** Seconds from `sinceMs` until the model expires; Infinity is never, undefined is no usable time. */
export function expirySeconds(
  { expiresAtMs }: RunningModel,
  nowMs: number,
  sinceMs: number,
): number | undefined {
  return expiresAtMs === undefined ? undefined : (expiryAt(expiresAtMs, nowMs) - sinceMs) / 1_000;
}
