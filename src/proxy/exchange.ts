/** Passes one request on to Ollama and its response back, chunk by chunk. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import { errorCode } from '../ollama/errors.ts';
import { type ResponseHead, responseHead, withoutHeader } from './head.ts';
import type { Ending } from './outcome.ts';
import type { UsageFilter } from './usage-filter.ts';

/** Is notified about the progress of an exchange. The callbacks must not throw. */
export interface Watcher {
  readonly onHead: (status: number, head: Pick<ResponseHead, 'contentType' | 'isEncoded'>) => void;
  readonly onData: (chunk: Buffer) => void;
  /** Called once, last. */
  readonly onEnd: (ending: Ending) => void;
}

export interface ExchangeOptions {
  readonly response: ServerResponse;
  readonly watcher: Watcher;
  /** The filter for a response; undefined if it is not changed. */
  readonly filterFor: (status: number, head: ResponseHead) => UsageFilter | undefined;
  /** Called if there is no response and will be none. */
  readonly onUnreachable: (error: Error) => void;
  /** Called if the connection failed before the response. @returns whether the request was sent again */
  readonly sendAgain: (error: Error) => boolean;
}

const NOTHING = Buffer.alloc(0);

const CLIENT_GONE = new Error('the client has closed its connection');

/** The undici handler of one request. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  #controller: Dispatcher.DispatchController | undefined;
  #clientGone = false;
  #over = false;
  #hasLength = false;
  #hasBody = true;
  #filter: UsageFilter | undefined;
  /** Whether a byte of the response has arrived. */
  #responded = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { response } = options;
    // The event of the response, since that of the request is also emitted after each body.
    response.once('close', () => {
      if (!response.writableFinished) {
        this.#clientGone = true;
        // Before it has a connection, there is nothing to abort.
        this.#controller?.abort(CLIENT_GONE);
        this.#end('client_gone');
      }
    });
    response.on('drain', () => this.#controller?.resume());
    response.on('error', () => {});
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#clientGone) {
      controller.abort(CLIENT_GONE);
    }
  }

  onResponseStarted(): void {
    this.#responded = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    reason: string | undefined,
  ): void {
    if (status < 200) {
      return; // An interim response of a length that is not read past.
    }
    const { response, watcher, filterFor } = this.#options;
    const head = responseHead(latin1(controller.rawHeaders));
    this.#hasBody = status !== 204 && status !== 304;
    this.#hasLength = head.hasLength;
    this.#filter = filterFor(status, head);
    response.sendDate = false;
    const headers =
      mayHaveTrailers(response, head) && this.#hasBody
        ? head.headers
        : withoutHeader(head.headers, 'trailer');
    response.writeHead(status, isSendable(reason) ? reason : (STATUS_CODES[status] ?? ''), headers);
    // Sends the headers alone, without changing a byte.
    response.write(NOTHING);
    watcher.onHead(status, head);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#clientGone) {
      return;
    }
    const { response, watcher } = this.#options;
    const passed = this.#filter === undefined ? chunk : this.#filter.push(chunk);
    if (passed.length > 0 && !response.write(passed)) {
      controller.pause();
    }
    watcher.onData(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const { response } = this.#options;
    this.#sendHeldBack();
    const trailers = latin1(controller.rawTrailers);
    if (trailers.length > 0) {
      response.addTrailers(pairsOf(trailers));
    }
    response.end();
    this.#end('complete');
  }

  onResponseError(_controller: unknown, error: Error): void {
    const { response, onUnreachable, sendAgain } = this.#options;
    if (this.#clientGone) {
      return;
    }
    if (!this.#hasBody && errorCode(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      // undici expects the length that a 304 may have. It is that of another answer.
      response.end();
      this.#end('complete');
    } else if (response.headersSent) {
      this.#sendHeldBack();
      cut(response, this.#hasLength);
      this.#end('cut');
    } else if (this.#responded || !sendAgain(error)) {
      onUnreachable(error);
      this.#end('unreachable');
    }
  }

  #sendHeldBack(): void {
    const rest = this.#filter?.end();
    if (rest !== undefined && rest.length > 0) {
      this.#options.response.write(rest);
    }
  }

  #end(ending: Ending): void {
    if (!this.#over) {
      this.#over = true;
      this.#options.watcher.onEnd(ending);
    }
  }
}

/** Sends the received data, and closes the connection without completing the message. */
function cut(response: ServerResponse, hasLength: boolean): void {
  const { socket } = response;
  if (socket === null) {
    response.destroy();
    return;
  }
  if (hasLength || response.chunkedEncoding) {
    // From Node.js 26 on, chunks that are written in one turn of the event loop reach the socket at its end.
    setImmediate(() => socket.destroySoon());
    return;
  }
  // For an HTTP/1.0 client, a closed connection completes the message, and a reset one does not.
  socket.write('', () => (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()));
}

/** Otherwise Node.js rejects the header `Trailer`. */
function mayHaveTrailers({ req }: ServerResponse, { hasLength }: ResponseHead): boolean {
  return !hasLength && req.method !== 'HEAD' && req.httpVersion === '1.1';
}

/** The characters that Node.js accepts: undici has decoded the reason as UTF-8. */
function isSendable(reason: string | undefined): reason is string {
  return reason !== undefined && !/[^\t\x20-\x7e\x80-\xff]/.test(reason);
}

function latin1(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  return Array.isArray(raw)
    ? raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
    : [];
}

function pairsOf(raw: readonly string[]): Array<[string, string]> {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []));
}
