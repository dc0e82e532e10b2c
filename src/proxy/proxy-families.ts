/** The metrics of the proxy, each declared once. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The buckets of OpenTelemetry's GenAI conventions (gen_ai.server.*), and larger ones for loading a large model. */
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 600,
];
const FIRST_TOKEN_BUCKETS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300,
];
const PER_TOKEN_BUCKETS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

export type ProxyFamilies = ReturnType<typeof createProxyFamilies>;

export function createProxyFamilies(registry: Registry) {
  const registers = [registry];
  const labelNames = ['api', 'model'] as const;
  const counter = (name: string, help: string) =>
    new Counter({ name: `ollama_proxy_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `ollama_proxy_${name}`, help, labelNames, buckets, registers });
  return {
    requests: new Counter({
      name: 'ollama_proxy_requests_total',
      help: 'Completed requests through the proxy, by outcome.',
      labelNames: [...labelNames, 'outcome'],
      registers,
    }),
    inFlight: new Gauge({
      name: 'ollama_proxy_requests_in_flight',
      help: 'Requests in progress in the proxy, waiting for Ollama or receiving a response.',
      labelNames: ['api'],
      registers,
    }),
    duration: histogram(
      'request_duration_seconds',
      'Time from the head of the request to the end of the response, for the outcome ok.',
      DURATION_BUCKETS,
    ),
    firstToken: histogram(
      'time_to_first_token_seconds',
      'Time from the head of the request to the first chunk of a stream that has content.',
      FIRST_TOKEN_BUCKETS,
    ),
    perToken: histogram(
      'time_per_output_token_seconds',
      'Time per generated token after the first one, for streams with the outcome ok and token counts.',
      PER_TOKEN_BUCKETS,
    ),
    load: new Histogram({
      name: 'ollama_proxy_load_duration_seconds',
      help: 'Time until a runner was assigned: waiting for the scheduler, eviction and load (from load_duration).',
      labelNames: ['model'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    promptTokens: counter('prompt_tokens_total', 'Tokens of prompts, those from the cache included.'),
    cachedPromptTokens: counter('prompt_cached_tokens_total', 'Tokens of prompts that came from the cache.'),
    generatedTokens: counter('generated_tokens_total', 'Tokens that were generated.'),
    promptSeconds: counter('prompt_seconds_total', 'Time spent on prompts (from prompt_eval_duration).'),
    generationSeconds: counter('generation_seconds_total', 'Time spent on generation (from eval_duration).'),
    withoutUsage: counter(
      'responses_without_usage_total',
      'Responses with the outcome ok that have no token counts.',
    ),
    faults: new Counter({
      name: 'ollama_proxy_measurement_failures_total',
      help: 'Requests that were passed on but not completely measured, because of an error in the exporter.',
      registers,
    }),
  };
}
