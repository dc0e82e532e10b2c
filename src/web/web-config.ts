/** Reads a web configuration file in the format shared by all exporters of the Prometheus organisation. */
import { validateHeaderValue } from 'node:http';
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { parseGoDuration } from '../config/go-duration.ts';
import { mapping, namedEntries, parseBoolean, parsedBy, readYaml, text } from '../config/yaml.ts';
import { type TlsConfig, tlsSection } from './tls-config.ts';

export interface WebConfig {
  /** undefined: plain HTTP. */
  readonly tls: TlsConfig | undefined;
  /** undefined: not in the file, which in Go means yes. */
  readonly http2: boolean | undefined;
  /** Set on every response. */
  readonly headers: ReadonlyMap<string, string>;
  /** From name to bcrypt hash; if empty, no password is required. */
  readonly users: ReadonlyMap<string, string>;
  readonly rateLimit: RateLimit;
}

export interface RateLimit {
  /** Between two tokens; 0: no limit. */
  readonly intervalMs: number;
  /** Maximum number of tokens; with 0 nothing ever passes. */
  readonly burst: number;
}

/**
 * Does not read the files that it names.
 *
 * @throws FileError
 */
export function readWebConfig(file: string): WebConfig {
  const config = readYaml(file, webConfigSchema(dirname(resolve(file))));
  const { interval = 0, burst = 0 } = config.rate_limit ?? {};
  return {
    tls: config.tls_server_config,
    http2: config.http_server_config?.http2,
    headers: config.http_server_config?.headers ?? new Map(),
    users: new Map(Object.entries(config.basic_auth_users ?? {})),
    rateLimit: { intervalMs: interval, burst },
  };
}

function webConfigSchema(folder: string) {
  return mapping({
    tls_server_config: v.optional(tlsSection(folder)),
    http_server_config: v.optional(
      mapping({
        http2: v.optional(text(parseBoolean)),
        headers: v.optional(v.pipe(namedEntries(text(String)), parsedBy(parseHeaders))),
      }),
    ),
    basic_auth_users: v.optional(namedEntries(text(parsePasswordHash))),
    rate_limit: v.optional(
      mapping({ interval: v.optional(text(parseInterval)), burst: v.optional(text(parseBurst)) }),
    ),
  });
}

/** The supported headers, spelled like this, and if not every value is allowed, the allowed values. */
const HEADERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Strict-Transport-Security', []],
  ['X-Content-Type-Options', ['nosniff']],
  ['X-Frame-Options', ['deny', 'sameorigin']],
  ['X-XSS-Protection', []],
  ['Content-Security-Policy', []],
]);

/** @throws Error with the message of prometheus/exporter-toolkit (web/handler.go) */
function parseHeaders(entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const headers = new Map(Object.entries(entries));
  for (const [name, value] of headers) {
    checkHeader(name, value);
  }
  return headers;
}

function checkHeader(name: string, value: string): void {
  const values = HEADERS.get(name);
  if (values === undefined) {
    throw new Error(`HTTP header ${JSON.stringify(name)} can not be configured`);
  }
  if (values.length > 0 && !values.includes(value)) {
    const expected = values.map((one) => JSON.stringify(one)).join(' ');
    throw new Error(
      `invalid value for ${name}. Expected one of: [${expected}], but got: ${JSON.stringify(value)}`,
    );
  }
  // Go would send a modified one; Node.js would throw at every request.
  validateHeaderValue(name, value);
}

/** Version, cost, 22 characters of salt and 31 of hash. */
const HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** The costs of htpasswd 5 and Go 10; at 16 a check takes several seconds, and each step doubles it. */
const [MIN_COST, MAX_COST] = [4, 16];

/**
 * Its messages never quote the hash, or a text in its place, which may be a password.
 *
 * @returns the hash, unchanged
 * @throws Error that states how to create one
 */
function parsePasswordHash(text: string): string {
  const [, cost] = HASH.exec(text) ?? [];
  if (cost === undefined) {
    throw new Error(
      'not a bcrypt hash: make one with htpasswd -nBC 10 USER, and write what follows the colon',
    );
  }
  if (Number(cost) < MIN_COST || Number(cost) > MAX_COST) {
    throw new Error(`cost ${Number(cost)} is outside allowed inclusive range ${MIN_COST}..${MAX_COST}`);
  }
  return text;
}

/** Go's 0 needs no unit, and parseGoDuration rejects a duration of 0. */
function parseInterval(duration: string): number {
  return /^0+(\.0*)?(ns|us|µs|ms|s|m|h)?$/.test(duration) ? 0 : parseGoDuration(duration);
}

function parseBurst(count: string): number {
  if (!/^\d{1,9}$/.test(count)) {
    throw new Error('expected a whole number of 0 or more');
  }
  return Number(count);
}
