/** Connects to the first of a host's addresses that accepts, as RFC 8305 recommends. */
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errors } from 'undici';
import { lookup as resolveName } from './lookup.ts';

/** RFC 8305, 5: how long an address is tried alone before the next one. */
const ATTEMPT_DELAY_MS = 250;

/** More addresses than any name of a single server has. */
const MAX_ADDRESSES = 16;

/** The same as in undici. */
const KEEP_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };

/**
 * Node's own `autoSelectFamily` abandons an address after 250 ms, so that one lost SYN is an outage. Here each address
 * has the full timeout.
 *
 * @param target its hostname is a name, or an IP address without brackets
 * @param timeoutMs milliseconds after which all attempts end
 * @returns a connected socket
 * @throws the error of the lookup; AggregateError with the errors of all addresses; ConnectTimeoutError
 */
export async function connectToFirst(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  timeoutMs: number,
  lookup: LookupFunction = resolveName,
): Promise<Socket> {
  const addresses = isIP(hostname) > 0 ? [hostname] : alternating(await addressesOf(hostname, lookup));
  const timeUp = new AbortController();
  const timer = setTimeout(() => {
    timeUp.abort(new errors.ConnectTimeoutError(`no connection within ${timeoutMs / 1_000} s`));
  }, timeoutMs);
  const sockets = new Set<Socket>();
  try {
    const winner = await race(addresses.slice(0, MAX_ADDRESSES), timeUp.signal, async (host) => {
      const socket = connect({ host, port, ...KEEP_ALIVE });
      sockets.add(socket);
      await once(socket, 'connect', { signal: timeUp.signal });
      return socket;
    });
    sockets.delete(winner);
    return winner;
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) {
      socket.on('error', () => {}).destroy();
    }
  }
}

/** Tries the next address once all previous ones have failed, or after the delay. */
async function race(
  addresses: readonly string[],
  signal: AbortSignal,
  attempt: (address: string) => Promise<Socket>,
): Promise<Socket> {
  const attempts: Array<Promise<Socket>> = [];
  for (const address of addresses) {
    attempts.push(attempt(address));
    const first = Promise.any(attempts).catch(() => undefined);
    const winner = await Promise.race([first, delay(ATTEMPT_DELAY_MS, undefined, { ref: false })]);
    if (winner !== undefined) {
      return winner;
    }
    signal.throwIfAborted();
  }
  return await Promise.any(attempts).catch((error: AggregateError) => {
    signal.throwIfAborted();
    // Without the message of Promise.any, which has no information.
    throw new AggregateError(error.errors);
  });
}

function addressesOf(hostname: string, lookup: LookupFunction): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, found) => {
      if (error) {
        reject(error);
      } else {
        resolve(typeof found === 'string' ? [] : found);
      }
    });
  });
}

/** In the order of the resolver, with IPv4 and IPv6 alternating: often one of them has no route. */
function alternating(found: readonly LookupAddress[]): readonly string[] {
  const [preferred, other] = [true, false].map((same) =>
    found.filter(({ family }) => (family === found[0]?.family) === same),
  );
  return found
    .flatMap((_, index) => [preferred?.[index], other?.[index]])
    .flatMap((item) => item?.address ?? []);
}
