/** Turns a web configuration file, as all exporters of Prometheus take it, into what it means. */
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { mapping, namedEntries, parseBoolean, parsedBy, readYaml, text } from '../config/yaml.ts';
import { parsePasswordHash } from './password-hash.ts';
import { RATE_LIMIT_SECTION, type RateLimit } from './rate-limit.ts';
import { parseHeaders } from './response-headers.ts';
import { type TlsConfig, tlsSection } from './tls-config.ts';

export interface WebConfig {
  /** undefined: plain HTTP. */
  readonly tls: TlsConfig | undefined;
  /** What the file says; undefined: nothing, which in Go means yes. */
  readonly http2: boolean | undefined;
  /** To be set on every response. */
  readonly headers: ReadonlyMap<string, string>;
  /** From name to bcrypt hash; where there is none, nobody is asked for a password. */
  readonly users: ReadonlyMap<string, string>;
  readonly rateLimit: RateLimit;
}

/**
 * Files that it names are not read.
 *
 * @throws FileError
 */
export function readWebConfig(file: string): WebConfig {
  const config = readYaml(file, webConfigSchema(dirname(resolve(file))));
  return {
    tls: config.tls_server_config,
    http2: config.http_server_config?.http2,
    headers: config.http_server_config?.headers ?? new Map(),
    users: new Map(Object.entries(config.basic_auth_users ?? {})),
    rateLimit: config.rate_limit ?? { intervalMs: 0, burst: 0 },
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
    rate_limit: v.optional(RATE_LIMIT_SECTION),
  });
}
