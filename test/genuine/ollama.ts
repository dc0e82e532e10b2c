/** Runs a genuine `ollama serve`, controls it through its API and its command line, and lists its processes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../free-port.ts';

const BINARY = process.env['OLLAMA_BINARY'] ?? '';

/** What a finished request reports; the counts are absent if 0. */
export interface Reply {
  readonly done?: boolean;
  readonly done_reason?: string;
  readonly error?: string;
  readonly prompt_eval_count?: number;
  readonly eval_count?: number;
  /** Nanoseconds. */
  readonly eval_duration?: number;
}

export interface PsRow {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly size_vram: number;
  readonly context_length: number;
  readonly expires_at: string;
  readonly details: {
    readonly format: string;
    readonly family: string;
    readonly parameter_size: string;
    readonly quantization_level: string;
  };
}

export interface Generation {
  /** The client disconnects. */
  readonly disconnect: () => void;
  readonly finished: Promise<Reply>;
}

export interface Ollama {
  readonly url: URL;
  readonly pid: number;
  /** Everything that it and its runners have logged. */
  readonly log: () => string;
  /** @throws Error with the server's own message for any status except 200 */
  readonly post: (path: string, body: Readonly<Record<string, unknown>>) => Promise<Reply>;
  readonly ps: () => Promise<readonly PsRow[]>;
  /** A running generation: its first token has arrived. */
  readonly generate: (body: Readonly<Record<string, unknown>>) => Promise<Generation>;
  readonly create: (model: string, gguf: Buffer) => Promise<void>;
  readonly delete: (model: string) => Promise<void>;
  /** Runs the command line; returns its standard output. */
  readonly cli: (...args: readonly string[]) => Promise<string>;
  /** The same for a server at another address. */
  readonly cliAt: (at: URL, ...args: readonly string[]) => Promise<string>;
  /** Process ids of the `llama-server`s that have a model. */
  readonly runners: () => readonly number[];
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
}

/**
 * @param folder for models, keys and history; a server restarted there has the same models
 * @param port by default a free one
 */
export async function startOllama(
  folder: string,
  env: Readonly<Record<string, string>> = {},
  port?: number,
): Promise<Ollama> {
  const url = new URL(`http://127.0.0.1:${port ?? (await freePort())}`);
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    OLLAMA_MODELS: `${folder}/models`,
    OLLAMA_HOST: url.host,
    ...env,
  };
  const child = spawn(BINARY, ['serve'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  child.stdout.on('data', (chunk) => lines.push(String(chunk)));
  child.stderr.on('data', (chunk) => lines.push(String(chunk)));
  const log = () => lines.join('');
  const pid = child.pid ?? 0;
  await waitUntilUp(url, child, log);
  const post: Ollama['post'] = async (path, body) => {
    const response = await fetch(new URL(path, url), postOf({ stream: false, ...body }));
    const reply: Reply = JSON.parse((await response.text()) || '{}');
    if (!response.ok) {
      throw new Error(`${path}: ${response.status}: ${reply.error}`);
    }
    return reply;
  };
  return {
    url,
    pid,
    log,
    post,
    ps: async () => {
      const { models }: { readonly models: readonly PsRow[] } = JSON.parse(
        await (await fetch(new URL('/api/ps', url))).text(),
      );
      return models;
    },
    generate: (body) => generate(url, body),
    create: async (model, gguf) => {
      const digest = `sha256:${createHash('sha256').update(gguf).digest('hex')}`;
      await fetch(new URL(`/api/blobs/${digest}`, url), { method: 'POST', body: new Uint8Array(gguf) });
      await post('/api/create', { model, files: { 'model.gguf': digest } });
    },
    delete: async (model) => {
      await fetch(new URL('/api/delete', url), { ...postOf({ model }), method: 'DELETE' });
    },
    cli: (...args) => cli(args, environment),
    cliAt: (at, ...args) => cli(args, { ...environment, OLLAMA_HOST: at.host }),
    runners: () => childrenOf(pid).filter((runner) => commandLine(runner).includes('--model')),
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, 'exit');
      }
    },
  };
}

async function waitUntilUp(url: URL, child: ChildProcess, log: () => string): Promise<void> {
  const started = Date.now();
  while (!(await fetch(new URL('/api/version', url)).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || Date.now() - started > 60_000) {
      child.kill('SIGKILL');
      throw new Error(`ollama serve does not respond: ${log()}`);
    }
    await delay(50);
  }
}

function postOf(body: Readonly<Record<string, unknown>>): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function generate(url: URL, body: Readonly<Record<string, unknown>>): Promise<Generation> {
  const client = new AbortController();
  const response = await fetch(new URL('/api/generate', url), {
    ...postOf({ ...body, stream: true }),
    signal: client.signal,
  });
  if (!response.ok || response.body === null) {
    throw new Error(`/api/generate: ${response.status}: ${await response.text()}`);
  }
  const lines = createInterface({ input: Readable.from(response.body) })[Symbol.asyncIterator]();
  const first = await lines.next();
  const finished = lastOf(lines, first.value ?? '{}');
  // A client that disconnects does not wait for the end.
  finished.catch(() => {});
  return { disconnect: () => client.abort(), finished };
}

async function lastOf(lines: AsyncIterator<string>, first: string): Promise<Reply> {
  let last = first;
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    last = next.value;
  }
  const reply: Reply = JSON.parse(last);
  return reply;
}

function cli(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(BINARY, args, { env }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
    // `ollama run` appends its input to the prompt.
    child.stdin?.end();
  });
}

/** Children belong to the thread that started them. */
function childrenOf(pid: number): readonly number[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).flatMap((task) =>
    readFileSync(`${tasks}/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}

/** Empty for a process that has exited. */
function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
