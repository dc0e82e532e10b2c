/** `--collector.runners`: reads the runners of each loaded model, and counts tokens. */
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ApiError, asApiError } from '../ollama/errors.ts';
import type { RunningModels } from '../ollama/models.ts';
import { withDeadline } from '../scrape/limits.ts';
import type { ReadRunners } from '../scrape/runners-reading.ts';
import { unlessAborted } from '../scrape/sharing.ts';
import { type BlobsOf, createBlobs, type Row } from './blobs.ts';
import { createCounters } from './counters.ts';
import type { Runner, RunnerFinder } from './find.ts';
import { distinct, type FoundModel, match, modelRunner, problemsOf, type QueriedRunner } from './match.ts';
import { createProblemLog } from './problem-log.ts';
import { createRunnerClient } from './runner-client.ts';

/** Timeout for both requests to a runner. */
const QUERY_MS = 1_000;
/** Timeout for all runners, in parallel with `/api/ps`: the maximum delay of a scrape by runners. */
const READ_MS = 2_000;

export interface Runners {
  readonly read: ReadRunners;
  readonly registerMetrics: (registry: Registry) => void;
  /** Closes the connections to the runners. */
  readonly close: () => Promise<void>;
}

interface Found {
  readonly queried: readonly QueriedRunner[];
  readonly problem?: ApiError;
}

export function createRunners(finder: RunnerFinder, log: Logger): Runners {
  const client = createRunnerClient();
  const blobsOf = createBlobs();
  const counters = createCounters();
  const logProblems = createProblemLog(log);

  const query = async (
    runners: readonly Runner[],
    within: AbortSignal,
  ): Promise<readonly QueriedRunner[]> => {
    const queried = await withDeadline(QUERY_MS, [within], (signal) => {
      // Each request listens to it.
      setMaxListeners(0, signal);
      const responses = runners.map(async (runner) => ({
        runner,
        response: runner.hasEndpoints ? await client.read(runner, signal) : undefined,
      }));
      return Promise.all(responses);
    });
    return queried.flatMap(({ runner, response }) => {
      const running = finder.refresh(runner);
      return running === undefined ? [] : [{ runner: running, response }];
    });
  };

  /** Adds the runners that have started since. */
  const findMore = async (queried: readonly QueriedRunner[], within: AbortSignal): Promise<Found> => {
    try {
      const found = await unlessAborted(finder.find(), within, () => {
        throw new ApiError('timeout', 'the processes of this machine could not be read in time');
      });
      const knownKeys = new Set(queried.map(({ runner }) => runner.processKey));
      const more = found.filter(({ processKey }) => !knownKeys.has(processKey));
      return { queried: [...queried, ...(await query(more, within))] };
    } catch (error) {
      return { queried, problem: asApiError(error) };
    }
  };

  /** @param known runners that were found before: all of them, unless a model was loaded since */
  const readRows = async (
    running: RunningModels,
    known: readonly QueriedRunner[],
    blobs: (rows: readonly Row[]) => ReturnType<BlobsOf>,
    within: AbortSignal,
  ): Promise<{ readonly models: readonly FoundModel[]; readonly problem?: ApiError | undefined }> => {
    const models = await match(running, known, blobs);
    if (models.length > 0 && models.every(({ missing }) => missing.length === 0)) {
      return { models };
    }
    // Also if nothing is loaded, so that hidden processes are reported before the first load.
    const { queried, problem } = await findMore(known, within);
    return { models: await match(running, queried, blobs), problem };
  };

  const count = (models: readonly FoundModel[], running: RunningModels) => {
    for (const { model, runners } of models) {
      counters.add(
        model,
        runners.map(({ runner, response }) => ({ ...runner, counters: response?.counters })),
      );
    }
    counters.forget(running.models);
  };

  return {
    read: async (ollama, ps, scrape) => {
      const start = performance.now();
      const seconds = () => (performance.now() - start) / 1_000;
      try {
        return await withDeadline(READ_MS, [scrape], async (within) => {
          setMaxListeners(0, within);
          const querying = query(finder.known(), within);
          const running = await ps;
          if (running === undefined) {
            return undefined;
          }
          const blobs = (rows: readonly Row[]) => blobsOf(ollama, rows, within);
          const { models, problem } = await readRows(running, await querying, blobs, within);
          count(models, running);
          // If processes are hidden, that explains the runners that were not found.
          const problems = problem ? [problem] : distinct(models.flatMap(problemsOf));
          logProblems(problems);
          const found = models.filter(({ runners }) => runners.length > 0);
          return { seconds: seconds(), models: found.map(modelRunner), problems };
        });
      } catch (error) {
        // A bug here must not fail the scrape of Ollama.
        return { seconds: seconds(), models: [], problems: [asApiError(error)] };
      }
    },
    registerMetrics: counters.registerMetrics,
    close: client.close,
  };
}
