/** Turns a number into a limit of how many readings of Ollama are at work. */
import { RequestError } from './request-error.ts';

/**
 * Enters, or throws a RequestError with status 503.
 *
 * @returns to be called once, to leave
 */
export type ScrapeLimit = () => () => void;

/** @param max 0 is no limit */
export function createScrapeLimit(max: number): ScrapeLimit {
  let atWork = 0;
  return () => {
    if (max > 0 && atWork >= max) {
      // The words of node_exporter.
      throw new RequestError(503, `Limit of concurrent requests reached (${max}), try again later.`);
    }
    atWork += 1;
    return () => {
      atWork -= 1;
    };
  };
}
