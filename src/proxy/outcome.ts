/** How a request ended, as the label `outcome` says it. */
import type { Findings } from './findings.ts';

export const OUTCOMES = [
  'ok',
  'bad_request',
  'not_found',
  'busy',
  'error',
  'failed',
  'incomplete',
  'cut',
  'unreachable',
  'client_gone',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** How the exchange ended, whatever the answer says. */
export type Ending = 'complete' | 'cut' | 'unreachable' | 'client_gone';

/**
 * @param status of Ollama's answer; undefined where there was none
 * @param findings undefined for an answer that was not looked into
 */
export function outcomeOf(
  status: number | undefined,
  ending: Ending,
  findings: Pick<Findings, 'end'> | undefined,
): Outcome {
  if (status === undefined) {
    return ending === 'client_gone' ? ending : 'unreachable';
  }
  if (status >= 400) {
    return outcomeOfStatus(status);
  }
  if (findings?.end === 'failed') {
    return 'failed';
  }
  // A client may hang up after the end mark: it has all.
  const hasAll = ending === 'complete' || (ending === 'client_gone' && findings?.end === 'complete');
  if (!hasAll) {
    return ending === 'client_gone' ? 'client_gone' : 'cut';
  }
  return findings?.end === 'missing' ? 'incomplete' : 'ok';
}

function outcomeOfStatus(status: number): Outcome {
  if (status === 404) {
    return 'not_found';
  }
  if (status === 503) {
    return 'busy';
  }
  return status < 500 ? 'bad_request' : 'error';
}
