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
  /** Runners that were found before and still run. Cheap: reads nothing of other processes. */
  readonly known: () => readonly Runner[];
  /** @throws ApiError `hidden`, `ambiguous` or `too_large`; rejects within a second or two */
  readonly find: () => Promise<readonly Runner[]>;
  /** False after it has ended: another process may then have its pid or its port. */
  readonly isAlive: (runner: Runner) => boolean;
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
  const commands = new Map<string, RunnerCommand>();
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

  const commandOf = async (
    process: ProcessStat,
    { uid }: Server,
    sockets: () => readonly ListeningSocket[],
  ) => {
    const processKey = processKeyOf(process);
    const known = commands.get(processKey);
    if (known !== undefined) {
      return known;
    }
    const command = parseRunner(process.comm, (await argv(process)) ?? []);
    const isRunner =
      command !== undefined &&
      processes.uid(process.pid) === uid &&
      sockets().some(
        (socket) => socket.port === command.port && socket.uid === uid && LOOPBACK.has(socket.address),
      );
    if (!isRunner) {
      // Not cached: the process may be about to exec, or to open its port.
      return undefined;
    }
    commands.set(processKey, command);
    return command;
  };

  return {
    known: () =>
      [...commands].flatMap(([processKey, command]) => {
        const process = processes.stat(pidOf(processKey));
        // An orphan of a killed server has another parent.
        return process !== undefined &&
          processKeyOf(process) === processKey &&
          process.parent === findServer.known()?.pid &&
          mayBeRunner(process)
          ? [runnerOf(process, command)]
          : [];
      }),
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
      const found = await Promise.all(
        own.map(async (process): Promise<readonly Runner[]> => {
          const command = await commandOf(process, parent, sockets);
          return command === undefined ? [] : [runnerOf(process, command)];
        }),
      );
      forget(commands, new Set(own.map(processKeyOf)));
      return found.flat();
    },
    isAlive: ({ processKey }) => {
      const process = processes.stat(pidOf(processKey));
      return process !== undefined && processKeyOf(process) === processKey;
    },
  };
}

function pidOf(processKey: string): number {
  return Number.parseInt(processKey, 10);
}

function forget(commands: Map<string, unknown>, running: ReadonlySet<string>): void {
  for (const processKey of commands.keys()) {
    if (!running.has(processKey)) {
      commands.delete(processKey);
    }
  }
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
