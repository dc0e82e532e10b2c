/** `--collector.runners`: for each loaded model what its runners say, and the counters that come of it. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ApiError } from '../ollama/errors.ts';
import type { RunningModels } from '../ollama/models.ts';
import { withDeadline } from '../scrape/limits.ts';
import type { ReadRunners } from '../scrape/runners-reading.ts';
import { unlessAborted } from '../scrape/sharing.ts';
import { createAsker } from './ask.ts';
import { type BlobsOf, createBlobs, type Row } from './blobs.ts';
import { createCounters } from './counters.ts';
import type { Runner, RunnerFinder } from './find.ts';
import { type Asked, distinct, type FoundModel, match, modelRunner, problemsOf } from './match.ts';
import { createProblemLog } from './problem-log.ts';

/** For a runner to answer both questions. */
const ASK_MS = 1_000;
/** For all of it: beside `/api/ps`, so that runners that hang cost a scrape that much at most. */
const READ_MS = 2_000;

export interface Runners {
  readonly read: ReadRunners;
  readonly registerMetrics: (registry: Registry) => void;
  /** Ends the connections to the runners. */
  readonly close: () => Promise<void>;
}

interface Found {
  readonly asked: readonly Asked[];
  readonly problem?: ApiError;
}

export function createRunners(finder: RunnerFinder, log: Logger): Runners {
  const asker = createAsker();
  const blobsOf = createBlobs();
  const counters = createCounters();
  const logProblems = createProblemLog(log);

  const ask = async (runners: readonly Runner[], within: AbortSignal): Promise<readonly Asked[]> => {
    const asked = await withDeadline(ASK_MS, [within], (signal) =>
      Promise.all(
        runners.map(async (runner) => ({
          runner,
          answer: runner.answers ? await asker.ask(runner, signal) : undefined,
        })),
      ),
    );
    return asked.filter(({ runner, answer }) => answer === undefined || finder.isAlive(runner));
  };

  /** Those that have come, beside those that were asked. */
  const findMore = async (asked: readonly Asked[], within: AbortSignal): Promise<Found> => {
    try {
      const found = await unlessAborted(finder.find(), within, () => {
        throw new ApiError('timeout', 'the processes of this machine could not be read in time');
      });
      const lives = new Set(asked.map(({ runner }) => runner.life));
      return {
        asked: [
          ...asked,
          ...(await ask(
            found.filter(({ life }) => !lives.has(life)),
            within,
          )),
        ],
      };
    } catch (error) {
      return { asked, problem: asApiError(error) };
    }
  };

  /** @param known those that were found before, which are all there are unless a model was loaded */
  const readRows = async (
    running: RunningModels,
    known: readonly Asked[],
    blobs: (rows: readonly Row[]) => ReturnType<BlobsOf>,
    within: AbortSignal,
  ): Promise<{ readonly models: readonly FoundModel[]; readonly problem?: ApiError | undefined }> => {
    const models = await match(running, known, blobs);
    if (models.length > 0 && models.every(({ missing }) => missing.length === 0)) {
      return { models };
    }
    // Also where nothing is loaded: whether the processes can be seen should be known by then.
    const { asked, problem } = await findMore(known, within);
    return { models: await match(running, asked, blobs), problem };
  };

  return {
    read: async (ollama, ps, scrape) => {
      const start = performance.now();
      return await withDeadline(READ_MS, [scrape], async (within) => {
        const asking = ask(finder.known(), within);
        const running = await ps;
        if (running === undefined) {
          return undefined;
        }
        const blobs = (rows: readonly Row[]) => blobsOf(ollama, rows, within);
        const { models, problem } = await readRows(running, await asking, blobs, within);
        for (const { model, runners } of models) {
          counters.add(
            model,
            runners.map(({ runner, answer }) => ({ ...runner, counters: answer?.counters })),
          );
        }
        counters.forget(running.models);
        // That the processes are hidden says all about the runners that were not found.
        const problems = problem ? [problem] : distinct(models.flatMap(problemsOf));
        logProblems(problems);
        return {
          seconds: (performance.now() - start) / 1_000,
          models: models.filter(({ runners }) => runners.length > 0).map(modelRunner),
          problems,
        };
      });
    },
    registerMetrics: counters.registerMetrics,
    close: asker.close,
  };
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('invalid', String(error), { cause: error });
}
