/** Tells which of the processes called `ollama` is the server that the exporter scrapes. Pure. */
import { ApiError } from '../ollama/errors.ts';
import type { ListeningSocket, ProcessStat } from './process-files.ts';

/** Where the exporter scrapes Ollama, on this machine. */
export interface LocalTarget {
  /** All addresses of its name, as {@link ListeningSocket} has them. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** A process of the name `ollama`. */
export interface Candidate extends ProcessStat {
  readonly uid: number;
  readonly isServe: boolean;
  /** undefined where the exporter may not see them. */
  readonly sockets: ReadonlySet<number> | undefined;
}

const WILDCARD = /^0+$/;

/** A socket that is bound to the very address comes before one that is bound to all. */
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
 * The one that holds the listening socket. Where the exporter may not see who does, the only one that can be.
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

/** A runner that is just being started is still a copy of its server, sockets and command line included. */
function withoutForks(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ parent }) => !candidates.some(({ pid }) => pid === parent));
}
