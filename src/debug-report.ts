/** Turns one probe into a text for people: what was asked, what came back, the metrics, and by which rules. */
import type { Watch } from './ollama/connections.ts';
import { outcomes } from './scrape.ts';
import type { Scraped } from './scrape-request.ts';
import type { Target } from './targets.ts';

const SHOWN_BODY_BYTES = 2_048;

export interface ExchangeRecord {
  readonly watch: Watch;
  /** By path, what came back until now. */
  readonly exchanges: ReadonlyMap<string, { readonly status?: number; readonly body?: string }>;
}

export function recordExchanges(): ExchangeRecord {
  const exchanges = new Map<string, { readonly status?: number; readonly body?: string }>();
  return {
    watch: (path, progress) => exchanges.set(path, { ...exchanges.get(path), ...progress }),
    exchanges,
  };
}

/** @param secrets are replaced wherever they turn up: a server may repeat what it was sent */
export function debugReport(
  { url, module }: Target,
  { snapshot, budgetMs }: Scraped,
  { exchanges }: ExchangeRecord,
  metrics: string,
  secrets: readonly string[],
): string {
  const hide = hider(secrets);
  const results = outcomes(snapshot).map(([api, outcome]) => {
    const [path, { status, body }] = [...exchanges].find(([asked]) => asked.endsWith(`/api/${api}`)) ?? [
      '',
      {},
    ];
    const result = outcome.ok ? 'ok' : `failed: ${outcome.error.reason}: ${outcome.error.message}`;
    return `GET ${path}
  ${status === undefined ? 'no status' : `status ${status}`}, ${result}, after ${outcome.seconds.toFixed(6)} s
${body === undefined ? '  no body' : beginning(printable(hide(body)))}
`;
  });
  return hide(`Asked ${url.href} by module ${JSON.stringify(module.name)}, for at most ${budgetMs / 1_000} s.

${results.join('\n')}
Metrics that would have been returned:

${metrics}
Module configuration:

${module.shown}`);
}

function beginning(body: string): string {
  const bytes = Buffer.from(body);
  return bytes.length <= SHOWN_BODY_BYTES
    ? body
    : `${bytes.subarray(0, SHOWN_BODY_BYTES)}… (the first ${SHOWN_BODY_BYTES} of ${bytes.length} bytes)`;
}

/** A terminal must not act on what a stranger sends. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** Also as they look within JSON; the longest first, as one may be part of another. */
function hider(secrets: readonly string[]): (text: string) => string {
  const looks = secrets
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (text) => looks.reduce((hidden, secret) => hidden.replaceAll(secret, '<secret>'), text);
}
