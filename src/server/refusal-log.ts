/** Turns targets that may not be asked into log lines, whichever route they were wanted by. */
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { RequestError } from '../scrape/request-error.ts';
import { queryOf } from './query.ts';

/** @param error of which only a RequestError with status 403 makes a line */
export function logRefusal(log: Logger, request: FastifyRequest, error: unknown): void {
  if (error instanceof RequestError && error.statusCode === 403) {
    const { message, cause } = error;
    // What a name resolved to is for the log only.
    const because = cause instanceof Error ? { because: cause.message } : {};
    const target = queryOf(request).get('target');
    log.warn({ client: request.ip, target, err: message, ...because }, 'Refused a probe');
  }
}
