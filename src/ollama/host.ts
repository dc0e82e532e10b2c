/** Parses `--ollama.url` or `OLLAMA_HOST` into the base URL of an Ollama server. */
import { isIP, isIPv6 } from 'node:net';

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ['http', '80'],
  ['https', '443'],
]);

/** Addresses at which a server bound to all addresses can be reached from its own machine. */
const LOOPBACK_FOR: ReadonlyMap<string, string> = new Map([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** RFC 3986 reg-name as used by DNS, Docker and mDNS; Unicode names become punycode in `URL`. */
const HOST_NAME = /^[\p{L}\p{N}._-]+$/u;

/** RFC 1035, 2.3.4, as text: the name without the final dot, and each label. */
const MAX_HOST_NAME = 253;
const MAX_LABEL = 63;

const NOT_A_HOST = 'that is not a host name or an IP address';

/**
 * Parses a server address by Ollama's own rules (envconfig/config.go:20-60): no scheme means http and port 11434, an
 * explicit `http://` means port 80, an invalid port falls back to the default. In addition, a client needs an address
 * that it can connect to: an empty or unspecified host means loopback.
 *
 * @returns the base URL; its path is the prefix of `/api/…`, without a trailing slash unless it is `/`
 * @throws Error with the problem, without repeating the text (it may contain a password)
 */
export function parseOllamaHost(text: string): URL {
  const trimmed = trim(text.trim(), '"\'').trim();
  if (trimmed.includes('@')) {
    throw new Error('user info (user:password@) is not supported');
  }
  if (/[?#]/.test(trimmed)) {
    throw new Error('a query or fragment has no meaning here');
  }
  const { scheme, rest, defaultPort } = splitScheme(trimmed);
  const slash = rest.indexOf('/');
  const hostport = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? '' : trim(rest.slice(slash), '/');
  const { host, port } = splitHostPort(hostport, defaultPort);
  const name = connectableHost(host);
  const url = `${scheme}://${isIPv6(name) ? `[${name}]` : name}:${port}/${path}`;
  if (!URL.canParse(url)) {
    throw new Error(NOT_A_HOST);
  }
  const parsed = new URL(url);
  if (isTooLong(parsed.hostname)) {
    throw new Error(NOT_A_HOST);
  }
  return parsed;
}

function isTooLong(host: string): boolean {
  const name = host.replace(/\.$/, '');
  return name.length > MAX_HOST_NAME || name.split('.').some((label) => label.length > MAX_LABEL);
}

/** Go's strings.Trim. A regular expression anchored at the end takes quadratic time, since it tries each position. */
function trim(text: string, cutset: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && cutset.includes(text.charAt(start))) {
    start += 1;
  }
  while (end > start && cutset.includes(text.charAt(end - 1))) {
    end -= 1;
  }
  return text.slice(start, end);
}

/** `port 80, as the URL has a scheme and no other port; Ollama's is 11434`; undefined if the URL names a port. */
export function impliedPort({ port, protocol }: URL): string | undefined {
  const implied = DEFAULT_PORTS.get(protocol.replace(':', ''));
  return port === ''
    ? `port ${implied}, as the URL has a scheme and no other port; Ollama's is 11434`
    : undefined;
}

function splitScheme(text: string): { scheme: string; rest: string; defaultPort: string } {
  const at = text.indexOf('://');
  if (at === -1) {
    return text === 'ollama.com'
      ? { scheme: 'https', rest: text, defaultPort: '443' }
      : { scheme: 'http', rest: text, defaultPort: '11434' };
  }
  const scheme = text.slice(0, at);
  const defaultPort = DEFAULT_PORTS.get(scheme);
  if (defaultPort === undefined) {
    throw new Error(`scheme ${JSON.stringify(scheme)} is not supported, use http or https (in lower case)`);
  }
  return { scheme, rest: text.slice(at + 3), defaultPort };
}

function splitHostPort(hostport: string, defaultPort: string): { host: string; port: string } {
  const split = goSplitHostPort(hostport);
  if (split === undefined) {
    const bare = trim(hostport, '[]');
    return { host: isIP(bare) > 0 ? bare : hostport, port: defaultPort };
  }
  return { host: split.host, port: validPort(split.port) ?? defaultPort };
}

/** Go's net.SplitHostPort; undefined if Go returns an error. */
function goSplitHostPort(hostport: string): { host: string; port: string } | undefined {
  const bracketed = /^\[([^[\]]*)\]:([^:[\]]*)$/.exec(hostport);
  const plain = /^([^:[\]]*):([^:[\]]*)$/.exec(hostport);
  const [, host, port] = bracketed ?? plain ?? [];
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Go's strconv.ParseInt in base 10, within 0..65535; undefined for anything else. */
function validPort(text: string): string | undefined {
  const port = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return port >= 0 && port <= 65535 ? String(port + 0) : undefined;
}

function connectableHost(host: string): string {
  const [address = '', zone] = host.split('%', 2);
  if (isIPv6(address) && zone !== undefined) {
    throw new Error('IPv6 zones (%eth0) are not supported, use a name or a global address');
  }
  const canonical = isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
  const name = LOOPBACK_FOR.get(canonical) ?? embeddedIPv4(canonical) ?? canonical;
  // `URL` takes quadratic time to convert a long name to punycode.
  if (isIP(name) === 0 && (name.length > MAX_HOST_NAME + 1 || !HOST_NAME.test(name))) {
    throw new Error(NOT_A_HOST);
  }
  return name;
}

/** Go prints an IPv4-mapped IPv6 address (`::ffff:1.2.3.4`, canonically `::ffff:102:304`) as its IPv4. */
function embeddedIPv4(address: string): string | undefined {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) {
    return undefined;
  }
  const bytes = [high, low].flatMap((half) => {
    const word = Number.parseInt(half, 16);
    return [word >> 8, word & 255];
  });
  return bytes.join('.');
}
