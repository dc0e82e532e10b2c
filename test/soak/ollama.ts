/** A process of its own: an Ollama that can be told to misbehave, and be killed. Argument: the port. */
import { createServer, type ServerResponse } from 'node:http';
import { hear, say } from './channel.ts';
import { now } from './clock.ts';
import { type Behaviour, misbehave, type OllamaFault } from './ollama-faults.ts';
import { watchReads } from './one-read.ts';
import { psOf, stateAt, versionOf } from './states.ts';

export interface OllamaCommand {
  readonly id: number;
  /** undefined: it behaves. */
  readonly fault?: OllamaFault;
  readonly variant: number;
}

export type OllamaMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'overlap'; readonly read: string };

/** So that reads that overlap do so. */
const ANSWER_MS = 3;
/** Go's net/http sends a Content-Length up to its 2 KiB buffer, and chunks above it. */
const GO_BUFFER_BYTES = 2_048;
/** Go listens with net.core.somaxconn, which is this. */
const BACKLOG = 4_096;

const wellBehaved: Behaviour = {
  answer: (response, body) =>
    setTimeout(() => {
      const text = body();
      if (text.length > GO_BUFFER_BYTES) {
        response.write(text);
        response.end();
      } else {
        response.end(text);
      }
    }, ANSWER_MS),
  end: () => {},
};

let behaviour = wellBehaved;
let clockSkewMs = 0;

const tell = (message: OllamaMessage) => say(process.stdout, message);
const watch = watchReads((read) => tell({ kind: 'overlap', read }));

const BODIES: Readonly<Record<string, () => string>> = {
  '/api/ps': () => psOf(stateAt(now()), Date.now() + clockSkewMs),
  '/api/version': () => versionOf(stateAt(now())),
};

function withHeaders(response: ServerResponse, body: () => string): () => string {
  return () => {
    if (!response.headersSent) {
      response.setHeader('date', new Date(Date.now() + clockSkewMs).toUTCString());
    }
    return body();
  };
}

const server = createServer((request, response) => {
  watch(request, response);
  const body = BODIES[request.url ?? ''];
  if (body === undefined) {
    response.writeHead(404).end('404 page not found');
    return;
  }
  response.setHeader('content-type', 'application/json; charset=utf-8');
  behaviour.answer(response, withHeaders(response, body));
});
// As Ollama, which never ends an idle connection.
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: BACKLOG }, () => {
  const address = server.address();
  tell({ kind: 'listening', port: typeof address === 'object' ? (address?.port ?? 0) : 0 });
});

const HOURS = [-26, -3, 2, 5, 49];

hear<OllamaCommand>(
  process.stdin,
  ({ id, fault, variant }) => {
    const before = behaviour;
    clockSkewMs = fault === 'clock' ? (HOURS[variant % HOURS.length] ?? 0) * 3_600_000 : 0;
    behaviour = fault === undefined ? wellBehaved : misbehave(fault, variant);
    before.end();
    tell({ kind: 'done', id });
  },
  () => process.exit(),
);
