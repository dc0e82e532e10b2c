/** Detects the capacity for `auto`, and tries again until it succeeds. */
import type { Logger } from 'pino';
import { messageOf } from '../log/error-text.ts';

export interface Detected {
  readonly bytes: number | undefined;
  /** Which GPUs are not counted, and why. */
  readonly problem: string | undefined;
}

/** @throws Error with the reason why the capacity is unknown */
export type Detect = () => Promise<Detected>;

export interface Auto {
  /** undefined while unknown. */
  readonly bytes: () => number | undefined;
  /** Stops retrying. */
  readonly close: () => void;
}

/** Maximum length of a driver's output in a log line. */
const MAX_PROBLEM_LENGTH = 500;

/**
 * Resolves after the first attempt. Further attempts do not keep the process alive.
 *
 * @param resource for the log, and for the flag `--ollama.vram-capacity`
 */
export async function startAuto(
  resource: string,
  detect: Detect,
  retryMs: number,
  log: Logger,
): Promise<Auto> {
  let bytes: number | undefined;
  let warned: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const attempt = async () => {
    const detected = await detect().catch((error) => ({ bytes: undefined, problem: messageOf(error) }));
    if (closed) {
      return;
    }
    bytes = detected.bytes;
    const problem = detected.problem?.slice(0, MAX_PROBLEM_LENGTH);
    if (problem !== undefined && problem !== warned) {
      warn(log, resource, bytes, problem);
    } else if (problem === undefined && warned !== undefined) {
      log.info({ resource, bytes }, 'Detected the capacity of this machine');
    }
    warned = problem;
    if (problem !== undefined) {
      timer = setTimeout(attempt, retryMs).unref();
    }
  };
  await attempt();
  return {
    bytes: () => bytes,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function warn(log: Logger, resource: string, bytes: number | undefined, err: string): void {
  if (bytes === undefined) {
    const hint = `give a size instead of auto, such as --ollama.${resource}-capacity=24GiB`;
    log.warn({ resource, err, hint }, 'Could not detect the capacity of this machine');
  } else {
    log.warn({ resource, bytes, err }, 'Detected only a part of the capacity of this machine');
  }
}
