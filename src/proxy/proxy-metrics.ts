/** Adds one exchange to the metrics of the proxy. */
import { Registry } from 'prom-client';
import { API_NAMES, OTHER } from './apis.ts';
import { type Figures, hasTokens } from './figures.ts';
import type { Findings } from './findings.ts';
import { createModelLabels } from './model-labels.ts';
import { OUTCOMES, type Outcome } from './outcome.ts';
import { createProxyFamilies, type ProxyFamilies } from './proxy-families.ts';

/** The outcomes of a model that has responded. */
const OUTCOMES_OF_MODELS: readonly Outcome[] = ['ok', 'failed', 'incomplete', 'cut', 'client_gone'];

/** A completed exchange. */
export interface Measurement {
  readonly api: string;
  readonly outcome: Outcome;
  /** undefined if the response was not measured. */
  readonly findings: Findings | undefined;
  /** Seconds since the headers of the request. */
  readonly durationSeconds: number;
  /** For a stream; undefined without content. */
  readonly firstTokenSeconds: number | undefined;
}

export interface ProxyMetrics {
  readonly registry: Registry;
  readonly begin: (api: string) => void;
  readonly end: (api: string) => void;
  readonly add: (measurement: Measurement) => void;
  /** Measuring failed; the response was passed on. */
  readonly addFault: () => void;
}

export function createProxyMetrics(): ProxyMetrics {
  const registry = new Registry();
  const families = createProxyFamilies(registry);
  const labelOf = createModelLabels();
  const begun = new Set<string>();
  for (const api of API_NAMES) {
    families.inFlight.set({ api }, 0);
    for (const outcome of OUTCOMES) {
      families.requests.inc({ api, model: '', outcome }, 0);
    }
  }
  return {
    registry,
    begin: (api) => families.inFlight.inc({ api }),
    end: (api) => families.inFlight.dec({ api }),
    add: (measurement) => {
      const { api } = measurement;
      const model = labelOf(measurement.findings?.model);
      if (model !== '' && !begun.has(`${api} ${model}`)) {
        begun.add(`${api} ${model}`);
        beginAtZero(families, { api, model });
      }
      addTo(families, model, measurement);
    },
    addFault: () => families.faults.inc(),
  };
}

/** So that `increase()` counts from the first response of a model. */
function beginAtZero(families: ProxyFamilies, labels: Labels): void {
  for (const outcome of OUTCOMES_OF_MODELS) {
    families.requests.inc({ ...labels, outcome }, 0);
  }
  for (const counter of [
    families.promptTokens,
    families.cachedPromptTokens,
    families.generatedTokens,
    families.withoutUsage,
    ...(/^v1\//.test(labels.api) ? [] : [families.promptSeconds, families.generationSeconds]),
  ]) {
    counter.inc(labels, 0);
  }
}

interface Labels {
  readonly api: string;
  readonly model: string;
}

function addTo(families: ProxyFamilies, model: string, measurement: Measurement): void {
  const { api, outcome, findings, firstTokenSeconds } = measurement;
  const labels = { api, model };
  families.requests.inc({ ...labels, outcome });
  if (firstTokenSeconds !== undefined) {
    families.firstToken.observe(labels, firstTokenSeconds);
  }
  if (findings?.figures !== undefined) {
    addFigures(families, labels, findings.figures);
  }
  if (outcome === 'ok') {
    addSuccess(families, labels, measurement);
  }
}

function addSuccess(families: ProxyFamilies, labels: Labels, measurement: Measurement): void {
  const { findings, durationSeconds, firstTokenSeconds } = measurement;
  const { figures, generatedNothing } = findings ?? {};
  families.duration.observe(labels, durationSeconds);
  if (labels.api !== OTHER && !generatedNothing && !hasTokens(figures)) {
    families.withoutUsage.inc(labels);
  }
  const tokensAfterFirst = (figures?.generatedTokens ?? 0) - 1;
  if (firstTokenSeconds !== undefined && tokensAfterFirst > 0) {
    families.perToken.observe(labels, (durationSeconds - firstTokenSeconds) / tokensAfterFirst);
  }
}

function addFigures(families: ProxyFamilies, labels: Labels, figures: Figures): void {
  const { loadSeconds } = figures;
  add(families.promptTokens, labels, figures.promptTokens);
  add(families.cachedPromptTokens, labels, figures.cachedPromptTokens);
  add(families.generatedTokens, labels, figures.generatedTokens);
  if (loadSeconds !== undefined) {
    families.load.observe({ model: labels.model }, loadSeconds);
    add(families.promptSeconds, labels, figures.promptSeconds);
    add(families.generationSeconds, labels, figures.generationSeconds);
  }
}

/** Each call takes a microsecond, so zeros are not added. */
function add(counter: ProxyFamilies['promptTokens'], labels: Labels, value: number | undefined): void {
  if (value !== undefined && value > 0) {
    counter.inc(labels, value);
  }
}
