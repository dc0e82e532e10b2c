/** Sends requests to a runner over loopback, at most one at a time, and limits time and size of the responses. */
import { createAgent } from '../ollama/agent.ts';
import { readText } from '../ollama/body.ts';
import { ApiError, asApiError, failureReason } from '../ollama/errors.ts';
import { failureMessage } from '../ollama/remedies.ts';
import { unlessAborted } from '../scrape/sharing.ts';
import { keepLatest } from './bounded.ts';
import { parseMetrics, parseSlots, type RunnerCounters, type Slots } from './llama-server.ts';

/** The result of one runner in one scrape. */
export interface RunnerResponse {
  /** Whether it responded as llama-server does. */
  readonly up: boolean;
  readonly slots: Slots | undefined;
  readonly counters: RunnerCounters | undefined;
  readonly problems: readonly ApiError[];
}

export interface RunnerClient {
  /** Joins the pending request, or sends one. If the signal fires first, returns a timeout; the request continues. */
  readonly read: (
    runner: { readonly processKey: string; readonly port: number },
    signal: AbortSignal,
  ) => Promise<RunnerResponse>;
  readonly close: () => Promise<void>;
}

/** `/slots` has 1.2 KB for each slot, `/metrics` 2.6 KB. */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * llama-server before b10434 responds only between batches: 35 s were measured. Further requests would queue up there
 * and slow it down, so none is sent until this time has passed.
 */
const TIMEOUT_MS = 60_000;

/** Twice as many as the exporter reads. */
const MAX_TOTALS = 128;

export function createRunnerClient(timeoutMs = TIMEOUT_MS): RunnerClient {
  const agent = createAgent({ connectTimeoutMs: timeoutMs, maxBodyBytes: MAX_BODY_BYTES });
  const pending = new Map<string, Promise<RunnerResponse>>();
  /** The number of slots of each runner. */
  const totals = new Map<string, number>();

  const get = async (port: number, path: string, signal: AbortSignal): Promise<string> => {
    let phase: 'head' | 'body' = 'head';
    try {
      const response = await agent.request({
        origin: `http://127.0.0.1:${port}`,
        path,
        method: 'GET',
        signal,
      });
      phase = 'body';
      if (response.statusCode !== 200) {
        response.body.on('error', () => {}).destroy();
        throw statusError(path, response.statusCode);
      }
      return await readText(response);
    } catch (error) {
      throw asFailure(error, phase, signal);
    }
  };

  /** `/metrics` has the busy slots, and the number of slots of a runner never changes: `/slots` is needed once. */
  const readBoth = async (processKey: string, port: number, signal: AbortSignal): Promise<RunnerResponse> => {
    const metrics = await settled(get(port, '/metrics', signal).then(parseMetrics));
    const isOff = metrics.problem?.reason === 'metrics_off';
    const total = totals.get(processKey) ?? Number.NaN;
    const busy = metrics.value?.busy ?? Number.NaN;
    const known = busy <= total ? { total, busy } : undefined;
    const slots =
      (metrics.problem === undefined || isOff) && known === undefined
        ? await settled(get(port, '/slots', signal).then(parseSlots))
        : { value: known };
    if (slots.value !== undefined) {
      keepLatest(totals, processKey, slots.value.total, MAX_TOTALS);
    }
    return {
      up: metrics.value !== undefined || isOff,
      counters: metrics.value?.counters,
      slots: slots.value,
      problems: [metrics, slots].flatMap((part) => part.problem ?? []),
    };
  };

  const start = async (processKey: string, port: number): Promise<RunnerResponse> => {
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new Error(`no response within ${timeoutMs / 1_000} s`)),
      timeoutMs,
    ).unref();
    try {
      return await readBoth(processKey, port, controller.signal);
    } finally {
      clearTimeout(timer);
      pending.delete(processKey);
    }
  };

  return {
    read: ({ processKey, port }, signal) => {
      const reading = pending.get(processKey) ?? start(processKey, port);
      pending.set(processKey, reading);
      return unlessAborted(reading, signal, () => timedOut(signal));
    },
    close: () => agent.destroy(),
  };
}

function timedOut({ reason }: AbortSignal): RunnerResponse {
  const message = reason instanceof Error ? reason.message : 'no response in time';
  const problem = new ApiError('timeout', message, { cause: reason, hint: HINT });
  return { up: false, counters: undefined, slots: undefined, problems: [problem] };
}

const HINT =
  'The runner of the model does not respond as llama-server does. If it hangs, kill its process: Ollama starts another one. Before Ollama 0.32.14, it responds only between the batches of a prompt.';

function statusError(path: string, status: number): ApiError {
  return status === 501 && path === '/metrics'
    ? new ApiError('metrics_off', '/metrics of the runner is off')
    : new ApiError('status', `${path} of the runner: status ${status}`, { status, hint: HINT });
}

function asFailure(error: unknown, phase: 'head' | 'body', signal: AbortSignal): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  const reason = signal.aborted ? 'timeout' : failureReason(error, phase);
  return new ApiError(reason, failureMessage(error, reason, phase), { cause: error, hint: HINT });
}

async function settled<T extends object>(
  promise: Promise<T>,
): Promise<{ readonly value?: T | undefined; readonly problem?: ApiError }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { problem: asApiError(error) };
  }
}
