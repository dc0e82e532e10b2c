/** Finds the address that the exporter listens on, and checks that it responds. */
import { type ClientRequest, request as http } from 'node:http';
import { request as https } from 'node:https';
import type { Config } from '../config/options.ts';
import { messageOf } from '../log/error-text.ts';

export interface HealthAddress {
  readonly url: URL;
  /** TLS, authentication, a rate limit or client certificates may be configured. */
  readonly hasWebConfig: boolean;
}

/** Statuses with which a healthy exporter rejects an unauthenticated client. */
const UNAUTHENTICATED_STATUSES: readonly number[] = [401, 429];

/**
 * @param commandLine `/proc/PID/cmdline`: each word ends with a NUL
 * @returns the arguments after the exporter's own path; empty if the process is another program
 */
export function exporterArguments(commandLine: string): readonly string[] {
  const words = commandLine.split('\0').slice(0, -1);
  const program = words.findIndex((word) => /(^|\/)(main\.js|ollama-exporter)$/.test(word));
  return program === -1 ? [] : words.slice(program + 1);
}

/** The first listen address; loopback if it is a wildcard. */
export function healthAddress({ listenAddresses, webConfigFile }: Config): HealthAddress {
  const [{ host, port } = { host: undefined, port: 0 }] = listenAddresses;
  const any = host === undefined || host === '0.0.0.0' || host === '::';
  const authority = any ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return { url: new URL(`http://${authority}:${port}/-/healthy`), hasWebConfig: webConfigFile !== undefined };
}

/** @throws Error with the status, if the exporter is not healthy */
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

/** The file may have changed since startup, so TLS is tried. */
async function getWithWebConfig(url: URL, signal: AbortSignal): Promise<number> {
  // No secret is sent, and the certificate is not issued for this name.
  const options = { signal, rejectUnauthorized: false };
  try {
    return await statusOf(https(new URL(url.href.replace('http:', 'https:')), options));
  } catch (error) {
    // It rejects clients without a certificate, so it is healthy.
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
