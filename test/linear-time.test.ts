import { negotiate } from '@fastify/accept-negotiator';
import { describe, expect, test } from 'vitest';
import { escapeUnprintable, toLogfmt } from '../src/log/logfmt.ts';
import { parseJson } from '../src/ollama/body.ts';
import { contentCodings } from '../src/ollama/content-coding.ts';
import { parseOllamaHost } from '../src/ollama/host.ts';
import { parseRunningModels } from '../src/ollama/models.ts';
import { remedyForStatus } from '../src/ollama/remedies.ts';
import { parseTimestamp, serverClock } from '../src/ollama/time.ts';
import { scrapeBudgetMs } from '../src/scrape/limits.ts';
import { queryOf } from '../src/server/scrape-request.ts';
import { html } from '../src/status/html.ts';
import { LOCAL_ADDRESSES } from '../src/targets/address-ranges.ts';
import { createAllowList, parseAllowEntry } from '../src/targets/allow-list.ts';
import { subjectAltNames } from '../src/web/client-certificates.ts';
import { networkOf } from '../src/web/clients.ts';
import { parseCredentials } from '../src/web/guard.ts';

const SHORT = 4_096;
const LONG = 16 * SHORT;

/** Units that a parser repeats, strips or stops at. */
const UNITS = [
  ...'"\'[]/.:-+@#?%*=,;& \\\t\n\0<(0aAé\u200b\u{1f600}',
  ...[
    'a.',
    'a-',
    '.-',
    ']a',
    '"a',
    '/a',
    '[]',
    '%2',
    '%25',
    '%3A',
    'a:',
    ':1',
    '=,',
    ';q',
    '0.',
    '1e',
    ', DNS:',
  ],
];

/** Runs with another character at the end, or at both ends. @returns about `length` characters each */
function hostile(length: number): readonly string[] {
  const runs = UNITS.map((unit) => unit.repeat(length / unit.length));
  const distinct = Array.from({ length }, (_, index) => String.fromCodePoint(0x4e00 + (index % 20_000)));
  return [...runs.flatMap((run) => [`${run}b`, `a${run}b`]), distinct.join('')];
}

const PATTERNS = ['gpu-*-*.lan', '*.*-*', '*', '*a?a?', '?*.?*'].map(parseAllowEntry);
const OLLAMA = new URL('http://localhost:11434');
const ALLOW_LIST = createAllowList([...PATTERNS, parseAllowEntry('10.0.0.0/8')]);

type Parse = (text: string) => unknown;
type Write = (text: string) => string;

/** What is parsed, the parser, and how the text is embedded in its input. */
const PARSERS: ReadonlyArray<readonly [what: string, parse: Parse, write?: Write]> = [
  ['a target', parseOllamaHost],
  ['a target with a scheme', parseOllamaHost, (text) => `http://${text}`],
  ['a target with a path', parseOllamaHost, (text) => `a/${text}`],
  ['a query', (url) => queryOf({ url }), (text) => `/probe?${text}`],
  ['a target in a query', (url) => queryOf({ url }), (text) => `/probe?target=${encodeURIComponent(text)}`],
  [
    'a target in a query, encoded twice',
    (url) => queryOf({ url }),
    (text) => `/probe?target=${encodeURIComponent(encodeURIComponent(text))}`,
  ],
  [
    'an allow list',
    (href) => ALLOW_LIST.allows(new URL(href)),
    (text) => `http://gpu-${text.replaceAll(/[^\w.-]/g, '-')}`,
  ],
  ['an address', (text) => [LOCAL_ADDRESSES.contains(text), networkOf(text)]],
  ['the timeout header', (text) => scrapeBudgetMs(text, 1, 0)],
  ['Accept-Encoding', (text) => negotiate(text, ['gzip'])],
  ['Authorization', parseCredentials],
  ['credentials', parseCredentials, (text) => `Basic ${text}`],
  ['credentials in Base64', parseCredentials, (text) => `Basic ${Buffer.from(text).toString('base64')}`],
  ['the names in a client certificate', subjectAltNames],
  ['a name in a client certificate', subjectAltNames, (text) => `DNS:${JSON.stringify(text)}`],
  ['a line of logfmt', toLogfmt, (msg) => JSON.stringify({ msg })],
  ['a line of JSON', escapeUnprintable, (msg) => JSON.stringify({ msg })],
  ['a text on the page', (text) => html`${text}`],
  ['Location', (location) => remedyForStatus({ status: 302, headers: { location }, body: '', url: OLLAMA })],
  [
    'Location, of a host',
    (location) => remedyForStatus({ status: 302, headers: { location }, body: '', url: OLLAMA }),
    (text) => `http://${text}`,
  ],
  ['the body of an error', (body) => remedyForStatus({ status: 400, headers: {}, body, url: OLLAMA })],
  ['Content-Encoding', contentCodings],
  ['JSON', parseJson, (text) => JSON.stringify({ text })],
  ['invalid JSON', parseJson],
  ['a timestamp', parseTimestamp],
  ['a fraction of a second', parseTimestamp, (text) => `2026-01-01T00:00:00.${text}Z`],
  ['the clock of a server', (text) => serverClock(text, 0)],
  [
    'a row of a list',
    (text) =>
      parseRunningModels({ models: [{ name: text, size: 1, details: { family: text }, expires_at: text }] }),
  ],
];

/** @returns milliseconds of CPU time, which other processes hardly affect; most of these texts are rejected */
function time(parse: Parse, text: string): number {
  const start = process.cpuUsage();
  try {
    parse(text);
  } catch {}
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

function fastest(parse: Parse, text: string): number {
  return Math.min(...Array.from({ length: 5 }, () => time(parse, text)));
}

/** Shorter times can't be compared, longer ones are too long. Quadratic parsing takes seconds for a long text. */
const [SOMETHING_MS, MUCH_MS] = [100, 1_000];

describe('parsing takes linear time for', () => {
  const longs = hostile(LONG);
  const texts = hostile(SHORT).map((short, index) => ({ short, long: longs[index] ?? '' }));

  test.each(PARSERS.map(([what, parse, write = String]) => [what, parse, write] as const))(
    '%s',
    (_what, parse, write) => {
      for (const { short, long } of texts) {
        const shown = JSON.stringify(short.slice(0, 12));
        expect(time(parse, write(short)), shown).toBeLessThan(MUCH_MS);
        const longMs = time(parse, write(long));
        expect(longMs, shown).toBeLessThan(MUCH_MS);
        if (longMs > SOMETHING_MS) {
          expect(fastest(parse, write(long)) / fastest(parse, write(short)), shown).toBeLessThan(100);
        }
      }
    },
  );
});
