/** Finds the runners of the Ollama that the exporter scrapes, and of no other: among the children of its server. */
import { ApiError } from '../ollama/errors.ts';
import { mayBeRunner, parseRunner, type RunnerCommand } from './command.ts';
import { createArgv, createServerFinder, lifeOf, type Server } from './find-server.ts';
import type { LocalTarget } from './ollama-server.ts';
import type { ListeningSocket, ProcessStat } from './process-files.ts';
import type { Processes } from './processes.ts';

/** A process that serves one model. */
export interface Runner extends RunnerCommand {
  /** pid and start time, which no other process ever has. */
  readonly life: string;
  /** Whether the model was loaded before the exporter started. */
  readonly isOlder: boolean;
  readonly residentBytes: number | undefined;
}

/** The real one reads /proc, that of a demo knows its own. */
export interface RunnerFinder {
  /** Those that were found before, and live. Cheap: the rest of the machine is not looked at. */
  readonly known: () => readonly Runner[];
  /** @throws ApiError `hidden`, `ambiguous` or `too_large`; rejects within a second or two */
  readonly find: () => Promise<readonly Runner[]>;
  /** Whether it is still the same process, since another one may have its pid and its port by now. */
  readonly isAlive: (runner: Runner) => boolean;
}

/** A walk takes 16 µs a process, and finds nothing new unless Ollama was started again. */
const WALK_EVERY_MS = 10_000;

/** Ollama loads three models for each GPU. */
const MAX_RUNNERS = 64;

const LOOPBACK: ReadonlySet<string> = new Set(['7f000001', '00000000', '0'.repeat(32)]);

/** What is kept between two scrapes is what a process is, which does not change as long as it lives. */
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
    life: lifeOf(process),
    isOlder: process.startTicks < (processes.self?.startTicks ?? 0),
    residentBytes:
      processes.pageBytes === undefined ? undefined : process.residentPages * processes.pageBytes,
  });

  const commandOf = async (
    process: ProcessStat,
    { uid }: Server,
    sockets: () => readonly ListeningSocket[],
  ) => {
    const life = lifeOf(process);
    const known = commands.get(life);
    if (known !== undefined) {
      return known;
    }
    const command = parseRunner(process.comm, (await argv(process)) ?? []);
    const isOurs =
      command !== undefined &&
      processes.uid(process.pid) === uid &&
      sockets().some(
        (socket) => socket.port === command.port && socket.uid === uid && LOOPBACK.has(socket.address),
      );
    if (!isOurs) {
      // Not kept: a process becomes another one by exec, and opens its port when it has read its model.
      return undefined;
    }
    commands.set(life, command);
    return command;
  };

  return {
    known: () =>
      [...commands].flatMap(([life, command]) => {
        const process = processes.stat(pidOf(life));
        // The child of a server that was killed has another parent.
        return process !== undefined &&
          lifeOf(process) === life &&
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
      forget(commands, new Set(own.map(lifeOf)));
      return found.flat();
    },
    isAlive: ({ life }) => {
      const process = processes.stat(pidOf(life));
      return process !== undefined && lifeOf(process) === life;
    },
  };
}

function pidOf(life: string): number {
  return Number.parseInt(life, 10);
}

function forget(commands: Map<string, unknown>, alive: ReadonlySet<string>): void {
  for (const life of commands.keys()) {
    if (!alive.has(life)) {
      commands.delete(life);
    }
  }
}

/** The value of the first call, for all later ones. */
function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** What the last call brought, or is about to bring, until that is so old. */
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
