/** What one exchange adds to the metrics of the proxy. */
import { Registry } from 'prom-client';
import { API_NAMES, OTHER } from './apis.ts';
import { type Figures, hasTokens } from './figures.ts';
import type { Findings } from './findings.ts';
import { createModelLabels } from './model-labels.ts';
import { OUTCOMES, type Outcome } from './outcome.ts';
import { createProxyFamilies, type ProxyFamilies } from './proxy-families.ts';

/** Of a model that has answered: what else can become of its requests. */
const OUTCOMES_OF_MODELS: readonly Outcome[] = ['ok', 'failed', 'incomplete', 'cut', 'client_gone'];

/** One exchange, at its end. */
export interface Measurement {
  readonly api: string;
  readonly outcome: Outcome;
  /** undefined where the answer was not looked into. */
  readonly findings: Findings | undefined;
  /** Seconds since the head of the request. */
  readonly durationSeconds: number;
  /** Of a stream; undefined where no piece had content. */
  readonly firstTokenSeconds: number | undefined;
}

export interface ProxyMetrics {
  readonly registry: Registry;
  readonly begin: (api: string) => void;
  readonly end: (api: string) => void;
  readonly add: (measurement: Measurement) => void;
  /** Measuring has failed; the answer has passed. */
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
        for (const outcome of OUTCOMES_OF_MODELS) {
          families.requests.inc({ api, model, outcome }, 0);
        }
      }
      addTo(families, model, measurement);
    },
    addFault: () => families.faults.inc(),
  };
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
  if (labels.api !== OTHER && !generatedNothing) {
    families.withoutUsage.inc(labels, hasTokens(figures) ? 0 : 1);
  }
  const tokensAfterFirst = (figures?.generatedTokens ?? 0) - 1;
  if (firstTokenSeconds !== undefined && tokensAfterFirst > 0) {
    families.perToken.observe(labels, (durationSeconds - firstTokenSeconds) / tokensAfterFirst);
  }
}

function addFigures(families: ProxyFamilies, labels: Labels, figures: Figures): void {
  const { loadSeconds } = figures;
  families.promptTokens.inc(labels, figures.promptTokens ?? 0);
  families.cachedPromptTokens.inc(labels, figures.cachedPromptTokens ?? 0);
  families.generatedTokens.inc(labels, figures.generatedTokens ?? 0);
  if (loadSeconds !== undefined) {
    families.load.observe({ model: labels.model }, loadSeconds);
    families.promptSeconds.inc(labels, figures.promptSeconds ?? 0);
    families.generationSeconds.inc(labels, figures.generationSeconds ?? 0);
  }
}
