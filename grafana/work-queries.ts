/** The PromQL of the rows for `--collector.runners` and the proxy. */
import { byModel, ofModels, own, TARGETS } from './selectors.ts';

/** The rate of a counter, over the interval that Grafana chooses. */
const rate = (selector: string) => `rate(${selector}[$__rate_interval])`;

/** The rate of a runner counter per model, one series for each name. */
const perSecond = (metric: string) => `sum by (model) (${byModel('sum', metric, rate)})`;

const slots = byModel('sum', 'ollama_model_slots');
const busy = byModel('sum', 'ollama_model_slots_busy');
const generated = perSecond('ollama_model_generated_tokens_total');
const prompt = perSecond('ollama_model_prompt_tokens_total');
const cached = perSecond('ollama_model_prompt_cached_tokens_total');

/** Requests to other paths pass the proxy without being measured. */
const MEASURED = `${TARGETS}, api!="other", exported_api!="other"`;
const requests = own(rate(`ollama_proxy_requests_total{${MEASURED}}`), 'outcome');
const inFlight = `sum by (instance) (ollama_proxy_requests_in_flight{${MEASURED}})`;
/** While its only model loads, a server has no slots: none are busy then, if slots were known within an hour. */
const busyByServer = `(sum by (instance) (ollama_model_slots_busy{${TARGETS}}) or sum by (instance) (last_over_time(ollama_model_slots_busy{${TARGETS}}[1h])) * 0)`;

/** A quantile of the duration, over all requests with a selected model. */
function quantile(part: number, metric: string): string {
  return `histogram_quantile(${part}, sum by (le) (${ofModels(`${metric}_bucket`, rate)}))`;
}

export const WORK = {
  slots: `sum(${slots})`,
  slotsBusy: `sum by (model) (${busy})`,
  generated,
  generatedPerRequest: `${generated} / (${perSecond('ollama_model_generation_seconds_total')} > 0)`,
  cachedShare: `${cached} / (${cached} + ${prompt} > 0)`,
  allPrompt: `sum(${prompt})`,
  allCached: `sum(${cached})`,
  allGenerated: `sum(${generated})`,
  runnerMemory: `sum by (model) (${byModel('sum', 'ollama_model_runner_resident_memory_bytes')})`,

  requestsByOutcome: `sum by (outcome) (${requests}) > 0`,
  durationMedian: quantile(0.5, 'ollama_proxy_request_duration_seconds'),
  durationP95: quantile(0.95, 'ollama_proxy_request_duration_seconds'),
  firstTokenMedian: quantile(0.5, 'ollama_proxy_time_to_first_token_seconds'),
  firstTokenP95: quantile(0.95, 'ollama_proxy_time_to_first_token_seconds'),
  loadMedian: quantile(0.5, 'ollama_proxy_load_duration_seconds'),
  loadP95: quantile(0.95, 'ollama_proxy_load_duration_seconds'),
  requestTokens: `sum by (model) (${own(ofModels('ollama_proxy_generated_tokens_total', rate), 'model')})`,
  inFlight: `sum(${inFlight})`,
  inSlots: `sum(${busyByServer} and on (instance) ${inFlight})`,
  waiting: `sum(clamp_min(${inFlight} - on (instance) ${busyByServer}, 0))`,
} as const;
