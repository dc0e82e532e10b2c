/** How a `Snapshot` fills a metric: with one sample, one a model, or one a call. */

import { expiryAt } from '../ollama/expiry.ts';
import type { InstalledModel } from '../ollama/installed-models.ts';
import type { NamedModel } from '../ollama/model-rows.ts';
import { rememberingLast } from '../ollama/remembering-last.ts';
import type { ModelDetails, RunningModel } from '../ollama/running-models.ts';
import { type Outcome, outcomes, type Snapshot } from '../scrape/snapshot.ts';
import { escaped, NO_LABELS } from './labels.ts';
import type { Emit } from './text-format.ts';

/** No samples: the metric is left out of the exposition. */
export type Samples = (snapshot: Snapshot, emit: Emit) => void;

export function runningModels({ ps }: Snapshot): object | undefined {
  return ps?.ok ? ps.value.models : undefined;
}

export function installedModels({ tags }: Snapshot): object | undefined {
  return tags?.ok ? tags.value.models : undefined;
}

/** One sample without labels; none where `value` gives undefined. */
export function plain(value: (snapshot: Snapshot) => number | undefined): Samples {
  return (snapshot, emit) => {
    const sample = value(snapshot);
    if (sample !== undefined) {
      emit(NO_LABELS, sample);
    }
  };
}

/** One sample a model in memory; none where `value` gives undefined. */
export function perModel(value: (model: RunningModel, nowMs: number) => number | undefined): Samples {
  return ({ ps }, emit) => {
    if (ps?.ok) {
      const { models, nowMs } = ps.value;
      eachModel(models, (model) => value(model, nowMs), emit);
    }
  };
}

/** One sample a model on disk; none where `value` gives undefined. */
export function perInstalledModel(value: (model: InstalledModel) => number | undefined): Samples {
  return ({ tags }, emit) => {
    if (tags?.ok) {
      eachModel(tags.value.models, value, emit);
    }
  };
}

function eachModel<T extends NamedModel>(
  models: readonly T[],
  value: (model: T) => number | undefined,
  emit: Emit,
): void {
  const labels = labelsOf(models);
  models.forEach((model, index) => {
    const sample = value(model);
    if (sample !== undefined) {
      emit(labels[index] ?? NO_LABELS, sample);
    }
  });
}

/** Made once for all metrics of a list. */
const labelsOf = rememberingLast((models: readonly NamedModel[]) =>
  models.map((model) => `{${modelLabels(model)}}`),
);

function modelLabels({ model, quantization }: NamedModel): string {
  return `model="${escaped(model)}",quantization="${escaped(quantization)}"`;
}

/** One sample a digest. Rows without a digest can still say the same of themselves, and must not repeat a series. */
export const perDigest: Samples = ({ ps }, emit) => {
  for (const model of ps?.ok ? ps.value.models : []) {
    const labels = model.details.map((manifest) => `{${modelLabels(model)},${manifestLabels(manifest)}}`);
    for (const text of labels.length === 1 ? labels : new Set(labels)) {
      emit(text, 1);
    }
  }
};

function manifestLabels({ digest, format, family, parameterSize }: ModelDetails): string {
  return `digest="${escaped(digest)}",format="${escaped(format)}",family="${escaped(family)}",parameter_size="${escaped(parameterSize)}"`;
}

export function expirySeconds(
  momentMs: number | undefined,
  nowMs: number,
  sinceMs: number,
): number | undefined {
  return momentMs === undefined ? undefined : (expiryAt(momentMs, nowMs) - sinceMs) / 1_000;
}

/** One sample for each call that was made. */
export function perApi(value: (outcome: Outcome<unknown>) => number): Samples {
  return (snapshot, emit) => {
    for (const [api, outcome] of outcomes(snapshot)) {
      emit(`{api="${api}"}`, value(outcome));
    }
  };
}

/** One sample for each call that failed. */
export const perFailure: Samples = (snapshot, emit) => {
  for (const [api, outcome] of outcomes(snapshot)) {
    if (!outcome.ok) {
      emit(`{api="${api}",reason="${outcome.error.reason}"}`, 1);
    }
  }
};
