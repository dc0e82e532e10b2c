/** The body of a request, read in advance if that is cheaper than streaming it. */
import type { IncomingMessage } from 'node:http';
import { Bytes } from '../ollama/bytes.ts';

/** What usually arrives with the headers. No response can start before the whole body has arrived. */
const MAX_SHORT_BYTES = 64 * 1024;

/** Whether the length is known and short: sent at once, it costs half the time of a stream. */
export function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? Number.NaN) <= MAX_SHORT_BYTES;
}

export interface Beginning {
  readonly bytes: Buffer;
  /** Whether the body is complete; otherwise the request is paused. */
  readonly whole: boolean;
}

/** Never resolves for a client that disconnects before the end of its request. */
export function readUpTo(request: IncomingMessage, mostBytes: number): Promise<Beginning> {
  return new Promise((resolve) => {
    const bytes = new Bytes();
    const finish = (whole: boolean) => {
      request.off('data', add).off('end', end);
      resolve({ bytes: bytes.all, whole });
    };
    const add = (chunk: Buffer) => {
      bytes.push(chunk);
      if (bytes.length > mostBytes) {
        request.pause();
        finish(false);
      }
    };
    const end = () => finish(true);
    request.on('data', add).on('end', end);
  });
}
