/** The routes for operators: health, active configuration and reload. None of them scrapes Ollama. */
import type { FastifyInstance } from 'fastify';
import { messageOf } from '../log/error-text.ts';
import { RequestError } from '../scrape/request-error.ts';
import type { ServerDependencies } from './dependencies.ts';

export function addAdminRoutes(app: FastifyInstance, { modules }: ServerDependencies): void {
  app.get('/-/healthy', (_request, reply) => reply.send('Healthy\n'));
  app.get('/-/ready', (_request, reply) => reply.send('Ready\n'));
  app.get('/config', (_request, reply) => reply.send(modules.shown()));
  // The methods and texts of Prometheus and blackbox_exporter.
  app.route({
    method: ['POST', 'PUT'],
    url: '/-/reload',
    handler: async (_request, reply) => {
      try {
        await modules.reload();
      } catch (cause) {
        const problem = messageOf(cause);
        throw new RequestError(500, `failed to reload config: ${problem}`, { cause });
      }
      return reply.send('Reloaded\n');
    },
  });
  app.get('/-/reload', () => {
    throw new RequestError(405, 'This endpoint requires a POST request.');
  });
}
