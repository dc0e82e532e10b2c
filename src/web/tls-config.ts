/** The section `tls_server_config` of the web configuration file. */
import { resolve } from 'node:path';
import type { SecureVersion } from 'node:tls';
import * as v from 'valibot';
import { list, mapping, parseBoolean, parsedBy, text } from '../config/yaml.ts';
import { isNewer, parseCipher, parseCurve, parseVersion } from './tls-names.ts';

/** PEM: the text itself, or the file that contains it. */
export type Pem = { readonly text: string } | { readonly file: string };

const CLIENT_AUTHS = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;
/** As in Go's tls.ClientAuthType. */
export type ClientAuth = (typeof CLIENT_AUTHS)[number];

export interface TlsConfig {
  readonly cert: Pem;
  readonly key: Pem;
  /** The CAs of client certificates; undefined: the CAs that Node.js trusts. */
  readonly clientCa: Pem | undefined;
  readonly clientAuth: ClientAuth;
  /** The client's certificate must have one of these names; undefined does not restrict them. */
  readonly clientAllowedSans: readonly string[] | undefined;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** With OpenSSL's names; undefined: the defaults of Node.js. */
  readonly ciphers: readonly string[] | undefined;
  readonly preferServerCiphers: boolean;
  /** With OpenSSL's names; undefined: the defaults of Node.js. */
  readonly curves: readonly string[] | undefined;
}

/**
 * The rules and their messages are those of prometheus/exporter-toolkit (web/tls_config.go).
 *
 * @param folder for relative paths
 * @returns a schema whose output is undefined if the section does not enable TLS
 */
export function tlsSection(folder: string) {
  return v.pipe(section(folder), parsedBy(toTlsConfig));
}

type Section = v.InferOutput<ReturnType<typeof section>>;

function section(folder: string) {
  const plain = v.optional(text(String));
  const path = v.optional(text((name) => resolve(folder, name)));
  return mapping({
    cert: plain,
    cert_file: path,
    key: plain,
    key_file: path,
    client_ca: plain,
    client_ca_file: path,
    client_auth_type: v.optional(text(parseClientAuth)),
    client_allowed_sans: v.optional(list(text(String))),
    min_version: v.optional(text(parseVersion), 'TLS12'),
    max_version: v.optional(text(parseVersion), 'TLS13'),
    cipher_suites: v.optional(list(text(parseCipher))),
    prefer_server_cipher_suites: v.optional(text(parseBoolean), 'true'),
    curve_preferences: v.optional(list(text(parseCurve))),
  });
}

function toTlsConfig(section: Section): TlsConfig | undefined {
  const cert = pem(section.cert_file, section.cert);
  const key = pem(section.key_file, section.key);
  const clientCa = pem(section.client_ca_file, section.client_ca);
  if ([cert, key, clientCa, section.client_auth_type].every((part) => part === undefined)) {
    return undefined;
  }
  if (cert === undefined) {
    throw new Error('missing one of cert or cert_file');
  }
  if (key === undefined) {
    throw new Error('missing one of key or key_file');
  }
  const config = {
    cert,
    key,
    clientCa,
    clientAuth: section.client_auth_type ?? 'NoClientCert',
    clientAllowedSans: section.client_allowed_sans,
    minVersion: section.min_version,
    maxVersion: section.max_version,
    ciphers: unlessEmpty(section.cipher_suites),
    preferServerCiphers: section.prefer_server_cipher_suites,
    curves: unlessEmpty(section.curve_preferences),
  };
  checkVersions(config);
  checkClientAuth(config);
  return config;
}

function checkVersions({ minVersion, maxVersion }: TlsConfig): void {
  if (isNewer(minVersion, maxVersion)) {
    throw new Error('min_version is newer than max_version, so that no client could connect');
  }
}

function checkClientAuth({ clientAuth, clientCa, clientAllowedSans }: TlsConfig): void {
  if (clientCa !== undefined && clientAuth === 'NoClientCert') {
    throw new Error("client CA's have been configured without a Client Auth Policy");
  }
  if (clientAllowedSans !== undefined && !/^RequireAny|^RequireAndVerify/.test(clientAuth)) {
    throw new Error(
      'client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or RequireAndVerifyClientCert',
    );
  }
}

/** The file has priority over the text. */
function pem(file: string | undefined, inline: string | undefined): Pem | undefined {
  if (file !== undefined) {
    return { file };
  }
  return inline === undefined ? undefined : { text: inline };
}

function unlessEmpty(names: readonly string[] | undefined): readonly string[] | undefined {
  return names?.length === 0 ? undefined : names;
}

function parseClientAuth(name: string): ClientAuth {
  // The mistaken former name of RequireAnyClientCert.
  const wanted = name === 'RequireClientCert' ? 'RequireAnyClientCert' : name;
  const clientAuth = CLIENT_AUTHS.find((known) => known === wanted);
  if (clientAuth === undefined) {
    throw new Error(`invalid ClientAuth: ${name}`);
  }
  return clientAuth;
}
