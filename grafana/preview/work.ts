/** Simulated work for the preview: the counters of runners and proxy for the loaded models of a server. */
import { EMBEDDING_MODEL, RETRIEVAL_MODEL } from '../../src/demo/catalog.ts';
import { randomNumbers } from '../../src/demo/workload.ts';
import type { RunningModel } from '../../src/ollama/models.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';
import { Counts, type Sample } from './counts.ts';

export interface WorkSamples {
  readonly runners: readonly Sample[];
  readonly proxy: readonly Sample[];
}

const INTERVAL_SECONDS = 15;
const SLOTS = 4;
const EMBEDDING = [EMBEDDING_MODEL.name, RETRIEVAL_MODEL.name];
/** A GPU's memory bandwidth: each token requires reading the whole model. */
const BYTES_PER_SECOND = 500e9;
const DISK_BYTES_PER_SECOND = 1.5e9;
const PROMPT_TOKENS = 900;
const GENERATED_TOKENS = 350;
const RUNNER_BYTES = 700e6;

const DURATION_BUCKETS = [0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84];
const FIRST_TOKEN_BUCKETS = [0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60];

/** The activity of a model within one interval. */
interface Activity {
  /** Requests at its end, including queued ones. */
  readonly wanted: number;
  readonly requests: number;
  /** Tokens per second of one request. */
  readonly speed: number;
  readonly generationSeconds: number;
  readonly cachedShare: number;
}

/** @param tide from 0 to 1, the amount of work */
function generation(
  { sizeBytes, sizeVramBytes = 0 }: RunningModel,
  tide: number,
  random: () => number,
): Activity {
  const wanted = Math.round(SLOTS * tide * (0.6 + 0.8 * random()));
  const busy = Math.min(wanted, SLOTS);
  // The part in RAM is computed by the CPU, at a tenth of the speed; and requests share the GPU.
  const slowness = (10 - (9 * sizeVramBytes) / sizeBytes) * (1 + 0.15 * busy);
  const speed = BYTES_PER_SECOND / sizeBytes / slowness;
  const generationSeconds = busy * INTERVAL_SECONDS;
  const cachedShare = 0.35 + 0.3 * tide + 0.1 * random();
  return {
    wanted,
    requests: (generationSeconds * speed) / GENERATED_TOKENS,
    speed,
    generationSeconds,
    cachedShare,
  };
}

/** Too short for a scrape to see a busy slot. */
function embedding(tide: number): Activity {
  return { wanted: 0, requests: 3 + 9 * tide, speed: 0, generationSeconds: 0, cachedShare: 0 };
}

function countByRunner(counts: Counts, { model, quantization }: RunningModel, done: Activity): void {
  const prompt = done.requests * PROMPT_TOKENS;
  for (const [name, value] of Object.entries({
    generated_tokens_total: done.generationSeconds * done.speed,
    generation_seconds_total: done.generationSeconds,
    prompt_tokens_total: prompt * (1 - done.cachedShare),
    prompt_cached_tokens_total: prompt * done.cachedShare,
    prompt_seconds_total: done.requests * 0.2,
  })) {
    counts.add(`ollama_model_${name}`, { model, quantization }, value);
  }
}

function countByProxy(counts: Counts, model: RunningModel, done: Activity, random: () => number): void {
  const labels = { api: done.speed === 0 ? 'embed' : 'chat', model: model.model };
  // Failed requests have no model.
  for (const [outcome, share, name] of [
    ['ok', 0.96, labels.model],
    ['client_gone', 0.03, labels.model],
    ['error', 0.01, ''],
  ] as const) {
    counts.add('ollama_proxy_requests_total', { ...labels, model: name, outcome }, done.requests * share);
  }
  counts.add('ollama_proxy_generated_tokens_total', labels, done.generationSeconds * done.speed);
  if (done.speed === 0) {
    return;
  }
  const waitingSeconds = Math.max(0, done.wanted - SLOTS) * 4;
  const firstToken = 0.2 + waitingSeconds + random() ** 4 * 4;
  const duration = firstToken + GENERATED_TOKENS / done.speed;
  const load = random() < 0.06 ? model.sizeBytes / DISK_BYTES_PER_SECOND : 0.05;
  const observe = (name: string, of: Sample['labels'], bounds: readonly number[], value: number) =>
    counts.observe(`ollama_proxy_${name}`, of, bounds, value, done.requests);
  observe('request_duration_seconds', labels, DURATION_BUCKETS, duration);
  observe('time_to_first_token_seconds', labels, FIRST_TOKEN_BUCKETS, firstToken);
  observe('load_duration_seconds', { model: labels.model }, DURATION_BUCKETS, load);
}

/** @returns a function to call once for each scrape, in order */
export function simulateWork(seed: number): (snapshot: Snapshot | undefined) => WorkSamples {
  const random = randomNumbers(seed);
  const byRunner = new Counts();
  const byProxy = new Counts();
  let scrapes = 0;

  /** @returns requests in flight */
  function work(model: RunningModel): number {
    const tide = 0.5 + 0.45 * Math.sin(scrapes / 31 + seed + model.model.length);
    const done = EMBEDDING.includes(model.model) ? embedding(tide) : generation(model, tide, random);
    countByRunner(byRunner, model, done);
    countByProxy(byProxy, model, done, random);
    return done.wanted;
  }

  return (snapshot) => {
    scrapes += 1;
    const models = snapshot?.ps?.ok ? snapshot.ps.value.models : [];
    const inFlight = models.map((model) => ({ ...model, wanted: work(model) }));
    const gauges = inFlight.flatMap(({ model, quantization, wanted }) =>
      Object.entries({
        runner_up: 1,
        slots: SLOTS,
        slots_busy: Math.min(wanted, SLOTS),
        runner_resident_memory_bytes: RUNNER_BYTES * (1 + Math.min(scrapes / 200, 2)),
      }).map(([name, value]) => ({ name: `ollama_model_${name}`, labels: { model, quantization }, value })),
    );
    const all = inFlight.reduce((sum, { wanted }) => sum + wanted, 0);
    return {
      runners: snapshot === undefined ? [] : [...gauges, ...byRunner.samples()],
      proxy: [
        { name: 'ollama_proxy_requests_in_flight', labels: { api: 'chat' }, value: all },
        ...byProxy.samples(),
      ],
    };
  };
}
