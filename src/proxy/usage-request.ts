/** `--proxy.include-usage` in requests: a request for a stream also requests usage. */
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { parseJson } from '../ollama/body.ts';
import { isRecord } from '../ollama/json.ts';
import { readUpTo } from './request-body.ts';

/** Longer requests are not changed: parsing 4 MiB blocks all streams for some 20 ms. */
const MAX_BYTES = 4 * 1024 * 1024;

const PATHS: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions']);

/** @param request a POST; a compressed one can't be read */
export function mayRequestUsage(path: string, { headers }: IncomingMessage): boolean {
  return (
    PATHS.has(path) &&
    headers['content-encoding'] === undefined &&
    Number(headers['content-length'] ?? 0) <= MAX_BYTES
  );
}

export interface UsageRequest {
  /** The whole body, or for a longer one the part that was read, followed by the rest. */
  readonly body: Buffer | Readable;
  /** Whether usage was added to the request. */
  readonly added: boolean;
}

/** Never resolves for a client that disconnects before the end of its request. */
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
 * Only appends to the body. Of two equal keys, Ollama (Go's encoding/json) uses the last one.
 *
 * @returns undefined if nothing is to be added: the body is no stream, requests usage itself, or is not understood
 */
export function splice(body: Buffer): Buffer | undefined {
  const fields = parse(body);
  if (fields === undefined || fields['stream'] !== true) {
    return undefined;
  }
  const options = isRecord(fields['stream_options']) ? fields['stream_options'] : {};
  if (options['include_usage'] === true || hasKeyInOtherCase(fields) || hasKeyInOtherCase(options)) {
    return undefined;
  }
  const end = body.lastIndexOf('}');
  const added = `,"stream_options":${JSON.stringify({ ...options, include_usage: true })}`;
  return Buffer.concat([body.subarray(0, end), Buffer.from(added), body.subarray(end)]);
}

const KEYS: ReadonlySet<string> = new Set(['stream', 'stream_options', 'include_usage']);

/** Which Ollama takes for the same key: the client may request the figures by it. */
function hasKeyInOtherCase(record: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(record).some((key) => !KEYS.has(key) && KEYS.has(key.toLowerCase()));
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    // Which rejects 100,000 values: parsing 4 MiB of nothing but keys takes over a second.
    const value = parseJson(body.toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
