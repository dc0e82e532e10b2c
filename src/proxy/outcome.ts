/** How a request ended, for the label `outcome`. */
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

/** How the exchange ended, regardless of the response. */
export type Ending = 'complete' | 'cut' | 'unreachable' | 'client_gone';

/**
 * @param status of Ollama's response; undefined if there was none
 * @param findings undefined for a response that is not measured
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
  // A client may disconnect after the end mark: the response is complete.
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
