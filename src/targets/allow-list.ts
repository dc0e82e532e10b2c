/** Decides by the `allow` of a module on each target, and on each address that its name resolves to. */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { ForbiddenAddressError } from '../ollama/errors.ts';
import { lookup } from '../ollama/lookup.ts';
import {
  type AllowedRange,
  LOCAL_ADDRESSES,
  METADATA_ADDRESSES,
  NOT_A_RANGE,
  parseAddressRange,
} from './address-ranges.ts';
import { type HostPattern, parseHostPattern } from './host-pattern.ts';

/** A pattern of host names or a range of addresses; for one port and scheme, or for all of them. */
export type AllowEntry = {
  /** As written. */
  readonly text: string;
  /** As in `URL`. */
  readonly protocol: 'http:' | 'https:' | undefined;
  readonly port: string | undefined;
} & ({ readonly name: HostPattern } | { readonly range: AllowedRange });

/**
 * `gpu-*.lan:11434`, `https://*.ollama.svc.cluster.local:443`, `10.20.0.0/16`, `10.20.0.7:11434`, `[fd00::/8]:11434`.
 *
 * @throws Error that states what was expected
 */
export function parseAllowEntry(text: string): AllowEntry {
  const protocol = (['http:', 'https:'] as const).find((scheme) => text.startsWith(`${scheme}//`));
  const { port, what } = splitPort(protocol === undefined ? text : text.slice(protocol.length + 2));
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new Error('expected a port from 1 to 65535');
  }
  return { text, protocol, port, ...what };
}

function splitPort(text: string) {
  if (text.includes('://')) {
    throw new Error('a scheme can only be http:// or https://, in lower case');
  }
  const [, first = '', last = ''] = /^\[?([^\]\s–-]+)\]?\s*[–-]\s*\[?([^\]\s]+)\]?/.exec(text) ?? [];
  // `10.0.0.1-10.0.0.7`, `10.0.0.1-7`
  if (isIP(first) > 0 && (isIP(last) > 0 || /^[\d.:]+$/.test(last))) {
    throw new Error(NOT_A_RANGE);
  }
  const [, bracketed, bracketedPort] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  if (bracketed !== undefined) {
    return { what: { range: parseAddressRange(bracketed) }, port: bracketedPort };
  }
  if (/:.*:/.test(text)) {
    return { what: { range: parseAddressRange(text) }, port: undefined };
  }
  const [, host = '', port] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  // Also `10.20.*`, which as a name pattern would match names that anyone can register.
  const isRange = /\/|^[\d.*?]*\d[\d.*?]*$/.test(host);
  return { what: isRange ? { range: parseAddressRange(host) } : { name: parseHostPattern(host) }, port };
}

/** Entries without port or scheme, so that clients of /probe choose them; as written. */
export function openEntries(entries: readonly AllowEntry[], httpsOnly: boolean): readonly string[] {
  return entries
    .filter(({ protocol, port }) => port === undefined || (protocol === undefined && !httpsOnly))
    .map(({ text }) => text);
}

export interface AllowList {
  /** Whether the target is allowed, as far as this is known without resolving its name. */
  readonly allows: (target: URL) => boolean;
  /** Resolves the target's name, and fails with a ForbiddenAddressError if any of its addresses is not allowed. */
  readonly lookupFor: (target: URL) => LookupFunction;
}

/** @param resolve the resolver of the machine, except in tests */
export function createAllowList(entries: readonly AllowEntry[], resolve: LookupFunction = lookup): AllowList {
  return {
    allows: (target) => {
      const { host, open } = relevant(entries, target);
      return isIP(host) > 0
        ? inRange(open, host)
        : open.some((entry) => 'range' in entry || entry.name(host));
    },
    lookupFor: (target) => {
      const { host, open } = relevant(entries, target);
      const named = open.some((entry) => 'name' in entry && entry.name(host));
      const mayConnect = (address: string) =>
        inRange(open, address) || (named && !LOCAL_ADDRESSES.contains(address));
      return guarded(resolve, mayConnect);
    },
  };
}

/** The host without the brackets of IPv6 and a final dot, and the entries for the target's scheme and port. */
function relevant(entries: readonly AllowEntry[], target: URL) {
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return {
    host: target.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, ''),
    open: entries.filter(
      (entry) => (entry.port ?? port) === port && (entry.protocol ?? target.protocol) === target.protocol,
    ),
  };
}

/** A wide range must not allow a metadata service within it by accident. */
function inRange(entries: readonly AllowEntry[], address: string): boolean {
  const mustBeNamed = METADATA_ADDRESSES.contains(address);
  return entries.some(
    (entry) =>
      'range' in entry && entry.range.contains(address) && (entry.range.isOneAddress || !mustBeNamed),
  );
}

/** Checks the addresses that the connection uses, so nothing can change between check and use. */
function guarded(resolve: LookupFunction, mayConnect: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (failure, addresses) => {
      const found = typeof addresses === 'string' ? [] : addresses;
      const error = failure ?? refusal(hostname, found, mayConnect);
      if (error === undefined) {
        returnAddresses(found, options, callback);
      } else {
        callback(error, []);
      }
    });
  };
}

function returnAddresses(
  found: LookupAddress[],
  { all }: LookupOptions,
  callback: Parameters<LookupFunction>[2],
): void {
  const [first] = found;
  if (all || first === undefined) {
    callback(null, found);
  } else {
    callback(null, first.address, first.family);
  }
}

function refusal(
  hostname: string,
  found: readonly LookupAddress[],
  mayConnect: (address: string) => boolean,
): Error | undefined {
  const forbidden = found.find(({ address }) => !mayConnect(address));
  if (forbidden !== undefined) {
    return new ForbiddenAddressError(`${hostname} resolves to ${forbidden.address}`);
  }
  return found.length > 0
    ? undefined
    : Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
