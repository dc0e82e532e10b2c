/** Turns what a client showed in its TLS handshake into whether it may go on. */
import { canonicalIp } from './ip-address.ts';
import { subjectAltNames } from './subject-alt-names.ts';
import type { TlsConfig } from './tls-config.ts';

export type ClientPolicy = Pick<TlsConfig, 'clientAuth' | 'clientAllowedSans'>;

export interface ClientCertificate {
  /** As Node.js writes them; undefined where it has none. */
  readonly subjectAltName: string | undefined;
  /** undefined: signed by one of the authorities, within its time, and meant for clients. */
  readonly problem: string | undefined;
}

export function asksForCertificate({ clientAuth }: ClientPolicy): boolean {
  return clientAuth !== 'NoClientCert';
}

/** @returns why the client may not go on; undefined: it may */
export function refusal(
  { clientAuth, clientAllowedSans }: ClientPolicy,
  certificate: ClientCertificate | undefined,
): string | undefined {
  if (clientAuth === 'NoClientCert' || clientAuth === 'RequestClientCert') {
    return undefined;
  }
  if (certificate === undefined) {
    return clientAuth === 'VerifyClientCertIfGiven' ? undefined : 'the client showed no certificate';
  }
  if (clientAuth !== 'RequireAnyClientCert' && certificate.problem !== undefined) {
    return `the certificate of the client is not to be trusted: ${certificate.problem}`;
  }
  return clientAllowedSans === undefined || hasOneOf(clientAllowedSans, certificate)
    ? undefined
    : 'the certificate of the client has none of client_allowed_sans';
}

function hasOneOf(allowed: readonly string[], { subjectAltName }: ClientCertificate): boolean {
  const names = new Set(subjectAltNames(subjectAltName ?? '').map(comparable));
  return allowed.some((name) => names.has(comparable(name)));
}

/** Exactly as written, but for IP addresses, which can be written in more ways than one. */
function comparable(name: string): string {
  return canonicalIp(name) ?? name;
}
