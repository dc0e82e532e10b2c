/** Logs each reason for missing runners once, if the operator has to fix it. */
import type { Logger } from 'pino';
import type { ApiError } from '../ollama/errors.ts';

/** Other reasons change with each model: metrics and page show them. */
const LEVELS: ReadonlyMap<string, 'info' | 'warn'> = new Map([
  ['hidden', 'warn'],
  ['ambiguous', 'warn'],
  ['metrics_off', 'info'],
]);

/** @returns a function to call with the problems of each scrape */
export function createProblemLog(log: Logger): (problems: readonly ApiError[]) => void {
  const logged = new Set<string>();
  return (problems) => {
    for (const { reason, message, remedy } of problems) {
      const level = LEVELS.get(reason);
      if (level !== undefined && !logged.has(reason)) {
        logged.add(reason);
        log[level]({ reason, err: message, hint: remedy }, 'Could not read all runners of Ollama');
      }
    }
  };
}
