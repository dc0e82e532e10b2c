import { expect, test } from 'vitest';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { readFixture } from '../corpus.ts';

interface Vector {
  readonly input: string;
  readonly connectable_url: string;
}

/** Accepted by Ollama's parser but unusable for a client, with the expected error. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  '://foo': /scheme "" is not supported/,
  'HTTPS://example.com': /scheme "HTTPS" is not supported.*lower case/,
  'tcp://1.2.3.4': /scheme "tcp" is not supported/,
  'http://user:pass@example.com': /user info/,
  '[fe80::1%eth0]': /IPv6 zones/,
  'http://example.com?x=1': /query or fragment/,
  '[example.com]': /not a host name/,
  '*': /not a host name/,
};

const vectors = readFixture('ollama-host-vectors.json') as readonly Vector[];
const accepted = vectors.filter(({ input }) => !Object.hasOwn(REFUSED, input));

test.each(accepted)('$input is parsed as in Ollama: $connectable_url', ({ input, connectable_url }) => {
  // Ollama keeps an empty host, which a server binds to all addresses; a client connects to loopback.
  // Go's dialer accepts a port with a plus sign, URL does not.
  const expected = new URL(connectable_url.replace('://:', '://127.0.0.1:').replace(':+', ':'));
  expect(parseOllamaHost(input).href).toBe(expected.href);
});

test.each(Object.entries(REFUSED))('%s is rejected', (input, message) => {
  expect(() => parseOllamaHost(input)).toThrow(message);
});

test('the error does not repeat the text, which may contain a password', () => {
  expect(() => parseOllamaHost('http://user:hunter2@example.com')).toThrow(/^(?!.*hunter2)/s);
});

test.each(['constructor', 'toString:1', '__proto__'])('%s is a valid host name', (name) => {
  expect(parseOllamaHost(name).hostname).toBe(name.split(':')[0]?.toLowerCase());
});

test.each(['constructor://x', 'a b', 'http://[1::2::3]', 'a\\b', 'x:y:z', '256.1.1.1.'])(
  '%s is rejected as malformed',
  (input) => {
    expect(() => parseOllamaHost(input)).toThrow();
  },
);

const LABEL = 'a'.repeat(63);

test.each([LABEL, `${LABEL}.`, `${`${LABEL}.`.repeat(3)}${'a'.repeat(61)}`, 'ü'.repeat(20)])(
  'a name of the maximum length in DNS is valid: %s',
  (name) => {
    expect(parseOllamaHost(name).hostname).toMatch(/^[a-z0-9.-]+$/);
  },
);

test.each([
  ['a label of 64 characters', `${LABEL}a`],
  ['a second label of 64 characters', `gpu.${LABEL}a.lan`],
  ['254 characters', `${`${LABEL}.`.repeat(3)}${'a'.repeat(62)}`],
  ['254 characters and a final dot', `${`${LABEL}.`.repeat(3)}${'a'.repeat(62)}.`],
  ['a label that is too long in punycode', 'ü'.repeat(63)],
  ['a name that is too long in punycode', Array(5).fill('ü'.repeat(50)).join('.')],
  [
    '40,000 characters',
    Array.from({ length: 40_000 }, (_, at) => String.fromCodePoint(0x4e00 + (at % 20_000))).join(''),
  ],
  ['4,000 characters in labels', 'ü.'.repeat(2_000)],
])('%s is not a host name', (_, name) => {
  const start = performance.now();
  expect(() => parseOllamaHost(name)).toThrow(/not a host name/);
  expect(performance.now() - start).toBeLessThan(200);
});

test('extra slashes in a path prefix are removed', () => {
  expect(parseOllamaHost('example.com//ollama/').pathname).toBe('/ollama');
});
