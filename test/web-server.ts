import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { compare } from 'bcryptjs';
import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import {
  type GuardDependencies,
  type GuardedServers,
  openGuardedServers,
} from '../src/web/guarded-servers.ts';
import { changeDetector } from '../src/web/settings.ts';

export interface ReceivedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly socket: TLSSocket | undefined;
}

export interface Logged {
  readonly level: number;
  readonly msg: string;
  readonly err?: string;
}

export type RequestOptions = https.RequestOptions & { readonly as?: string };

export interface Live {
  readonly servers: GuardedServers;
  readonly server: ReturnType<GuardedServers['createServer']>;
  readonly port: number;
  readonly logged: readonly Logged[];
  /** The hashes that passwords were compared with. */
  readonly compared: readonly string[];
  readonly write: (name: string, content: string) => void;
  readonly get: (options?: RequestOptions) => Promise<ReceivedResponse>;
  /** Resolves when the files are old enough to be cached. */
  readonly settled: () => Promise<void>;
}

/** A folder with these files, which is removed after the test. */
export function temporaryFolder(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'web-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // By renaming, as documented.
  const write = (name: string, content: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, `${name}.new`), content);
    renameSync(join(folder, `${name}.new`), join(folder, name));
  };
  for (const [name, content] of Object.entries(files)) {
    write(name, content);
  }
  return { folder, write };
}

/** A server on all addresses of this machine, with the web configuration `web.yml` in these files. */
export async function startGuarded(
  files: Readonly<Record<string, string>>,
  handler: RequestListener = (_request, response) => response.end('handled'),
  dependencies: Partial<GuardDependencies> = {},
): Promise<Live> {
  const { folder, write } = temporaryFolder(files);
  const logged: Logged[] = [];
  const compared: string[] = [];
  const servers = openGuardedServers(join(folder, 'web.yml'), {
    log: pino({ level: 'debug' }, { write: (line) => logged.push(JSON.parse(line)) }),
    compare: (password, hash) => {
      compared.push(hash);
      return compare(password, hash);
    },
    ...dependencies,
  });
  const server = servers.createServer(handler, {});
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const { port } = Object(server.address());
  const get = (options: RequestOptions = {}) => request(servers.tls, { port, ...options });
  const paths = Object.keys(files).map((name) => join(folder, name));
  const settled = () => expect.poll(() => changeDetector(paths)(), { interval: 10 }).toBe(false);
  return { servers, server, port, logged, compared, write, get, settled };
}

/** @returns an agent that keeps a single connection */
export function keptConnection(tls: boolean, options: https.AgentOptions = {}): https.Agent | http.Agent {
  const all = { ...options, keepAlive: true, maxSockets: 1 };
  const agent = tls ? new https.Agent(all) : new http.Agent(all);
  onTestFinished(() => agent.destroy());
  return agent;
}

/** A new connection to 127.0.0.1, unless the options override it. */
function request(tls: boolean, { as, ...options }: RequestOptions): Promise<ReceivedResponse> {
  const all = { host: '127.0.0.1', agent: false as const, ...(as ? { auth: as } : {}), ...options };
  return new Promise((resolve, reject) => {
    const sent = tls ? https.request(all) : http.request(all);
    sent.once('error', reject);
    sent.once('response', (response) => {
      let body = '';
      const socket = response.socket instanceof TLSSocket ? response.socket : undefined;
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, socket }),
      );
    });
    sent.end();
  });
}
