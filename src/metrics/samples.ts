/** How a snapshot fills a family: with one sample, one per model, or one per request to Ollama's API. */

import type { NamedModel } from '../ollama/model-list.ts';
import type { InstalledModel, RunningModel } from '../ollama/models.ts';
import { expiryAt } from '../ollama/time.ts';
import type { ModelRunner } from '../scrape/runners-reading.ts';
import { outcomes, type Snapshot } from '../scrape/snapshot.ts';

export interface Sample<Label extends string = string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

/** Without samples, the family is omitted from the exposition. */
export type Samples<Label extends string = string> = (snapshot: Snapshot) => ReadonlyArray<Sample<Label>>;

type ModelLabel = 'model' | 'quantization';

/** One sample without labels; none if `figureOf` returns undefined. */
export function single(figureOf: (snapshot: Snapshot) => number | undefined): Samples<never> {
  return (snapshot) => {
    const value = figureOf(snapshot);
    return value === undefined ? [] : [{ labels: {}, value }];
  };
}

/** One sample per loaded model; none if `figureOf` returns undefined. `nowMs` is by the clock of Ollama's host. */
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

/** One sample per loaded model whose runner was found; none if `figureOf` returns undefined. */
export function perRunner(figureOf: (runner: ModelRunner) => number | undefined): Samples<ModelLabel> {
  return ({ runners }) => runners?.models.flatMap((model) => sampleOf(model, figureOf(model))) ?? [];
}

/** One sample per model on disk; none if `figureOf` returns undefined. */
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

/** A request to Ollama's API, or all requests to the runners together. */
interface Call {
  readonly api: string;
  readonly seconds: number;
  /** Empty if it succeeded. */
  readonly reasons: readonly string[];
}

function calls(snapshot: Snapshot): readonly Call[] {
  const { runners } = snapshot;
  const requests = outcomes(snapshot).map(([api, outcome]) => ({
    api,
    seconds: outcome.seconds,
    reasons: outcome.ok ? [] : [outcome.error.reason],
  }));
  return runners === undefined
    ? requests
    : [
        ...requests,
        { api: 'runners', seconds: runners.seconds, reasons: runners.problems.map(({ reason }) => reason) },
      ];
}

/** One sample per request. */
export function perApi(figureOf: (call: Call) => number): Samples<'api'> {
  return (snapshot) => calls(snapshot).map((call) => ({ labels: { api: call.api }, value: figureOf(call) }));
}

/** One sample per reason of a failed request. */
export const perFailure: Samples<'api' | 'reason'> = (snapshot) =>
  calls(snapshot).flatMap(({ api, reasons }) =>
    reasons.map((reason) => ({ labels: { api, reason }, value: 1 })),
  );

/** Seconds from `sinceMs` until the model expires; Infinity for never, undefined for an invalid time. */
export function expirySeconds(
  { expiresAtMs }: RunningModel,
  nowMs: number,
  sinceMs: number,
): number | undefined {
  return expiresAtMs === undefined ? undefined : (expiryAt(expiresAtMs, nowMs) - sinceMs) / 1_000;
}
