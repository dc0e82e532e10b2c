/** Starts the processes of a bench, and sees to it that none outlives it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Longer than the exporter's own limit at its end. */
const PATIENCE_MS = 10_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** @param {NodeJS.Signals} signal */
function killAll(signal) {
  for (const child of children) {
    child.kill(signal);
  }
}

/** Call it first of all: from then on no way out leaves a process behind. */
export function endChildrenAtExit() {
  process.on('exit', () => killAll('SIGKILL'));
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.on(signal, () => process.exit(code));
  }
}

/**
 * @template {import('node:child_process').ChildProcess} T
 * @param {T} child
 */
function adopt(child) {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/**
 * Starts a server that says on stderr where it listens.
 *
 * @param {readonly string[]} args of node
 * @returns {Promise<{ readonly pid: number, readonly origin: string, readonly stop: () => Promise<void> }>}
 */
export async function startServer(args) {
  // Nothing of this environment has a say: OLLAMA_HOST, NODE_OPTIONS.
  const child = adopt(spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] }));
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const impatient = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await exited;
    clearTimeout(impatient);
  };
  let said = '';
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    said += chunk;
    const address = /msg=Listening address=(\S+)/.exec(said)?.[1];
    if (address !== undefined) {
      // What it says from now on must not fill the pipe.
      child.stderr.resume();
      return { pid: child.pid ?? 0, origin: `http://${address}`, stop };
    }
  }
  throw new Error(`${args.join(' ')} ended: ${said}`);
}

/**
 * Starts a script of this folder that answers lines on stdin with lines on stdout, and ends with its stdin.
 *
 * @param {string} script
 * @param {readonly string[]} args
 */
export function startWorker(script, args = []) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = adopt(spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const nextLine = async () => {
    const { value, done } = await lines.next();
    if (done) {
      throw new Error(`${script} ended`);
    }
    return value;
  };
  /** @param {object} order */
  const ask = (order) => {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    return nextLine();
  };
  return { pid: child.pid ?? 0, nextLine, ask, end: () => child.stdin.end() };
}
