/** Turns snapshots into log lines: one when what Ollama answers changes, not one a scrape. */
import type { Logger } from 'pino';
import { isUp, outcomes, type Snapshot } from './scrape.ts';

const FORBIDDEN_HINT =
  'Ollama refuses this Host header: it listens on loopback only, and then takes local names and private addresses only. Start it with OLLAMA_HOST=0.0.0.0, or let the proxy in front of it send "Host: localhost:11434".';

/**
 * @param target names the server in each line
 * @returns a function to be called with each finished snapshot; it remembers the last state to tell a change
 */
export function createAvailabilityLog(log: Logger, target: string): (snapshot: Snapshot) => void {
  let last = '';
  return (snapshot) => {
    const state = describe(snapshot);
    if (state.key !== last) {
      last = state.key;
      log[state.level]({ target, ...state.fields }, state.message);
    }
  };
}

interface State {
  /** Equal for two snapshots between which nothing is worth a line. */
  readonly key: string;
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: object;
}

function describe(snapshot: Snapshot): State {
  const { ps, version } = snapshot;
  if (ps.ok && version.ok) {
    const fields = { version: version.value, loaded_models: ps.value.rows };
    return { key: 'up', level: 'info', message: 'Ollama is up', fields };
  }
  const failures = outcomes(snapshot).flatMap(([api, outcome]) =>
    outcome.ok ? [] : [{ api, error: outcome.error }],
  );
  const up = isUp(snapshot);
  return {
    key: [up, ...failures.map(({ api, error }) => `${api} ${error.reason} ${error.status}`)].join(),
    level: 'warn',
    message: up ? 'Ollama is up, but does not answer all calls' : 'Ollama is down',
    fields: {
      reason: [...new Set(failures.map(({ error }) => error.reason))].join(),
      err: failures.map(({ api, error }) => `/api/${api}: ${error.message}`).join('; '),
      ...(failures.some(({ error }) => error.status === 403) && { hint: FORBIDDEN_HINT }),
    },
  };
}
