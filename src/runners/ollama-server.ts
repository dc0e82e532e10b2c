/** Picks the server that the exporter scrapes from the processes called `ollama`. Pure. */
import { ApiError } from '../ollama/errors.ts';
import type { ListeningSocket, ProcessStat } from './process-files.ts';

/** Where the exporter scrapes Ollama, on this machine. */
export interface LocalTarget {
  /** All addresses of its name, in the format of {@link ListeningSocket}. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** A process named `ollama`. */
export interface Candidate extends ProcessStat {
  readonly uid: number;
  readonly isServe: boolean;
  /** undefined if the exporter may not see them. */
  readonly sockets: ReadonlySet<number> | undefined;
}

const WILDCARD = /^0+$/;

/** As in the kernel, a socket bound to this address takes precedence over one bound to all addresses. */
export function listenersAt(
  { addresses, port }: LocalTarget,
  sockets: readonly ListeningSocket[],
): readonly ListeningSocket[] {
  const atPort = sockets.filter((socket) => socket.port === port);
  const found = addresses.flatMap((address) => {
    const exact = atPort.filter((socket) => socket.address === address);
    return exact.length > 0 ? exact : atPort.filter((socket) => WILDCARD.test(socket.address));
  });
  return [...new Set(found)];
}

/**
 * The process that holds the listening socket; if the exporter may not see that, the only `ollama serve` of the user
 * that owns the socket.
 *
 * @param listeners those of the target
 * @throws ApiError `hidden` or `ambiguous`
 */
export function pickServer(
  candidates: readonly Candidate[],
  listeners: readonly ListeningSocket[],
  port: number,
): Candidate {
  if (listeners.length === 0) {
    throw new ApiError('hidden', `nothing listens on port ${port} in the network namespace of the exporter`);
  }
  const holders = candidates.filter(({ sockets }) => listeners.some(({ inode }) => sockets?.has(inode)));
  const possible = candidates.filter(
    ({ sockets, isServe, uid }) =>
      sockets === undefined && isServe && listeners.some((listener) => listener.uid === uid),
  );
  const [server, other] = withoutForks(holders.length > 0 ? holders : possible);
  if (server === undefined) {
    throw new ApiError('hidden', `the process ollama that listens on port ${port} is not visible`);
  }
  if (other !== undefined) {
    throw new ApiError('ambiguous', `several processes ollama could be the one that listens on port ${port}`);
  }
  return server;
}

/** Between fork and exec, a runner is a copy of its server, including sockets and command line. */
function withoutForks(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ parent }) => !candidates.some(({ pid }) => pid === parent));
}
