/** The routes about the configuration file: what is in force, and reading it again. */
import type { FastifyInstance } from 'fastify';
import { messageOf } from '../log/error-text.ts';
import { RequestError } from '../scrape/request-error.ts';
import type { RunningConfig } from '../targets/modules.ts';
import { TEXT } from './content-type.ts';

export function addConfigRoutes(app: FastifyInstance, config: RunningConfig): void {
  app.get('/config', (_request, reply) => reply.type(TEXT).send(config.shown()));
  // The methods and words of Prometheus and blackbox_exporter.
  app.route({
    method: ['POST', 'PUT'],
    url: '/-/reload',
    handler: async (_request, reply) => {
      try {
        await config.reload();
      } catch (cause) {
        const problem = messageOf(cause);
        throw new RequestError(500, `failed to reload config: ${problem}`, { cause });
      }
      return reply.type(TEXT).send('Reloaded\n');
    },
  });
  app.get('/-/reload', () => {
    throw new RequestError(405, 'This endpoint requires a POST request.');
  });
}
