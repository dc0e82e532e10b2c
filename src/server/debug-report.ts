/** A probe as a human-readable report: requests, responses, metrics, and the settings of the module. */
import { INVISIBLE } from '../log/invisible.ts';
import { outcomes } from '../scrape/snapshot.ts';
import type { Scraped } from './scrape-request.ts';

const SHOWN_BODY_BYTES = 2_048;

/** @param metrics what /probe returns without `debug=true` */
export function debugReport(
  { target: { url, module }, snapshot, budgetMs }: Scraped,
  metrics: string,
): string {
  const results = outcomes(snapshot).map(([api, outcome]) => {
    const { status, body } = outcome.exchange ?? {};
    const result = outcome.ok ? 'ok' : `failed: ${outcome.error.reason}: ${outcome.error.message}`;
    return `GET ${url.pathname.replace(/\/$/, '')}/api/${api}
  ${status === undefined ? 'no status' : `status ${status}`}, ${result}, after ${outcome.seconds.toFixed(6)} s
${shownBody(body, module.sendsSecrets)}
`;
  });
  return printable(`Scraped ${url.href} with module ${JSON.stringify(module.name)}, for at most ${budgetMs / 1_000} s.

${results.join('\n')}
Metrics that would have been returned:

${metrics}
Module configuration:

${module.shown}`);
}

/** A server may repeat the request headers. */
function shownBody(body: string | undefined, sendsSecrets: boolean): string {
  if (body === undefined) {
    return '  no body';
  }
  const bytes = Buffer.from(body);
  if (sendsSecrets) {
    return `  a body of ${bytes.length} bytes, not shown: the module sends credentials, which a server may repeat`;
  }
  if (bytes.length === 0) {
    return '  (empty)';
  }
  return bytes.length <= SHOWN_BODY_BYTES
    ? body
    : `${bytes.subarray(0, SHOWN_BODY_BYTES)}… (the first ${SHOWN_BODY_BYTES} of ${bytes.length} bytes)`;
}

const UNPRINTABLE = new RegExp(`(?![\n\t])[\\p{C}${INVISIBLE}]`, 'gu');

/** A terminal must not interpret untrusted input. */
function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
