/** Finds the address that the exporter listens on, and checks that it responds. */
import { type ClientRequest, request as http } from 'node:http';
import { request as https } from 'node:https';
import type { Config } from '../config/options.ts';
import { messageOf } from '../log/error-text.ts';

export interface HealthAddress {
  readonly url: URL;
  /** A password, a rate limit or a client certificate may be configured, and TLS. */
  readonly hasWebConfig: boolean;
}

/** Statuses with which a healthy exporter responds to a client without a password. */
const UNAUTHENTICATED_STATUSES: readonly number[] = [401, 429];

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
  return { url: new URL(`http://${authority}:${port}/-/healthy`), hasWebConfig: webConfigFile !== undefined };
}

/** @throws Error with the response, if it is not that of a healthy exporter */
export async function checkHealth({ url, hasWebConfig }: HealthAddress, signal: AbortSignal): Promise<void> {
  const status = await (hasWebConfig ? getWithWebConfig(url, signal) : statusOf(http(url, { signal }))).catch(
    (cause: unknown) => {
      const problem = signal.aborted ? 'no response in time' : messageOf(cause);
      throw new Error(`could not query ${url.href}: ${problem}`, { cause });
    },
  );
  if (status !== 200 && !(hasWebConfig && UNAUTHENTICATED_STATUSES.includes(status))) {
    throw new Error(`${url.href} returned status ${status}`);
  }
}

/** The file may have changed since the start, so TLS is tried rather than read from it. */
async function getWithWebConfig(url: URL, signal: AbortSignal): Promise<number> {
  // No secret is sent, and the certificate is not issued for this name.
  const options = { signal, rejectUnauthorized: false };
  try {
    return await statusOf(https(new URL(url.href.replace('http:', 'https:')), options));
  } catch (error) {
    // It rejects a client without a certificate, so it is healthy.
    return isReset(error) ? 401 : statusOf(http(url, { signal }));
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

function statusOf(request: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.end();
  });
}
