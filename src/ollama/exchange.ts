/** One GET request over connections that are kept, and its answer as a whole. */
import type { Dispatcher } from 'undici';
import type { CancelSignal } from './cancellation.ts';

export interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: CancelSignal;
  /** Told the head of the answer; returns how many bytes of the body are wanted at most. */
  readonly onHead: (
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ) => number;
}

/**
 * Half of the work of undici's own `request()`, which makes a stream of each body.
 *
 * @returns the body, or its beginning where no more was wanted; the connection is then ended
 * @throws the signal's reason, at once; what undici says of a connection that fails; what `onHead` throws
 */
export function exchange(dispatcher: Dispatcher, request: Request): Promise<Buffer> {
  const { path, headers, signal } = request;
  return new Promise((resolve, reject) => {
    const collector = new Collector(request, resolve, reject);
    if (signal.aborted) {
      collector.cancel();
    } else {
      signal.addEventListener('abort', collector.cancel);
      dispatcher.dispatch({ method: 'GET', path, headers }, collector);
    }
  });
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #request: Request;
  readonly #resolve: (body: Buffer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #wanted = 0;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(request: Request, resolve: (body: Buffer) => void, reject: (error: unknown) => void) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** A request that still waits for its connection can't be taken back: it is stopped when it starts. */
  readonly cancel = (): void => {
    this.#settle(() => this.#reject(this.#request.signal.reason));
    this.#controller?.abort(new Error('cancelled'));
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) {
      controller.abort(new Error('cancelled'));
    }
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    this.#wanted = this.#request.onHead(status, headers);
    this.#stopWhenEnough(controller);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#wanted -= chunk.length;
    this.#stopWhenEnough(controller);
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    this.#settle(() =>
      this.#resolve(first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)),
    );
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  #stopWhenEnough(controller: Dispatcher.DispatchController): void {
    if (this.#wanted <= 0) {
      this.onResponseEnd();
      controller.abort(new Error('no more is wanted'));
    }
  }

  #settle(settle: () => void): void {
    if (!this.#settled) {
      this.#settled = true;
      this.#request.signal.removeEventListener('abort', this.cancel);
      settle();
    }
  }
}
