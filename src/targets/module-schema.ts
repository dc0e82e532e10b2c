/** The schema of `--config.file`; names follow Prometheus's http_client_config. */
import { validateHeaderName } from 'node:http';
import * as v from 'valibot';
import { parseByteSize } from '../config/byte-size.ts';
import { parseGoDuration } from '../config/go-duration.ts';
import { list, mapping, namedEntries, parseBoolean, text } from '../config/yaml.ts';
import { COLLECTORS, type Collector } from '../scrape/snapshot.ts';
import { parseAllowEntry } from './allow-list.ts';
import { checkCredentials, checkHeaderText } from './credentials.ts';

/** Set by HTTP itself, or by a key of the file; they must not be set twice. */
const RESERVED_HEADERS: ReadonlyMap<string, string> = new Map([
  ['authorization', 'use authorization or basic_auth'],
  ...[
    'accept',
    'accept-encoding',
    'connection',
    'content-length',
    'expect',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ].map((name) => [name, 'it is set by the exporter'] as const),
]);

const AUTHORIZATION = v.pipe(
  mapping({
    type: v.optional(text(parseAuthorizationType), 'Bearer'),
    credentials: v.optional(text(checkCredentials)),
    credentials_file: v.optional(text(String)),
  }),
  v.check(
    ({ credentials, credentials_file }) => (credentials === undefined) !== (credentials_file === undefined),
    'expected one of credentials and credentials_file',
  ),
);

const BASIC_AUTH = v.pipe(
  mapping({
    username: text(parseUsername),
    password: v.optional(text(String)),
    password_file: v.optional(text(String)),
  }),
  v.check(
    ({ password, password_file }) => password === undefined || password_file === undefined,
    'at most one of password and password_file can be given',
  ),
);

const TLS_CONFIG = v.pipe(
  mapping({
    ca_file: v.optional(text(String)),
    cert_file: v.optional(text(String)),
    key_file: v.optional(text(String)),
    server_name: v.optional(text(String)),
    insecure_skip_verify: v.optional(text(parseBoolean), 'false'),
  }),
  v.check(
    ({ cert_file, key_file }) => (cert_file === undefined) === (key_file === undefined),
    'cert_file and key_file go together',
  ),
);

const MODULE = v.pipe(
  mapping({
    allow: v.optional(list(text(parseAllowEntry))),
    timeout: v.optional(text(parseGoDuration)),
    vram_capacity: v.optional(text(parseCapacity)),
    memory_capacity: v.optional(text(parseCapacity)),
    collectors: v.optional(
      v.pipe(
        list(text(parseCollector)),
        v.check(
          (collectors) => collectors.includes('ps') || collectors.includes('version'),
          'expected ps or version among them, which ollama_up comes from',
        ),
      ),
    ),
    headers: v.optional(v.pipe(namedEntries(text(checkHeaderText)), v.rawCheck(checkHeaderNames))),
    authorization: v.optional(AUTHORIZATION),
    basic_auth: v.optional(BASIC_AUTH),
    tls_config: v.optional(TLS_CONFIG),
  }),
  v.check(
    ({ authorization, basic_auth }) => authorization === undefined || basic_auth === undefined,
    'at most one of authorization and basic_auth can be given',
  ),
);

export const CONFIG_FILE = mapping({ modules: namedEntries(MODULE) });

/** The settings of a module, validated, with sizes in bytes and times in milliseconds. */
export type ModuleSettings = v.InferOutput<typeof MODULE>;

function parseCapacity(text: string): number {
  if (text === 'auto') {
    throw new Error(
      'auto is for the machine of the exporter (--ollama.vram-capacity): give a size such as 24GiB',
    );
  }
  return parseByteSize(text);
}

function parseCollector(text: string): Collector {
  const collector = COLLECTORS.find((name) => name === text);
  if (collector === undefined) {
    throw new Error(`expected one of ${COLLECTORS.join(', ')}`);
  }
  return collector;
}

/** As in Prometheus, which rejects it too. */
function parseAuthorizationType(text: string): string {
  if (text.toLowerCase() === 'basic') {
    throw new Error('type cannot be "basic", use basic_auth');
  }
  return checkHeaderText(text);
}

function parseUsername(text: string): string {
  if (text.includes(':')) {
    throw new Error('a user name cannot contain a colon (RFC 7617)');
  }
  return text;
}

function checkHeaderNames({ dataset, addIssue }: v.RawCheckContext<Readonly<Record<string, string>>>): void {
  if (!dataset.typed) {
    return;
  }
  const seen = new Set<string>();
  for (const name of Object.keys(dataset.value).map((written) => written.toLowerCase())) {
    const problem = headerNameProblem(name) ?? (seen.has(name) ? `${name} is given twice` : undefined);
    if (problem !== undefined) {
      addIssue({ message: problem });
    }
    seen.add(name);
  }
}

function headerNameProblem(name: string): string | undefined {
  try {
    validateHeaderName(name);
    const instead = RESERVED_HEADERS.get(name);
    return instead && `${name} cannot be set, ${instead}`;
  } catch {
    return 'an invalid header name cannot be set';
  }
}
