/** Checks that Ollama runs on this machine, whose processes are read. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { messageOf } from '../log/error-text.ts';
import { createFinder, type RunnerFinder } from './find.ts';
import type { LocalTarget } from './ollama-server.ts';
import { addressKey } from './process-files.ts';
import { readProcesses } from './processes.ts';

const PORTS: ReadonlyMap<string, number> = new Map([
  ['http:', 80],
  ['https:', 443],
]);

/**
 * The runners of the Ollama at this address, which must be on this machine.
 *
 * @param root `/`, except in tests
 * @throws Error that states why runners can't be read
 */
export async function localFinder(url: URL | undefined, root: string): Promise<RunnerFinder> {
  const target = await localTarget(url, process.platform);
  return createFinder(readProcesses(join(root, 'proc')), target);
}

/**
 * @param url undefined: there is no Ollama
 * @param platform as `process.platform`
 * @throws Error that states why runners can't be read
 */
export async function localTarget(url: URL | undefined, platform: string): Promise<LocalTarget> {
  if (url === undefined) {
    throw new Error('--collector.runners requires an Ollama on this machine, but --ollama.url is none');
  }
  if (platform !== 'linux') {
    throw new Error(`--collector.runners requires Linux, not ${platform}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) > 0 ? [host] : await addressesOf(host);
  const remote = addresses.find((address) => !isLocal(address));
  if (addresses.length === 0 || remote !== undefined) {
    const where = remote === undefined || remote === host ? host : `${host} (${remote})`;
    throw new Error(
      `--collector.runners requires an Ollama on this machine, but ${where} is not one of its addresses: run the exporter on Ollama's machine`,
    );
  }
  const keys = addresses.map((address) => addressKey(ipaddr.process(address).toByteArray()));
  return { addresses: keys, port: Number(url.port) || (PORTS.get(url.protocol) ?? 0) };
}

async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new Error(
      `--collector.runners requires an Ollama on this machine, but ${name} does not resolve: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function isLocal(text: string): boolean {
  const address = ipaddr.process(text);
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return (
    address.range() === 'loopback' ||
    own.some((each) => ipaddr.process(each.address.replace(/%.*/, '')).toString() === address.toString())
  );
}
