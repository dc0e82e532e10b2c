/** A machine with an Ollama and its runners: files of /proc, and real sockets with responses defined by the test. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import type { COUNTERS } from './counter-names.ts';
import { FakeProc, type FakeProcess, hash, llamaServer, OLLAMA_UID, ollamaServe } from './fake-proc.ts';

/** The counters of a runner: values of `/metrics` by the exporter's names. */
export type Counts = Partial<Record<keyof typeof COUNTERS, number | string>>;

const LLAMA_NAMES: Readonly<Record<keyof typeof COUNTERS, string>> = {
  generated: 'tokens_predicted_total',
  generationSeconds: 'tokens_predicted_seconds_total',
  prompt: 'prompt_tokens_total',
  cached: 'prompt_tokens_cached_total',
  promptSeconds: 'prompt_seconds_total',
};

export function metrics(counts: Counts): RequestListener {
  const lines = Object.entries(counts).map(
    ([name, value]) => `llamacpp:${LLAMA_NAMES[name as keyof typeof COUNTERS]} ${value}\n`,
  );
  return (_request, response) => response.setHeader('content-type', 'text/plain').end(lines.join(''));
}

export function slots(total: number, busy: number): RequestListener {
  return json(JSON.stringify(Array.from({ length: total }, (_, id) => ({ id, is_processing: id < busy }))));
}

export interface FakeRunner {
  readonly process: FakeProcess;
  readonly port: number;
  /** Paths of the received requests, in order. */
  readonly requested: string[];
  slots: RequestListener;
  metrics: RequestListener;
  /** Ends the process. */
  readonly kill: () => void;
}

export interface LoadedRow {
  readonly model: string;
  readonly digest?: string;
  readonly quantization?: string;
  readonly size?: number;
}

export class FakeMachine {
  readonly proc = new FakeProc();
  /** Rows of /api/ps. */
  rows: readonly LoadedRow[] = [];
  /** Installed models: name → digest. */
  readonly installed = new Map<string, string>();
  /** The blob of each digest. */
  readonly blobs = new Map<string, string>();
  /** Requests to Ollama, by path. */
  readonly requested: string[] = [];
  readonly url: URL;
  /** The handlers of Ollama; they can be changed. */
  readonly handlers: Required<Handlers>;
  readonly #servers: Server[] = [];
  #nextPid = 200;

  constructor(url: URL, handlers: Required<Handlers>) {
    this.url = url;
    this.handlers = handlers;
    const port = Number(url.port);
    this.proc.listen({ port });
    this.proc.add(ollamaServe(100, [port]));
  }

  /** Installs and loads a model. */
  load(model: string, weights = model): LoadedRow {
    const digest = hash(`manifest ${weights}`).slice(0, 64);
    this.installed.set(model, digest);
    this.blobs.set(digest, hash(weights));
    const row = { model, digest };
    this.rows = [...this.rows, row];
    return row;
  }

  unload(model: string): void {
    this.rows = this.rows.filter((row) => row.model !== model);
  }

  /** Starts a runner with these weights, by default after the exporter. */
  async run(weights: string, overrides: Partial<FakeProcess> = {}): Promise<FakeRunner> {
    const requested: string[] = [];
    const server = createServer((request, response) => {
      requested.push(request.url ?? '');
      const handler = { '/slots': runner.slots, '/metrics': runner.metrics }[request.url ?? ''];
      handler?.(request, response);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const pid = this.#nextPid++;
    const process = {
      pid,
      parent: 100,
      comm: 'llama-server',
      argv: llamaServer(hash(weights), port),
      startTicks: 6_000 + pid,
      ...overrides,
    };
    this.proc.listen({ port, uid: process.uid ?? OLLAMA_UID }).add(process);
    const runner: FakeRunner = {
      process,
      port,
      requested,
      slots: slots(4, 0),
      metrics: metrics({ generated: 0, generationSeconds: 0, prompt: 0, cached: 0, promptSeconds: 0 }),
      kill: () => {
        this.proc.remove(process.pid);
        server.close();
        server.closeAllConnections();
      },
    };
    return runner;
  }

  async start(options: InProcessOptions = {}): Promise<InProcessExporter> {
    const machine = { root: this.proc.root, env: {}, timeoutMs: 1_000, retryMs: 3_600_000 };
    const exporter = await startInProcess(this.url, { collectRunners: true, machine, ...options });
    onTestFinished(exporter.close);
    return exporter;
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

export async function startFakeMachine(): Promise<FakeMachine> {
  const row = ({ model, digest, quantization = 'Q4_K_M', size = 1_000 }: LoadedRow) => ({
    model,
    size,
    size_vram: size,
    digest,
    details: { quantization_level: quantization },
  });
  const handlers: Required<Handlers> = {
    ps: (request, response) => {
      machine.requested.push('/api/ps');
      json(JSON.stringify({ models: machine.rows.map(row) }))(request, response);
    },
    version: json(VERSION_BODY),
    tags: (request, response) => {
      machine.requested.push('/api/tags');
      const models = [...machine.installed].map(([model, digest]) => row({ model, digest }));
      json(JSON.stringify({ models }))(request, response);
    },
    show: async (request, response) => {
      const { model } = JSON.parse(await text(request)) as { readonly model: string };
      machine.requested.push(`/api/show ${model}`);
      const blob = machine.blobs.get(machine.installed.get(model) ?? '');
      const modelfile = `# FROM ${model}\n\nFROM /root/.ollama/models/blobs/sha256-${blob}\nTEMPLATE x\n`;
      json(JSON.stringify({ license: '\nFROM /x/blobs/sha256-0', modelfile }))(request, response);
    },
  };
  const ollama = await startFakeOllama(handlers);
  const machine: FakeMachine = new FakeMachine(ollama.url, handlers);
  onTestFinished(async () => {
    machine.close();
    await ollama.close();
  });
  return machine;
}
