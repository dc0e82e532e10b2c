/** The scrape result of the runners: the processes that serve Ollama's models. */
import type { OllamaClient } from '../ollama/client.ts';
import type { ApiError } from '../ollama/errors.ts';
import type { NamedModel } from '../ollama/model-list.ts';
import type { RunningModels } from '../ollama/models.ts';

/** The runners of one name and quantization: several if the name was created again while it was loaded. */
export interface ModelRunner extends NamedModel {
  /** Whether all responded; undefined for MLX and Ollama before 0.30, which have no such endpoints. */
  readonly up: boolean | undefined;
  /** Maximum and current number of concurrent requests; undefined without a response. */
  readonly slots: number | undefined;
  readonly busySlots: number | undefined;
  /** RAM of the processes. */
  readonly residentBytes: number | undefined;
}

export interface RunnersReading {
  readonly seconds: number;
  /** Of the loaded models whose runner was found. */
  readonly models: readonly ModelRunner[];
  /** One for each reason; empty if every loaded model could be read. */
  readonly problems: readonly ApiError[];
}

/**
 * Reads the runners in parallel with `/api/ps`, which lists the models that they belong to.
 *
 * @param ps undefined if it failed
 * @returns undefined if `ps` is; never rejects
 */
export type ReadRunners = (
  ollama: OllamaClient,
  ps: Promise<RunningModels | undefined>,
  signal: AbortSignal,
) => Promise<RunnersReading | undefined>;
