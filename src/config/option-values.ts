/** Parsers of the option values: each throws an Error that states what was expected. */
import { parseOllamaHost } from '../ollama/host.ts';
import { parseByteSize } from './byte-size.ts';

/** undefined for `none`. */
export function parseOllamaUrl(text: string): URL | undefined {
  return text.trim().toLowerCase() === 'none' ? undefined : parseOllamaHost(text);
}

/** Bytes, `auto`, or undefined if not set. */
export function parseCapacity(text: string): number | 'auto' | undefined {
  if (text === '') {
    return undefined;
  }
  return text === 'auto' ? text : parseByteSize(text);
}

/** undefined if not set. */
export function parseFile(text: string): string | undefined {
  return text || undefined;
}

/** undefined if not set. Every visitor of the page sees it, so it must not contain a password. */
export function parseLink(text: string): URL | undefined {
  if (text === '') {
    return undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error('expected a URL such as https://grafana.example.org/d/ollama');
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('expected a URL without user and password, since the page shows it');
  }
  return url;
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new Error('expected a whole number such as 40');
  }
  return Number(text);
}

export function parseSeconds(text: string): number {
  if (!/^(\d+\.?\d*|\.\d+)$/.test(text)) {
    throw new Error('expected a number of seconds such as 0.5');
  }
  return Number(text);
}

/** Fixed segments only: in a route `:` and `*` are patterns, browsers remove dot segments, some paths are reserved. */
export function parseTelemetryPath(text: string): string {
  if (
    !/^\/$|^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+\/?$/.test(text) ||
    /^\/(-(\/.*)?|(probe|config|api\/(status|fleet))\/?)$/.test(text)
  ) {
    throw new Error(
      'expected a path such as /metrics, of letters, digits and ._~/-, not below /-/ and not /probe, /config, /api/status or /api/fleet',
    );
  }
  return text;
}

export function parseSwitch(text: string): boolean {
  return oneOf(['true', 'false'], text) === 'true';
}

/** In upper or lower case, since other programs use `INFO` or `True`. */
export function oneOf<T extends string>(allowed: readonly T[], text: string): T {
  const found = allowed.find((value) => value === text.toLowerCase());
  if (found === undefined) {
    throw new Error(`expected one of ${allowed.join(', ')}`);
  }
  return found;
}
