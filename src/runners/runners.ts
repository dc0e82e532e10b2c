/** `--collector.runners`: for each loaded model what its runners say, and the counters that come of it. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ApiError } from '../ollama/errors.ts';
import type { RunningModel, RunningModels } from '../ollama/models.ts';
import { withDeadline } from '../scrape/limits.ts';
import type { ModelRunner, ReadRunners } from '../scrape/runners-reading.ts';
import { unlessAborted } from '../scrape/sharing.ts';
import { type Answer, createAsker } from './ask.ts';
import { type BlobsOf, createBlobs } from './blobs.ts';
import { createCounters } from './counters.ts';
import type { Runner, RunnerFinder } from './find.ts';
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

/** A runner that was found, and what it answered; undefined of one that has nothing to be asked. */
interface Asked {
  readonly runner: Runner;
  readonly answer: Answer | undefined;
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

  const ask = async (runner: Runner, within: AbortSignal): Promise<readonly Asked[]> => {
    if (!runner.answers) {
      return [{ runner, answer: undefined }];
    }
    const answer = await withDeadline(ASK_MS, [within], (signal) => asker.ask(runner, signal));
    return finder.isAlive(runner) ? [{ runner, answer }] : [];
  };

  const findAndAsk = async (within: AbortSignal): Promise<Found> => {
    try {
      const runners = await unlessAborted(finder.find(), within, () => {
        throw new ApiError('timeout', 'the processes of this machine could not be read in time');
      });
      return { asked: (await Promise.all(runners.map((runner) => ask(runner, within)))).flat() };
    } catch (error) {
      return { asked: [], problem: asApiError(error) };
    }
  };

  return {
    read: async (ollama, ps, scrape) => {
      const start = performance.now();
      return await withDeadline(READ_MS, [scrape], async (within) => {
        const finding = findAndAsk(within);
        const running = await ps;
        if (running === undefined) {
          return undefined;
        }
        const { asked, problem } = await finding;
        const rows = await match(running, asked, (unmatched) => blobsOf(ollama, unmatched, within));
        for (const { model, runners } of rows) {
          counters.add(
            model,
            runners.map(({ runner, answer }) => ({ ...runner, counters: answer?.counters })),
          );
        }
        counters.forget(running.models);
        // That the processes are hidden says all about the runners that were not found.
        const problems = problem ? [problem] : distinct(rows.flatMap((row) => problemsOf(row)));
        logProblems(problems);
        return {
          seconds: (performance.now() - start) / 1_000,
          models: rows.filter(({ runners }) => runners.length > 0).map(modelRunner),
          problems,
        };
      });
    },
    registerMetrics: counters.registerMetrics,
    close: asker.close,
  };
}

/** A loaded model with its runners. */
interface Row {
  readonly model: RunningModel;
  readonly runners: readonly Asked[];
  /** Why there are not as many as rows in `/api/ps`. */
  readonly missing: readonly ApiError[];
}

/** By the blob of the weights; of MLX, whose runner has none, by the name. */
async function match(
  { models }: RunningModels,
  asked: readonly Asked[],
  blobsOf: (rows: Parameters<BlobsOf>[1]) => ReturnType<BlobsOf>,
): Promise<readonly Row[]> {
  const byName = (model: string) =>
    asked.filter(({ runner: { name } }) => name !== undefined && [name, `${name}:latest`].includes(model));
  const hasBlobs = asked.some(({ runner }) => runner.blob !== undefined);
  const unnamed = models.flatMap(({ model, sizeBytes, details }) =>
    // Without a size, it is none that is loaded here: Ollama might ask its cloud.
    hasBlobs && sizeBytes > 0 && byName(model).length === 0
      ? details.map(({ digest }) => ({ model, digest }))
      : [],
  );
  const blobs = await blobsOf(unnamed);
  return models.map((model): Row => {
    const named = byName(model.model);
    if (named.length > 0) {
      return { model, runners: named, missing: [] };
    }
    const known = new Set(model.details.map(({ digest }) => blobs.get(digest)));
    const found = [...known].map((blob) => ({
      blob,
      runners: asked.filter(({ runner }) => blob !== undefined && runner.blob === blob),
    }));
    const missing = found
      .filter(({ runners }) => runners.length === 0)
      .map(({ blob }) => (blob instanceof ApiError ? blob : notFound(model)));
    return { model, runners: found.flatMap(({ runners }) => runners), missing };
  });
}

function notFound({ model }: RunningModel): ApiError {
  return new ApiError('not_found', `no process was found that serves ${model}`);
}

function problemsOf({ runners, missing }: Row): readonly ApiError[] {
  return [...missing, ...runners.flatMap(({ answer }) => answer?.problems ?? [])];
}

/** The first of each reason. */
function distinct(problems: readonly ApiError[]): readonly ApiError[] {
  return [
    ...new Map(problems.toReversed().map((problem) => [problem.reason, problem])).values(),
  ].toReversed();
}

function modelRunner({ model: { model, quantization }, runners }: Row): ModelRunner {
  const answers = runners.flatMap(({ answer }) => answer ?? []);
  return {
    model,
    quantization,
    up: answers.length === 0 ? undefined : answers.every(({ up }) => up),
    slots: totalIfKnown(answers.map(({ slots }) => slots?.total)),
    busySlots: totalIfKnown(answers.map(({ slots }) => slots?.busy)),
    residentBytes: totalIfKnown(runners.map(({ runner }) => runner.residentBytes)),
  };
}

/** undefined where one of them is, or there is none. */
function totalIfKnown(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 || known.length < numbers.length
    ? undefined
    : known.reduce((sum, number) => sum + number, 0);
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('invalid', String(error), { cause: error });
}
