/** `--proxy.include-usage`, on the way to Ollama: a request for a stream also requests the token figures. */
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { isRecord } from '../ollama/json.ts';
import { readUpTo } from './request-body.ts';

/** Longer requests pass unchanged: parsing 4 MiB holds up all streams for some 20 ms. */
const MAX_BYTES = 4 * 1024 * 1024;

const PATHS: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions']);

/** @param request of POST; one that is compressed can't be read */
export function mayRequestUsage(path: string, { headers }: IncomingMessage): boolean {
  return (
    PATHS.has(path) &&
    headers['content-encoding'] === undefined &&
    Number(headers['content-length'] ?? 0) <= MAX_BYTES
  );
}

export interface UsageRequest {
  /** All of it, or what has not been read yet of a longer one behind what has. */
  readonly body: Buffer | Readable;
  /** Whether the figures were added to what the client requested. */
  readonly added: boolean;
}

/** Never resolves for a client that leaves before the end of its request. */
export async function withUsage(request: IncomingMessage): Promise<UsageRequest> {
  const { bytes, whole } = await readUpTo(request, MAX_BYTES);
  if (whole) {
    const spliced = splice(bytes);
    return { body: spliced ?? bytes, added: spliced !== undefined };
  }
  const body = new PassThrough();
  body.write(bytes);
  return { body: request.pipe(body), added: false };
}

/**
 * All bytes of the body stay as they are. Of two equal keys, Ollama (Go's encoding/json) takes the last one.
 *
 * @returns undefined where nothing is to be added: it is no stream, requests the figures itself, or is not understood
 */
export function splice(body: Buffer): Buffer | undefined {
  const fields = parse(body);
  if (fields === undefined || fields['stream'] !== true) {
    return undefined;
  }
  const options = isRecord(fields['stream_options']) ? fields['stream_options'] : {};
  if (options['include_usage'] === true) {
    return undefined;
  }
  const end = body.lastIndexOf('}');
  const added = `,"stream_options":${JSON.stringify({ ...options, include_usage: true })}`;
  return Buffer.concat([body.subarray(0, end), Buffer.from(added), body.subarray(end)]);
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
