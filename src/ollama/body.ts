/** Reads the body of a response, and the JSON in it, within limits that no Ollama reaches: 200 models are 76 KB. */
import { once } from 'node:events';
import type { Dispatcher } from 'undici';
import { Bytes } from './bytes.ts';
import { contentCodings, decodeBody } from './content-coding.ts';
import { ApiError } from './errors.ts';

export const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** Four times as many as 1,000 rows of a real list have. Each takes up to 250 bytes of memory. */
const MAX_VALUES = 100_000;

type Body = Dispatcher.ResponseData['body'];

/** @throws ApiError `too_large` or `invalid`, and errors of the connection */
export async function readText({ body, headers }: Dispatcher.ResponseData): Promise<string> {
  const bytes = await readBytes(body);
  const codings = contentCodings(headers['content-encoding']);
  const decoded = codings.length === 0 ? bytes : await decodeBody(bytes, codings, MAX_BODY_BYTES);
  return new TextDecoder().decode(decoded);
}

/** The Agent limits the length. */
async function readBytes(body: Body): Promise<Buffer> {
  const bytes = new Bytes();
  body.on('data', (chunk: Buffer) => bytes.push(chunk));
  await once(body, 'end');
  return bytes.all;
}

/** @returns up to `maxBytes` of the data received within `ms` milliseconds; never throws */
export async function readBeginning(body: Body, maxBytes: number, ms: number): Promise<string> {
  const beginning = Buffer.alloc(maxBytes);
  let length = 0;
  const timer = setTimeout(() => body.destroy(), ms);
  try {
    for await (const chunk of body) {
      length += chunk.copy(beginning, length);
      if (length === maxBytes) {
        break;
      }
    }
  } catch {
    // The connection ended or timed out: what has arrived is enough.
  } finally {
    clearTimeout(timer);
  }
  return beginning.toString('utf8', 0, length);
}

/** @throws ApiError `too_large` or `invalid` */
export function parseJson(text: string): unknown {
  checkSize(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid', `the response (${text.length} characters) is not JSON`, { cause });
  }
}

/** JSON.parse does not limit memory. Separators in strings count too: no real response has that many. */
function checkSize(text: string): void {
  const parts = [',', '[', '{'].map((separator) => text.split(separator, MAX_VALUES + 1).length);
  if (parts.reduce((sum, length) => sum + length) > MAX_VALUES) {
    throw new ApiError('too_large', `the response has more than ${MAX_VALUES} values`);
  }
}
