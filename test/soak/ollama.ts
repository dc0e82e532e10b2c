/** A process: the simulated Ollama, which misbehaves while it is time for faults that it was sent. Argument: the port. */
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import { bodyOf, now, sleepUntil } from './states.ts';

/** Long enough for scrapes to overlap. */
const RESPONSE_MS = 3;
const DRIP_MS = 50;
/** Go listens with net.core.somaxconn, usually 4,096. */
const BACKLOG = 4_096;
const SKEW_HOURS = [-26, -3, 2, 5, 49];
/** Valid JSON, over the exporter's limit of 16 MiB. */
const HUGE = `{"models":[${' '.repeat(17 * 1024 ** 2)}]}`;

const GARBAGE: ReadonlyArray<(response: ServerResponse) => unknown> = [
  (response) => response.end('<html>not found</html>'),
  (response) => response.end('{"models":[{"name":"x","size":'),
  (response) => response.end('{"models":{"name":7},"version":[]}'),
  (response) => response.writeHead(500).end('{"error":"out of memory"}'),
  (response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'),
  (response) => response.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"models":['),
];

type Respond = (response: ServerResponse, body: () => string, fault: Fault) => unknown;

const MISBEHAVIOURS: { readonly [name in Fault['name']]?: Respond } = {
  hanging: async (response, body, { end }) => {
    await sleepUntil(end);
    response.end(body());
  },
  dripping: async (response, body, { end }) => {
    const text = body();
    let sent = 0;
    while (now() < end && !response.destroyed) {
      response.write(text.charAt(sent++) || ' ');
      await sleep(DRIP_MS);
    }
    response.end(text.slice(sent));
  },
  resetting: (response) => response.socket?.resetAndDestroy(),
  garbage: (response, _, { variant }) => pick(GARBAGE, variant)?.(response),
  huge: (response) => response.end(HUGE),
};

function pick<T>(list: readonly T[], variant: number): T | undefined {
  return list[Math.floor(variant * list.length)];
}

let faults: readonly Fault[] = [];
process.on('message', (next: readonly Fault[]) => {
  faults = next;
});
/** By path. */
const latest = new Map<string, ServerResponse>();

const server = createServer((request, response) => {
  const path = request.url ?? '';
  if (!path.startsWith('/api/')) {
    response.end('Ollama is running');
    return;
  }
  // An overlap counts only if the exporter still waits for the earlier response.
  const earlier = latest.get(path);
  if (earlier && !earlier.writableFinished && !earlier.destroyed) {
    const report = () =>
      earlier.req.socket.readableEnded || process.send?.(`${path} requested twice at once`);
    earlier.once('finish', report);
  }
  latest.set(path, response);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  const at = now();
  const active = faults.filter(({ start, end }) => start <= at && at < end);
  const body = () => {
    const clock = active.find(({ name }) => name === 'clock');
    const wallClockMs = Date.now() + (clock ? (pick(SKEW_HOURS, clock.variant) ?? 0) * 3_600_000 : 0);
    response.setHeader('date', new Date(wallClockMs).toUTCString());
    return bodyOf(path, wallClockMs);
  };
  // With two faults, each has one of the two paths.
  const fault = active.filter(({ name }) => name in MISBEHAVIOURS).at(path === '/api/ps' ? 0 : -1);
  const misbehave = fault && MISBEHAVIOURS[fault.name];
  if (misbehave) {
    misbehave(response, body, fault);
  } else {
    setTimeout(() => response.end(body()), RESPONSE_MS);
  }
});

// As in Ollama, which never closes an idle connection.
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: BACKLOG });
process.on('disconnect', () => process.exit());
