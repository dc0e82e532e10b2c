/** Packs answers for those who take gzip, Prometheus among them. */
import { gzipSync } from 'node:zlib';
import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { rememberingLast } from '../ollama/remembering-last.ts';

/** Below this it saves less than a packet (one Ethernet frame holds about 1,400 bytes). */
const WORTH_PACKING_BYTES = 1_400;

/** Level 6 makes texts of metrics smaller by a seventh at most, for two to three times the CPU time. */
const LEVEL = 1;

/** @returns what to send in place of `payload` */
export function packForTaker({ headers }: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  if (!(typeof payload === 'string' || Buffer.isBuffer(payload)) || payload.length < WORTH_PACKING_BYTES) {
    return payload;
  }
  reply.header('vary', 'accept-encoding');
  const accepted = headers['accept-encoding'];
  if (accepted === undefined || negotiate(accepted, ['gzip']) !== 'gzip') {
    return payload;
  }
  reply.header('content-encoding', 'gzip');
  return pack(payload);
}

/** Scrapes that share a reading are sent the same. */
const pack = rememberingLast((payload: string | Buffer) => gzipSync(payload, { level: LEVEL }));
