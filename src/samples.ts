/** How a `Snapshot` fills a metric: with one sample, one a model, or one a call. */
import { Labels } from './labels.ts';
import { expiryAt } from './ollama/expiry.ts';
import type { InstalledModel } from './ollama/installed-models.ts';
import type { NamedModel } from './ollama/model-rows.ts';
import type { RunningModel } from './ollama/running-models.ts';
import { type Collector, type Outcome, outcomes, type Snapshot } from './scrape.ts';

export interface Sample {
  /** Those of a model are the same object each time. */
  readonly labels: Labels;
  readonly value: number;
}

/** No samples: the metric is left out of the exposition. */
export type Samples = (snapshot: Snapshot) => readonly Sample[];

export function runningModels({ ps }: Snapshot): object | undefined {
  return ps?.ok ? ps.value.models : undefined;
}

export function installedModels({ tags }: Snapshot): object | undefined {
  return tags?.ok ? tags.value.models : undefined;
}

const NO_LABELS = new Labels({});

export function plain(value: number): Sample {
  return { labels: NO_LABELS, value };
}

export function plainIfKnown(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [plain(value)];
}

/** One sample a model in memory; none where `value` gives undefined. */
export function perModel(value: (model: RunningModel, nowMs: number) => number | undefined): Samples {
  return ({ ps }) => (ps?.ok ? modelSamples(ps.value.models, (model) => value(model, ps.value.nowMs)) : []);
}

/** One sample a model on disk; none where `value` gives undefined. */
export function perInstalledModel(value: (model: InstalledModel) => number | undefined): Samples {
  return ({ tags }) => (tags?.ok ? modelSamples(tags.value.models, value) : []);
}

function modelSamples<T extends NamedModel>(
  models: readonly T[],
  value: (model: T) => number | undefined,
): readonly Sample[] {
  const labels = labelsOf(models);
  const samples: Sample[] = [];
  for (const [index, model] of models.entries()) {
    const sample = value(model);
    if (sample !== undefined) {
      samples.push({ labels: labels[index] ?? NO_LABELS, value: sample });
    }
  }
  return samples;
}

/** By list: a weak map with an entry for each model would cost more than all else. */
const labelsOfLists = new WeakMap<readonly NamedModel[], readonly Labels[]>();

function labelsOf(models: readonly NamedModel[]): readonly Labels[] {
  let labels = labelsOfLists.get(models);
  if (labels === undefined) {
    labels = models.map(({ model, quantization }) => new Labels({ model, quantization }));
    labelsOfLists.set(models, labels);
  }
  return labels;
}

/** One sample a digest. Rows without a digest can still say the same of themselves, and must not repeat a series. */
export function infoSamples(model: RunningModel): readonly Sample[] {
  const { model: name, quantization } = model;
  const samples = model.details.map(({ digest, format, family, parameterSize }) => ({
    labels: new Labels({
      model: name,
      quantization,
      digest,
      format,
      family,
      parameter_size: parameterSize,
    }),
    value: 1,
  }));
  return samples.length === 1
    ? samples
    : [...new Map(samples.map((sample) => [sample.labels.text, sample])).values()];
}

export function expirySeconds(
  momentMs: number | undefined,
  nowMs: number,
  sinceMs: number,
): number | undefined {
  return momentMs === undefined ? undefined : (expiryAt(momentMs, nowMs) - sinceMs) / 1_000;
}

const LABELS_OF_APIS: Readonly<Record<Collector, Labels>> = {
  ps: new Labels({ api: 'ps' }),
  version: new Labels({ api: 'version' }),
  tags: new Labels({ api: 'tags' }),
};

export function perApi(value: (outcome: Outcome<unknown>) => number): Samples {
  return (snapshot) =>
    outcomes(snapshot).map(([api, outcome]) => ({ labels: LABELS_OF_APIS[api], value: value(outcome) }));
}
