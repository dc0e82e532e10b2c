/** One request on its way to Ollama, and the answer on its way back: each piece goes on as it comes. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import { type ResponseHead, responseHead } from './head.ts';
import type { Ending } from './outcome.ts';
import type { UsageFilter } from './usage-filter.ts';

/** What is told of an exchange as it goes. None of them throws. */
export interface Watcher {
  readonly onHead: (status: number, head: Pick<ResponseHead, 'contentType' | 'isEncoded'>) => void;
  readonly onData: (chunk: Buffer) => void;
  /** Once, and last of all. */
  readonly onEnd: (ending: Ending) => void;
}

export interface ExchangeOptions {
  readonly response: ServerResponse;
  readonly watcher: Watcher;
  /** What is to be taken out of an answer; undefined for nothing. */
  readonly filterFor: (status: number, head: ResponseHead) => UsageFilter | undefined;
  /** Called where no answer has come, and none will. */
  readonly onUnreachable: (error: Error) => void;
  /** Called where the connection has failed before a byte of an answer. @returns whether the request was sent again */
  readonly sendAgain: (error: Error) => boolean;
}

const NOTHING = Buffer.alloc(0);

const CLIENT_GONE = new Error('the client has closed its connection');

/** The handler of undici for one request. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  #controller: Dispatcher.DispatchController | undefined;
  #clientGone = false;
  #over = false;
  #hasLength = false;
  #filter: UsageFilter | undefined;
  /** Whether a byte of an answer has come. */
  #responded = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { response } = options;
    // Of the response: that of the request comes after each body.
    response.once('close', () => {
      if (!response.writableFinished) {
        this.#clientGone = true;
        // Before it has a connection, there is nothing to abort yet.
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
    const { response, watcher, filterFor } = this.#options;
    const head = responseHead(latin1(controller.rawHeaders));
    this.#hasLength = head.hasLength;
    this.#filter = filterFor(status, head);
    response.sendDate = false;
    response.writeHead(status, isSendable(reason) ? reason : (STATUS_CODES[status] ?? ''), head.headers);
    // The way to send the head alone that leaves each byte of it as it is.
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
    if (response.headersSent) {
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

/** Lets what was received go out, and ends the connection without the end of the message. */
function cut(response: ServerResponse, hasLength: boolean): void {
  const { socket } = response;
  if (socket === null) {
    response.destroy();
    return;
  }
  if (hasLength || response.chunkedEncoding) {
    socket.destroySoon();
    return;
  }
  // To a client of HTTP/1.0, a connection that is closed is the end of the message; one that is reset is not.
  socket.write('', () => (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()));
}

/** What Node.js takes: undici has decoded it as UTF-8. */
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
