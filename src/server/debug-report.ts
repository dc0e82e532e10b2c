/** Turns one probe into a text for people: what was asked, what came back, the metrics, and by which rules. */

import type { Progress, Watch } from '../ollama/connections.ts';
import { outcomes } from '../scrape/snapshot.ts';
import type { Target } from '../targets/targets.ts';
import { secretHider } from './hidden-secrets.ts';
import type { Scraped } from './scrape-request.ts';

const SHOWN_BODY_BYTES = 2_048;

/** The values of labels, which are all that a server has a say in. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;

export interface ExchangeRecord {
  readonly watch: Watch;
  /** By path, what came of it until now. */
  readonly exchanges: ReadonlyMap<string, Progress>;
}

export function recordExchanges(): ExchangeRecord {
  const exchanges = new Map<string, Progress>();
  return {
    // Headers come first: a call that is made again starts anew.
    watch: (path, progress) =>
      exchanges.set(path, progress.headers ? progress : { ...exchanges.get(path), ...progress }),
    exchanges,
  };
}

/** @param typed the target as the client wrote it */
export function debugReport(
  typed: string,
  { url, module }: Target,
  { snapshot, budgetMs }: Scraped,
  { exchanges }: ExchangeRecord,
  metrics: string,
): string {
  const sent = Object.fromEntries(
    [...exchanges.values()].flatMap(({ headers }) => Object.entries(headers ?? {})),
  );
  // A server may repeat what it was sent.
  const hide = secretHider(sent, `${typed}\n${url.href}`);
  const results = outcomes(snapshot).map(([api, outcome]) => {
    const path = `${url.pathname.replace(/\/$/, '')}/api/${api}`;
    const { status, body } = exchanges.get(path) ?? {};
    const result = outcome.ok ? 'ok' : `failed: ${outcome.error.reason}: ${hide(outcome.error.message)}`;
    return `GET ${path}
  ${status === undefined ? 'no status' : `status ${status}`}, ${result}, after ${outcome.seconds.toFixed(6)} s
${body === undefined ? '  no body' : beginning(hide(body))}
`;
  });
  return printable(`Asked ${url.href} by module ${JSON.stringify(module.name)}, for at most ${budgetMs / 1_000} s.

${results.join('\n')}
Metrics that would have been returned:

${metrics.replaceAll(QUOTED, hide)}
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
