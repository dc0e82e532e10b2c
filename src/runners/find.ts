/** Finds the runners of the Ollama that the exporter scrapes: children of its server process. */
import { ApiError } from '../ollama/errors.ts';
import { mayBeRunner, parseRunner, type RunnerCommand } from './command.ts';
import { createArgv, createServerFinder, processKeyOf, type Server } from './find-server.ts';
import type { LocalTarget } from './ollama-server.ts';
import type { ListeningSocket, ProcessStat } from './process-files.ts';
import type { Processes } from './processes.ts';

/** A process that serves one model. */
export interface Runner extends RunnerCommand {
  /** Pid and start time, which no two processes share. */
  readonly processKey: string;
  /** Whether the model was loaded before the exporter started. */
  readonly isOlder: boolean;
  readonly residentBytes: number | undefined;
}

/** Implemented by the reader of /proc, and by the demo. */
export interface RunnerFinder {
  /** Runners that were found before. Reads nothing: they may have ended. */
  readonly known: () => readonly Runner[];
  /** @throws ApiError `hidden`, `ambiguous` or `too_large`; rejects within a second or two */
  readonly find: () => Promise<readonly Runner[]>;
  /** Forgets a runner that has ended, and returns undefined: another process may have its pid or its port. */
  readonly refresh: (runner: Runner) => Runner | undefined;
}

/** Reading all processes takes 16 µs each, and is needed only after a restart of Ollama. */
const WALK_EVERY_MS = 10_000;

/** Ollama loads three models for each GPU. */
const MAX_RUNNERS = 64;

const LOOPBACK: ReadonlySet<string> = new Set(['7f000001', '00000000', '0'.repeat(32)]);

/** Caches server and runners by pid and start time; what they are does not change while they run. */
export function createFinder(
  processes: Processes,
  target: LocalTarget,
  walkEveryMs = WALK_EVERY_MS,
): RunnerFinder {
  /** By process key, as last read. */
  const runners = new Map<string, Runner>();
  const walk = atMostEvery(walkEveryMs, processes.all);
  const argv = createArgv(processes);
  const findServer = createServerFinder({ processes, target, walk, argv });

  const runnerOf = (process: ProcessStat, command: RunnerCommand): Runner => ({
    ...command,
    processKey: processKeyOf(process),
    isOlder: process.startTicks < (processes.self?.startTicks ?? 0),
    residentBytes:
      processes.pageBytes === undefined ? undefined : process.residentPages * processes.pageBytes,
  });

  const readRunner = async (
    process: ProcessStat,
    { uid }: Server,
    sockets: () => readonly ListeningSocket[],
  ) => {
    const known = runners.get(processKeyOf(process));
    if (known !== undefined) {
      return runnerOf(process, known);
    }
    const command = parseRunner(process.comm, (await argv(process)) ?? []);
    const isRunner =
      command !== undefined &&
      processes.uid(process.pid) === uid &&
      sockets().some(
        (socket) => socket.port === command.port && socket.uid === uid && LOOPBACK.has(socket.address),
      );
    // Not cached otherwise: the process may be about to exec, or to open its port.
    return isRunner ? runnerOf(process, command) : undefined;
  };

  return {
    known: () => [...runners.values()],
    find: async () => {
      const parent = await findServer.find();
      const pids = processes.children(parent.pid) ?? (await walk()).map(({ pid }) => pid);
      const children = pids.flatMap((pid) => processes.stat(pid) ?? []);
      const own = children.filter((child) => child.parent === parent.pid && mayBeRunner(child));
      if (own.length > MAX_RUNNERS) {
        throw new ApiError('too_large', `Ollama has more than ${MAX_RUNNERS} runners`, {
          hint: 'The exporter scrapes no more than that.',
        });
      }
      const sockets = once(processes.listening);
      const found = await Promise.all(own.map((process) => readRunner(process, parent, sockets)));
      runners.clear();
      for (const runner of found.filter((one) => one !== undefined)) {
        runners.set(runner.processKey, runner);
      }
      return [...runners.values()];
    },
    refresh: (runner) => {
      const process = processes.stat(pidOf(runner.processKey));
      // An orphan of a killed server has another parent.
      if (
        process !== undefined &&
        processKeyOf(process) === runner.processKey &&
        process.parent === findServer.known()?.pid &&
        mayBeRunner(process)
      ) {
        return runnerOf(process, runner);
      }
      runners.delete(runner.processKey);
      return undefined;
    },
  };
}

function pidOf(processKey: string): number {
  return Number.parseInt(processKey, 10);
}

/** Returns the value of the first call every time. */
function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Shares the last result until it is older than this. */
function atMostEvery<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let madeAt = Number.NEGATIVE_INFINITY;
  let made: Promise<T> | undefined;
  return () => {
    if (made === undefined || performance.now() - madeAt >= ms) {
      madeAt = performance.now();
      made = make();
    }
    return made;
  };
}
