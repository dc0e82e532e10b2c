/** Serves a simulated Ollama over HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { psBody, showBody, tagsBody, versionBody } from './api.ts';
import { INSTALLED_MODELS } from './catalog.ts';
import { respondToPrompt, sendChat, sendEmbedding } from './responses.ts';
import type { LoadedModel } from './scheduler.ts';

export interface SimulatedOllama {
  readonly url: URL;
  readonly close: () => Promise<void>;
}

export interface SimulatedOllamaOptions {
  readonly version: string;
  /** Port to listen on; by default any free one. */
  readonly port?: number;
  /** The currently loaded models. */
  readonly loaded: () => readonly LoadedModel[];
}

/** Go's net/http sends a Content-Length up to its 2 KiB buffer, and chunks above it. */
const GO_BUFFER_BYTES = 2_048;

/** When the models on the simulated disk were pulled. */
const PULLED_AT_MS = Date.UTC(2026, 7, 1, 9, 30);

/** Listens on the loopback address. */
export async function startSimulatedOllama({
  version,
  port = 0,
  loaded,
}: SimulatedOllamaOptions): Promise<SimulatedOllama> {
  const server = createServer((request, response) => {
    switch (`${request.method} ${request.url}`) {
      case 'GET /api/ps':
        sendJson(response, psBody(loaded()));
        break;
      case 'GET /api/version':
      case 'HEAD /api/version':
        sendJson(response, versionBody(version));
        break;
      case 'GET /api/tags':
      case 'HEAD /api/tags':
        sendJson(response, tagsBody(INSTALLED_MODELS, PULLED_AT_MS));
        break;
      case 'POST /api/show':
        void sendModel(request, response);
        break;
      case 'POST /api/chat':
        void respondToPrompt(request, response, loaded, sendChat);
        break;
      case 'POST /api/embed':
        void respondToPrompt(request, response, loaded, sendEmbedding);
        break;
      case 'GET /':
      case 'HEAD /':
        sendText(response, 200, 'Ollama is running');
        break;
      default:
        sendRejection(request, response);
    }
  });
  // Go's server never closes an idle connection.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return { url: new URL(`http://127.0.0.1:${portOf(server)}`), close: () => closeServer(server) };
}

async function sendModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request).catch(() => '');
  const model = INSTALLED_MODELS.find(({ name }) => body === JSON.stringify({ model: name }));
  if (model === undefined) {
    response.statusCode = 404;
    sendJson(response, '{"error":"model not found"}');
  } else {
    sendJson(response, showBody(model));
  }
}

function sendJson(response: ServerResponse, body: string): void {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  if (body.length > GO_BUFFER_BYTES) {
    response.write(body);
    response.end();
  } else {
    response.end(body);
  }
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

/** Only GET is registered for /api/ps, so HEAD and POST are rejected (routes.go:1870). */
function sendRejection(request: IncomingMessage, response: ServerResponse): void {
  if (/^\/api\/(ps|version|tags)$/.test(request.url ?? '')) {
    response.setHeader('allow', 'GET');
    sendText(response, 405, '405 method not allowed');
  } else {
    sendText(response, 404, '404 page not found');
  }
}

export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
