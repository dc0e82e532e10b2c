/** What a scrape knows of the runners: the processes that serve Ollama's models. */
import type { OllamaClient } from '../ollama/client.ts';
import type { ApiError } from '../ollama/errors.ts';
import type { NamedModel } from '../ollama/model-list.ts';
import type { RunningModels } from '../ollama/models.ts';

/** The runners of one name and quantization; more than one where the name was created anew while it is loaded. */
export interface ModelRunner extends NamedModel {
  /** Whether all answered; undefined of runners that have nothing to be asked: MLX, and Ollama before 0.30. */
  readonly up: boolean | undefined;
  /** Requests that they take at once, and how many are at work; undefined without an answer. */
  readonly slots: number | undefined;
  readonly busySlots: number | undefined;
  /** RAM of the processes. */
  readonly residentBytes: number | undefined;
}

export interface RunnersReading {
  readonly seconds: number;
  /** Of the loaded models whose runner was found. */
  readonly models: readonly ModelRunner[];
  /** One for each reason; none where all that is loaded could be read. */
  readonly problems: readonly ApiError[];
}

/**
 * Reads them beside `/api/ps`, whose rows say to which models they belong.
 *
 * @param ps undefined where it failed
 * @returns undefined where nothing says what is loaded; never rejects for what a runner does
 */
export type ReadRunners = (
  ollama: OllamaClient,
  ps: Promise<RunningModels | undefined>,
  signal: AbortSignal,
) => Promise<RunnersReading | undefined>;
