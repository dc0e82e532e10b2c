/** An https server that follows changes of its TLS settings from one handshake to the next. */
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { asksForCertificate, type ClientCertificate, refusal } from './client-certificates.ts';
import type { TlsSettings } from './settings.ts';

/** For clients that connect and send nothing. Node.js would wait for two minutes. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export class TlsServer extends Server<typeof IncomingMessage, typeof ServerResponse> {
  readonly #current: () => TlsSettings;
  readonly #log: Logger;
  /** Including those in their handshake, which closeAllConnections of Node.js leaves open. */
  readonly #connections = new Set<Duplex>();
  #applied: TlsSettings;

  /** @param current the settings as of now, all of which ask for client certificates, or none; called at each handshake */
  constructor(options: ServerOptions, current: () => TlsSettings, log: Logger) {
    const settings = current();
    super({
      ...options,
      ...settings.options,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: asksForCertificate(settings.config),
      // Clients are refused in one place, by the policy of the moment.
      rejectUnauthorized: false,
    });
    this.#current = current;
    this.#log = log;
    this.#applied = settings;
    this.prependListener('connection', (socket) => this.#beforeHandshake(socket));
    this.prependListener('secureConnection', (socket) => this.#afterHandshake(socket));
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    for (const socket of this.#connections) {
      socket.destroy();
    }
  }

  #beforeHandshake(socket: Duplex): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    const settings = this.#current();
    if (settings !== this.#applied) {
      this.setSecureContext(settings.options);
      this.#applied = settings;
    }
  }

  #afterHandshake(socket: TLSSocket): void {
    const reason = refusal(this.#current().config, certificateOf(socket));
    if (reason !== undefined) {
      this.#log.warn({ client: socket.remoteAddress, reason }, 'Refused a connection');
      socket.destroy();
    }
  }
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
