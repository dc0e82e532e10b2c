/** Compares passwords with bcrypt hashes in a worker thread, since a comparison would block scrapes. */
import { Worker } from 'node:worker_threads';

export interface BcryptThread {
  /** @throws Error if the thread ends before it responds; the next call starts a new one */
  readonly compare: (password: string, hash: string) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  /** In the order of their messages, in which the responses arrive. */
  readonly waiting: Array<{
    readonly resolve: (matches: boolean) => void;
    readonly reject: (error: Error) => void;
  }>;
}

const WORKER = new URL('./bcrypt-worker.js', import.meta.url);

/** The thread starts with the first call, and does not keep the process alive. */
export function bcryptThread(file: URL = WORKER): BcryptThread {
  let current: Thread | undefined;
  const started = () => {
    const thread = startThread(file);
    thread.worker.once('exit', () => {
      if (current === thread) {
        current = undefined;
      }
    });
    return thread;
  };
  return {
    compare: (password, hash) =>
      new Promise((resolve, reject) => {
        current ??= started();
        current.waiting.push({ resolve, reject });
        current.worker.postMessage({ password, hash });
      }),
    close: async () => {
      await current?.worker.terminate();
    },
  };
}

function startThread(file: URL): Thread {
  // Options for the process, such as those of a debugger, can prevent a thread from starting.
  const worker = new Worker(file, { execArgv: [] });
  const waiting: Thread['waiting'] = [];
  let cause: unknown;
  worker.on('message', (matches) => waiting.shift()?.resolve(matches === true));
  worker.on('error', (error) => {
    cause = error;
  });
  worker.on('exit', () => {
    for (const { reject } of waiting.splice(0)) {
      reject(new Error('the thread that checks passwords exited', { cause }));
    }
  });
  worker.unref();
  return { worker, waiting };
}
