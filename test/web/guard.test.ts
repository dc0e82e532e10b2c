import { describe, expect, test } from 'vitest';
import { networkOf } from '../../src/web/clients.ts';
import { parseCredentials, rateLimiter } from '../../src/web/guard.ts';

describe('the credentials of a request', () => {
  const encoded = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

  test.each([
    [encoded('alice:alice123'), 'alice', 'alice123'],
    [encoded('alice:a:b:'), 'alice', 'a:b:'],
    [encoded('alice:'), 'alice', ''],
    [encoded(':x'), '', 'x'],
    [encoded('\ufeffjürgen:пароль'), '\ufeffjürgen', 'пароль'],
    [encoded('alice:x').replace('Basic', 'bAsIc'), 'alice', 'x'],
  ])('are parsed from %j', (header, user, password) => {
    expect(parseCredentials(header)).toEqual({ user, password });
  });

  test.each([
    undefined,
    '',
    'Basic',
    'Basic ',
    encoded('alice'),
    encoded('alice:alice123').replace('Basic ', ''),
    encoded('alice:alice123').replace('Basic ', 'Bearer '),
    encoded('alice:alice123').replace('Basic ', 'Basic  '),
    encoded('alice:x').replace(/=+$/, ''),
    'Basic YWxpY2U6_w==',
    `Basic ${Buffer.from('alice:\xff', 'latin1').toString('base64')}`,
  ])('are undefined for %j', (header) => {
    expect(parseCredentials(header)).toBeUndefined();
  });
});

test.each([
  ['192.0.2.1', '192.0.2.2', false],
  ['192.0.2.1', '::ffff:192.0.2.1', true],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ['2001:db8::1', '2001:db8::ffff:1', true],
  ['2001:db8::1', '2001:db8:0:1::1', false],
  ['fe80::1%br-lan', 'fe80::2%wg_0', true],
  [undefined, '192.0.2.1', false],
])('%s and %s are the same client: %s', (one, other, same) => {
  expect(networkOf(one) === networkOf(other)).toBe(same);
});

test.each([
  [
    'lets through the burst, and then one request at each interval',
    { intervalMs: 1_000, burst: 2 },
    [0, 0, 0, 999, 1_000, 1_000, 2_500, 3_000],
    [0, 0, 1_000, 2_500, 3_000],
  ],
  [
    'does not save up more than the burst',
    { intervalMs: 1_000, burst: 2 },
    [60_000, 60_000, 60_000],
    [60_000, 60_000],
  ],
  ['with a burst of 0 lets nothing through', { intervalMs: 1_000, burst: 0 }, [0, 5_000], []],
  ['with an interval of 0 lets everything through', { intervalMs: 0, burst: 0 }, [0, 0, 0], [0, 0, 0]],
])('a rate limit %s', (_what, limit, requests, expected) => {
  let time = 0;
  const takeToken = rateLimiter(limit, () => time);
  const passed = requests.filter((at) => {
    time = at;
    return takeToken();
  });
  expect(passed).toEqual(expected);
});
