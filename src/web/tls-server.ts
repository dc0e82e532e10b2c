/** An https server that follows changes of its TLS settings from one handshake to the next. */
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { Server } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type ClientCertificate, refusal, requestsCertificate } from './client-certificates.ts';
import { addressOf } from './clients.ts';
import type { FailedHandshake } from './handshake-log.ts';
import type { TlsSettings } from './settings.ts';

/** For clients that connect and send nothing. Node.js would wait for two minutes. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The response of Go's net/http, with its version of HTTP. */
const TO_PLAIN_HTTP = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

/** OpenSSL reports GET, HEAD, POST and PUT as the first, CONNECT as the second, and other methods as the last one. */
const NOT_TLS: readonly unknown[] = [
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
];

export interface TlsServerDependencies {
  /** The current settings; either all or none of them request client certificates. Called at each handshake. */
  readonly settings: () => TlsSettings;
  readonly onFailedHandshake: (failed: FailedHandshake) => void;
  readonly handshakeTimeoutMs?: number | undefined;
}

export class TlsServer extends Server<typeof IncomingMessage, typeof ServerResponse> {
  readonly #settings: () => TlsSettings;
  readonly #onFailedHandshake: (failed: FailedHandshake) => void;
  /** By the addresses of both ends, since the events of Node.js have only the TLS socket on top. */
  readonly #handshakes = new Map<string, Socket>();
  /** The settings under which each connection was accepted. */
  readonly #accepted = new WeakMap<Socket, TlsSettings>();
  #applied: TlsSettings;

  constructor(options: ServerOptions, dependencies: TlsServerDependencies) {
    const { settings, onFailedHandshake, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = dependencies;
    const applied = settings();
    super({
      ...options,
      ...applied.options,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: requestsCertificate(applied.config),
      // Clients are rejected in one place, by the current policy.
      rejectUnauthorized: false,
    });
    this.#settings = settings;
    this.#onFailedHandshake = onFailedHandshake;
    this.#applied = applied;
    this.prependListener('connection', (socket) => this.#beforeHandshake(socket));
    this.prependListener('secureConnection', (socket) => this.#afterHandshake(socket));
    this.prependListener('tlsClientError', (error, socket) => this.#afterFailure(error, socket));
  }

  /** Including those in a handshake, which Node.js keeps open. */
  override closeAllConnections(): void {
    super.closeAllConnections();
    const sockets = [...this.#handshakes.values()];
    this.#handshakes.clear();
    for (const socket of sockets) {
      socket.destroy();
    }
  }

  /** Whether the accepted clients are the same as when this connection was accepted. */
  isStillAllowed(socket: Socket): boolean {
    return this.#accepted.get(socket)?.clients === this.#settings().clients;
  }

  #beforeHandshake(socket: Duplex): void {
    if (socket instanceof Socket) {
      this.#follow(socket);
    }
    const settings = this.#settings();
    if (settings !== this.#applied) {
      this.setSecureContext(settings.options);
      this.#applied = settings;
    }
  }

  #follow(socket: Socket): void {
    const addresses = addressesOf(socket);
    this.#handshakes.set(addresses, socket);
    socket.once('close', () => {
      if (this.#handshakes.get(addresses) === socket) {
        this.#handshakes.delete(addresses);
        this.#report(socket, 'the client closed the connection');
      }
    });
  }

  #afterHandshake(socket: TLSSocket): void {
    this.#handshakes.delete(addressesOf(socket));
    const settings = this.#settings();
    this.#accepted.set(socket, settings);
    const reason = refusal(settings.config, certificateOf(socket));
    if (reason !== undefined) {
      this.#onFailedHandshake({ client: addressOf(socket.remoteAddress), err: reason, silent: false });
      socket.destroy();
    }
  }

  /** Before Node.js closes the connection. */
  #afterFailure(error: NodeJS.ErrnoException, tls: TLSSocket): void {
    const addresses = addressesOf(tls);
    const socket = this.#handshakes.get(addresses);
    if (socket === undefined) {
      return; // It is already closed and reported.
    }
    this.#handshakes.delete(addresses);
    if (NOT_TLS.includes(error.code)) {
      socket.write(TO_PLAIN_HTTP);
      this.#report(socket, 'the client does not speak TLS: does its URL begin with https://?');
    } else {
      this.#report(socket, 'reason' in error ? String(error.reason) : error.message);
    }
  }

  #report({ remoteAddress, bytesRead }: Socket, err: string): void {
    this.#onFailedHandshake({ client: addressOf(remoteAddress), err, silent: bytesRead === 0 });
  }
}

function addressesOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  return (
    certificate && {
      subjectAltName: certificate.subjectAltName,
      problem: socket.authorized ? undefined : String(socket.authorizationError),
    }
  );
}
