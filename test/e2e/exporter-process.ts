/** Runs the exporter like a user: as a separate process, from dist/. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningExporter {
  readonly child: ChildProcess;
  readonly url: URL;
  /** Everything logged so far. */
  readonly log: () => string;
  readonly finished: Promise<Finished>;
}

/** Stopped after the last test of a file, so that a failed one leaves no process behind. */
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) {
    child.kill('SIGKILL');
  }
});

type Environment = Readonly<Record<string, string>>;

/** The environment contains only what a test sets, so that an OLLAMA_HOST of the machine has no effect. */
function start(args: readonly string[], env: Environment, redirection = '') {
  const command = `exec "$0" "$@" ${redirection}`;
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      redirection.startsWith('|') ? command.replace('exec ', '') : command,
      process.execPath,
      MAIN,
      ...args,
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const finished = once(child, 'close').then(([code]): Finished => ({ code, ...output }));
  children.add(child);
  child.on('close', () => children.delete(child));
  return { child, output, finished };
}

/** For invocations that exit. The redirection is in shell syntax: `> /dev/full`. */
export function runExporter(
  args: readonly string[],
  env: Environment = {},
  redirection = '',
): Promise<Finished> {
  return start(args, env, redirection).finished;
}

/** Listens on a free loopback port, unless `args` set another address, and resolves when it does. */
export async function startExporterProcess(
  args: readonly string[],
  env: Environment = {},
  onSpawn: (child: ChildProcess) => void = () => {},
): Promise<RunningExporter> {
  const listen = args.some((arg) => arg.startsWith('--web.listen-address'))
    ? []
    : ['--web.listen-address=127.0.0.1:0'];
  const { child, output, finished } = start([...listen, ...args], env);
  onSpawn(child);
  const host = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', () => {
      const [, address] = /msg=Listening address=(\S+)/.exec(output.stderr) ?? [];
      if (address) {
        resolve(address);
      }
    });
    finished.then(({ stderr }) => reject(new Error(`the exporter ended: ${stderr}`)));
  });
  return { child, url: new URL(`http://${host}`), log: () => output.stderr, finished };
}
