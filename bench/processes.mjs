/** Starts the processes of the bench, stops them with it, and reads their CPU time and memory from /proc. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

process.on('exit', () => {
  for (const child of children) {
    child.kill('SIGKILL');
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

/** @param {import('node:child_process').ChildProcess} child */
async function exitOf(child) {
  children.add(child);
  const [code] = await once(child, 'exit');
  children.delete(child);
  return code;
}

/**
 * Starts a server that logs its address to stderr.
 *
 * @param {readonly string[]} args of node
 */
export async function startServer(args) {
  // Without OLLAMA_HOST, NODE_OPTIONS and the like.
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = exitOf(child);
  const stop = () => {
    child.kill('SIGTERM');
    return exited;
  };
  let log = '';
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    log += chunk;
    const address = /msg=Listening address=(\S+)/.exec(log)?.[1];
    if (address !== undefined) {
      // A full pipe would block later log lines.
      child.stderr.resume();
      const proxy = /msg="Proxy listening" address=(\S+)/.exec(log)?.[1];
      return { pid: child.pid ?? 0, origin: `http://${address}`, proxy: proxy && `http://${proxy}`, stop };
    }
  }
  throw new Error(`${args.join(' ')} exited: ${log}`);
}

/**
 * Starts a script of this folder that replies to each message with one message.
 *
 * @param {string} script
 * @param {string[]} args
 */
export function startHelper(script, ...args) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = fork(path, args, { serialization: 'advanced' });
  // The reason for a failure is already on stderr.
  void exitOf(child).then((code) => code !== 0 && process.exit(1));
  /** @param {object} message */
  const send = async (message) => {
    child.send(message);
    const [reply] = await once(child, 'message');
    return reply;
  };
  return { send, end: () => child.disconnect() };
}

/**
 * @param {number} pid
 * @returns {number} seconds in user and kernel mode, of all threads
 */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // proc(5): the command's name, in parentheses, may contain spaces; the third field follows it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // In hundredths of a second (USER_HZ), whatever the kernel's own tick is.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resets VmHWM to the current memory, see proc(5). @param {number} pid */
export function resetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** @type {(pid: number, field?: 'VmRSS' | 'VmHWM') => number} VmHWM is the peak */
export function rssMiB(pid, field = 'VmRSS') {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
}
