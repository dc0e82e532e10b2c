/** A process: the simulated Ollama, which misbehaves on request. Argument: the port. */
import { createServer, type ServerResponse } from 'node:http';
import type { FaultName } from './judge.ts';
import { now, psOf, stateAt, versionOf } from './states.ts';

export interface ActiveFault {
  readonly fault: FaultName;
  readonly variant: number;
}

/** Sent once the server listens, after each change of the faults, and for each overlap. */
export interface OllamaMessage {
  readonly port: number;
  /** The path that the exporter requested twice at the same time. */
  readonly overlap?: string;
}

/** Long enough for readings to overlap. */
const RESPONSE_MS = 3;
const DRIP_MS = 50;
/** Go listens with net.core.somaxconn, usually 4,096. */
const BACKLOG = 4_096;
const SKEW_HOURS = [-26, -3, 2, 5, 49];
/** Valid JSON, over the exporter's limit of 16 MiB. */
const HUGE = `{"models":[${' '.repeat(17 * 1024 ** 2)}]}`;

const GARBAGE: ReadonlyArray<(response: ServerResponse) => void> = [
  (response) => response.end('<html>not found</html>'),
  (response) => response.end('{"models":[{"name":"x","size":'),
  (response) => response.end('{"models":{"name":7},"version":[]}'),
  (response) => response.writeHead(500).end('{"error":"out of memory"}'),
  (response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'),
  (response) => response.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"models":['),
];

type Respond = (response: ServerResponse, body: () => string, variant: number) => void;

/** Responses to send when the fault ends. */
const pending = new Map<() => void, FaultName>();

const MISBEHAVIOURS: { readonly [fault in FaultName]?: Respond } = {
  hanging: (response, body) => pending.set(() => response.end(body()), 'hanging'),
  dripping: (response, body) => {
    const text = body();
    let sent = 0;
    const timer = setInterval(() => response.write(text.charAt(sent++) || ' '), DRIP_MS);
    response.once('close', () => clearInterval(timer));
    pending.set(() => {
      clearInterval(timer);
      response.end(text.slice(sent));
    }, 'dripping');
  },
  resetting: (response) => response.socket?.resetAndDestroy(),
  garbage: (response, _, variant) => GARBAGE[variant % GARBAGE.length]?.(response),
  huge: (response) => response.end(HUGE),
};
const behave: Respond = (response, body) => setTimeout(() => response.end(body()), RESPONSE_MS);

let active: readonly ActiveFault[] = [];

function skewMs(): number {
  const { variant } = active.find(({ fault }) => fault === 'clock') ?? {};
  return variant === undefined ? 0 : (SKEW_HOURS[variant % SKEW_HOURS.length] ?? 0) * 3_600_000;
}

const BODIES: Readonly<Record<string, () => string>> = {
  '/api/ps': () => psOf(stateAt(now()), Date.now() + skewMs()),
  '/api/version': () => versionOf(stateAt(now())),
};

interface Read {
  readonly path: string;
  overlapped: boolean;
}
const reads = new Set<Read>();

/** An overlap counts if the exporter is still waiting for the earlier response; it may have given up on it. */
function watch(path: string, response: ServerResponse): void {
  for (const read of reads) {
    read.overlapped ||= read.path === path;
  }
  const read = { path, overlapped: false };
  reads.add(read);
  response.once('close', () => reads.delete(read));
  response.once('finish', () => read.overlapped && !response.req.socket.readableEnded && tell(path));
}

const server = createServer((request, response) => {
  const path = request.url ?? '';
  watch(path, response);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  const body = () => {
    response.setHeader('date', new Date(Date.now() + skewMs()).toUTCString());
    return BODIES[path]?.() ?? '';
  };
  // Of two faults, each has one of the two paths.
  const faults = active.filter(({ fault }) => fault in MISBEHAVIOURS);
  const { fault, variant = 0 } = faults.at(path === '/api/ps' ? 0 : -1) ?? {};
  (fault ? (MISBEHAVIOURS[fault] ?? behave) : behave)(response, body, variant);
});

function tell(overlap?: string): void {
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const message: OllamaMessage = { port, ...(overlap && { overlap }) };
  process.send?.(message);
}

// As in Ollama, which never closes an idle connection.
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: BACKLOG }, () => tell());
process.on('message', (faults: readonly ActiveFault[]) => {
  active = faults;
  for (const [respond, fault] of pending) {
    if (!active.some((other) => other.fault === fault)) {
      pending.delete(respond);
      respond();
    }
  }
  tell();
});
process.on('disconnect', () => process.exit());
