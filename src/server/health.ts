/** Finds out where the exporter listens, and whether it answers there. */
import { type ClientRequest, request as http } from 'node:http';
import { request as https } from 'node:https';
import type { Config } from '../config/options.ts';
import { messageOf } from '../log/error-text.ts';

export interface HealthAddress {
  readonly url: URL;
  /** A password, a limit or a client certificate may be asked for, and the answer may come in TLS. */
  readonly door: boolean;
}

/** The answers of a door that is shut, and works, to somebody without a password. */
const SHUT: readonly number[] = [401, 429];

/**
 * @param commandLine `/proc/PID/cmdline`: each word ends with a NUL
 * @returns what follows the exporter's own path; empty where the process is something else
 */
export function exporterArguments(commandLine: string): readonly string[] {
  const words = commandLine.split('\0').slice(0, -1);
  const program = words.findIndex((word) => /(^|\/)(main\.js|ollama-exporter)$/.test(word));
  return program === -1 ? [] : words.slice(program + 1);
}

/** The first address that it listens on, by loopback where that is any address of the machine. */
export function healthAddress({ listenAddresses, webConfigFile }: Config): HealthAddress {
  const [{ host, port } = { host: undefined, port: 0 }] = listenAddresses;
  const any = host === undefined || host === '0.0.0.0' || host === '::';
  const authority = any ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return { url: new URL(`http://${authority}:${port}/-/healthy`), door: webConfigFile !== undefined };
}

/** @throws Error that says what came instead of the answer of a healthy exporter */
export async function askHealth({ url, door }: HealthAddress, signal: AbortSignal): Promise<void> {
  const status = await (door ? askDoor(url, signal) : ask(http(url, { signal }))).catch((cause: unknown) => {
    const problem = signal.aborted ? 'no answer in time' : messageOf(cause);
    throw new Error(`could not ask ${url.href}: ${problem}`, { cause });
  });
  if (status !== 200 && !(door && SHUT.includes(status))) {
    throw new Error(`${url.href} answered ${status}`);
  }
}

/** Whether a door speaks TLS stands in its file, which may have changed since: it is tried. */
async function askDoor(url: URL, signal: AbortSignal): Promise<number> {
  // No secret goes out, and its certificate is not made out for this name.
  const options = { signal, rejectUnauthorized: false };
  try {
    return await ask(https(new URL(url.href.replace('http:', 'https:')), options));
  } catch (error) {
    // It hangs up on whoever shows no certificate: shut, and works.
    return isReset(error) ? 401 : ask(http(url, { signal }));
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

function ask(request: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.end();
  });
}
