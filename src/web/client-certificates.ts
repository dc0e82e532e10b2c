/** Decides by a client's certificate whether its connection is accepted, as in Go's crypto/tls and exporter-toolkit. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { TlsConfig } from './tls-config.ts';

export type ClientPolicy = Pick<TlsConfig, 'clientAuth' | 'clientAllowedSans'>;

export interface ClientCertificate {
  /** In the format of Node.js; undefined if it has none. */
  readonly subjectAltName: string | undefined;
  /** undefined: signed by a trusted CA, not expired, and issued for clients. */
  readonly problem: string | undefined;
}

export function requestsCertificate({ clientAuth }: Pick<TlsConfig, 'clientAuth'>): boolean {
  return clientAuth !== 'NoClientCert';
}

/** @returns why the connection must be closed; undefined: it is accepted */
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

/** Exactly as written, except for IP addresses, which can be written in several ways. */
function comparable(name: string): string {
  const [address = ''] = name.split('%');
  if (!isIPv4(name) && !isIPv6(address)) {
    return name;
  }
  // ipaddr.js reads the obsolete ::192.0.2.1 as ::ffff:192.0.2.1, which is another address.
  return ipaddr.process(address.replace(/^::(?=\d+\.)/, '0::')).toString();
}

/** Node.js quotes a name as JSON if it has a character that could be taken for another name (CVE-2021-44532). */
const NAME = /([^:",]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** The kinds that Go compares; the others (`DirName`, `othername`, …) have no text of their own. */
const KINDS: ReadonlySet<string> = new Set(['DNS', 'email', 'IP Address', 'URI']);

/**
 * @param text as in `X509Certificate.subjectAltName`
 * @returns no names if any part of the text can't be parsed
 */
export function subjectAltNames(text: string): readonly string[] {
  const names: string[] = [];
  const pattern = new RegExp(NAME);
  while (pattern.lastIndex < text.length) {
    const [, kind = '', written = ''] = pattern.exec(text) ?? [];
    const name = unquoted(written);
    if (kind === '' || name === undefined) {
      return [];
    }
    if (KINDS.has(kind)) {
      names.push(name);
    }
  }
  return names;
}

function unquoted(written: string): string | undefined {
  if (!written.startsWith('"')) {
    return written;
  }
  try {
    return String(JSON.parse(written));
  } catch {
    return undefined;
  }
}
