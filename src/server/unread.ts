/** Limits the response bytes that clients have not read yet. */
import type { FastifyReply } from 'fastify';

/** 256 concurrent scrapers of 1,000 models take 90 MiB for a moment. */
const MAX_UNREAD_BYTES = 128 * 1024 * 1024;

/** @returns whether the response may be sent; it then counts until it is sent or its connection ends */
export function createUnreadLimit(
  maxBytes = MAX_UNREAD_BYTES,
): (reply: FastifyReply, payload: unknown) => boolean {
  let unread = 0;
  return (reply, payload) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : 0;
    if (bytes > 0 && unread + bytes > maxBytes) {
      return false;
    }
    unread += bytes;
    reply.raw.once('close', () => {
      unread -= bytes;
    });
    return true;
  };
}
