/** Turns snapshots into log lines: one for each change of Ollama's state, not one per scrape. */
import type { Logger } from 'pino';
import type { ApiError } from '../ollama/errors.ts';
import { isUp, outcomes, type Snapshot } from './snapshot.ts';

/**
 * @param target names the server in each line
 * @returns a function to call with each finished snapshot; it keeps the last state to detect changes
 */
export function createAvailabilityLog(log: Logger, target: string): (snapshot: Snapshot) => void {
  let last = '';
  let enoughSeconds = 0;
  return (snapshot) => {
    const failures = failedCalls(snapshot);
    if (failures.length === 0) {
      enoughSeconds = slowestSeconds(snapshot);
    } else if (slowestSeconds(snapshot) < enoughSeconds && failures.every(isTimeout)) {
      // The timeout of this scraper is shorter than Ollama's last response time: not a change of Ollama's state.
      return;
    }
    const key = keyOf(snapshot, failures);
    if (key !== last) {
      last = key;
      const { level, fields, message } = describe(snapshot, failures);
      log[level]({ target, ...fields }, message);
    }
  };
}

interface FailedCall {
  readonly api: string;
  readonly error: ApiError;
}

function failedCalls(snapshot: Snapshot): readonly FailedCall[] {
  return outcomes(snapshot).flatMap(([api, outcome]) => (outcome.ok ? [] : [{ api, error: outcome.error }]));
}

function slowestSeconds(snapshot: Snapshot): number {
  return Math.max(...outcomes(snapshot).map(([, { seconds }]) => seconds));
}

function isTimeout({ error }: FailedCall): boolean {
  return error.reason === 'timeout';
}

/** Equal for snapshots whose difference is not logged. */
function keyOf(snapshot: Snapshot, failures: readonly FailedCall[]): string {
  return failures.length === 0
    ? 'up'
    : [isUp(snapshot), ...failures.map(({ api, error }) => `${api} ${error.reason} ${error.status}`)].join();
}

interface State {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: object;
}

function describe(snapshot: Snapshot, failures: readonly FailedCall[]): State {
  const { ps, version } = snapshot;
  if (failures.length === 0) {
    const fields = {
      ...(version?.ok && { version: version.value }),
      ...(ps?.ok && { loaded_models: ps.value.rows }),
    };
    return { level: 'info', message: 'Ollama is up', fields };
  }
  const up = isUp(snapshot);
  const hints = new Set(failures.flatMap(({ error }) => error.hint ?? []));
  return {
    level: 'warn',
    message: up ? 'Ollama is up, but some requests fail' : 'Ollama is down',
    fields: {
      reason: [...new Set(failures.map(({ error }) => error.reason))].join(),
      err: failures.map(({ api, error }) => `/api/${api}: ${error.message}`).join('; '),
      ...(hints.size > 0 && { hint: [...hints].join(' ') }),
    },
  };
}
