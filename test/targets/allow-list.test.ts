import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ForbiddenAddressError } from '../../src/ollama/errors.ts';
import { parseOllamaHost } from '../../src/ollama/host.ts';
import { createAllowList, parseAllowEntry } from '../../src/targets/allow-list.ts';

/** As in /probe: the target is parsed by the rules of OLLAMA_HOST. */
function isAllowed(entry: string, target: string): boolean {
  return createAllowList([parseAllowEntry(entry)]).allows(parseOllamaHost(target));
}

describe('a target is allowed', () => {
  test.each([
    // [entry, target, allowed]
    ['gpu-1.lan', 'gpu-1.lan', true],
    ['gpu-1.lan', 'GPU-1.LAN:8080', true],
    ['GPU-1.lan', 'gpu-1.lan', true],
    ['gpu-1.lan', 'gpu-1.lan.', true],
    ['gpu-1.lan.', 'gpu-1.lan', true],
    ['gpu-1.lan', 'https://gpu-1.lan/prefix', true],
    ['gpu-1.lan', 'gpu-2.lan', false],
    ['gpu-1.lan', 'xgpu-1.lan', false],
    ['gpu-1.lan', 'gpu-1.lan.evil.example', false],
    ['gpu-1.lan', 'gpu-1xlan', false],
    ['gpu-*.lan', 'gpu-07.lan', true],
    ['gpu-*.lan', 'gpu-.lan', true],
    ['gpu-*.lan', 'gpu-a.evil.lan', false],
    ['gpu-*', 'gpu-07', true],
    ['gpu-*', 'gpu-07.evil.example', false],
    ['gpu-?.lan', 'gpu-7.lan', true],
    ['gpu-?.lan', 'gpu-77.lan', false],
    ['*.svc.cluster.local', 'ollama.svc.cluster.local', true],
    ['*.svc.cluster.local', 'pod-0.ollama.svc.cluster.local', true],
    ['*.svc.cluster.local', 'svc.cluster.local', false],
    ['*.svc.cluster.local', 'evilsvc.cluster.local', false],
    ['gpu-*-*.lan', 'gpu-a-b-c.lan', true],
    ['gpu-*-*.lan', 'gpu-a.lan', false],
    ['*a*b', 'xaxbxb', true],
    ['*a*b', 'xbxa', false],
    ['a*a', 'a', false],
    ['**', 'anything', true],
    ['g?u*7', 'gpu-07', true],
    ['g?u*7', 'gu-07', false],
    ['*.*.lan', 'a.b.lan', true],
    ['*.*.lan', 'a.b.c.lan', true],
    ['*.*.lan', 'a.lan', false],
    ['*', 'anything', true],
    ['*', 'any.thing', false],
    ['*.lan', '10.0.0.1', false],
    ['*', '10.0.0.1', false],
    ['*', '[::1]', false],
    ['xn--mller-kva.lan', 'müller.lan', true],
    // ports
    ['gpu-1.lan:11434', 'gpu-1.lan', true],
    ['gpu-1.lan:11434', 'gpu-1.lan:8080', false],
    ['gpu-1.lan:11434', 'http://gpu-1.lan', false],
    ['gpu-1.lan:80', 'http://gpu-1.lan', true],
    ['gpu-1.lan:443', 'https://gpu-1.lan', true],
    ['10.20.0.7:11434', '10.20.0.7', true],
    ['10.20.0.7:11434', '10.20.0.7:22', false],
    ['10.20.0.0/16:11434', '10.20.9.9', true],
    ['[fd00::/8]:11434', '[fd00::7]:11434', true],
    ['[fd00::/8]:11434', '[fd00::7]:22', false],
    // schemes
    ['https://gpu-1.lan', 'https://gpu-1.lan', true],
    ['https://gpu-1.lan', 'https://gpu-1.lan:8443/prefix', true],
    ['https://gpu-1.lan', 'gpu-1.lan', false],
    ['https://gpu-1.lan', 'http://gpu-1.lan', false],
    ['https://gpu-1.lan', 'http://gpu-1.lan:443', false],
    ['http://gpu-1.lan', 'gpu-1.lan', true],
    ['http://gpu-1.lan', 'https://gpu-1.lan', false],
    ['https://gpu-*.lan:443', 'https://gpu-1.lan', true],
    ['https://gpu-*.lan:443', 'https://gpu-1.lan:8443', false],
    ['https://gpu-*.lan:443', 'http://gpu-1.lan:443', false],
    ['https://10.20.0.0/16:443', 'https://10.20.0.7', true],
    ['https://10.20.0.0/16:443', 'http://10.20.0.7:443', false],
    ['https://10.20.0.0/16:443', 'https://gpu-1.lan', true],
    ['https://10.20.0.0/16:443', 'http://gpu-1.lan:443', false],
    ['https://10.20.0.7', '10.20.0.7', false],
    ['https://[fd00::/8]:443', 'https://[fd00::7]', true],
    ['https://[fd00::/8]:443', '[fd00::7]:443', false],
    ['https://fd00::7', 'https://[fd00::7]:1', true],
    ['https://fd00::7', '[fd00::7]', false],
    // addresses
    ['10.20.0.0/16', '10.20.255.255', true],
    ['10.20.0.0/16', '10.21.0.0', false],
    ['10.20.3.4/16', '10.20.0.1', true],
    ['10.20.0.7', '10.20.0.7', true],
    ['10.20.0.7', '10.20.0.8', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['fd00::/8', '[fd12:3456::1]', true],
    ['fd00::/8', '[fe80::1]', false],
    ['fd00::7', '[fd00:0::7]', true],
    ['[fd00::7]', '[fd00::7]', true],
    ['10.20.0.0/16', '[::ffff:10.20.0.1]', true],
    ['10.20.0.0/16', '[::ffff:a14:1]', true],
    ['10.20.0.0/16', '[::ffff:10.21.0.1]', false],
    ['::/0', '10.20.0.1', false],
    ['::/0', '[::ffff:10.20.0.1]', false],
    ['::/0', '[2001:db8::1]', true],
    ['::ffff:0:0/96', '10.20.0.1', true],
    // the addresses of a name are only checked when connecting
    ['10.20.0.0/16', 'gpu-1.lan', true],
    ['10.20.0.0/16:8080', 'gpu-1.lan:11434', false],
  ])('by %j: %j, %s', (entry, target, allowed) => {
    expect(isAllowed(entry, target)).toBe(allowed);
  });

  /** Different notations of 127.0.0.1, 169.254.169.254 and ::1. */
  test.each([
    '127.0.0.1',
    'localhost.', // a name; its addresses are checked below
    '127.1',
    '0x7f.0.0.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.1.',
    '１２７.0.0.1',
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:169.254.169.254]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[fe80::1]',
    '0.0.0.0',
    '[::]',
    '0',
  ])('as an address only by a range, not by a name pattern: %s', (target) => {
    const names = ['*', '*.*', '*.*.*.*', '?*', 'l*', '*.lan'].map(parseAllowEntry);
    const allowed = createAllowList(names).allows(parseOllamaHost(target));
    expect(allowed).toBe(target.startsWith('localhost'));
  });

  test('as loopback by a loopback range, in any notation', () => {
    for (const target of ['127.1', '0x7f.0.0.1', '2130706433', '[::ffff:7f00:1]', '0.0.0.0', '[::]']) {
      expect(isAllowed('127.0.0.0/8', target) || isAllowed('::1', target), target).toBe(true);
    }
  });
});

describe('an entry is rejected:', () => {
  test.each(['ftp://gpu-1', 'HTTPS://gpu-1', 'unix:///run/x', 'https://https://gpu-1'])(
    '%j, for its scheme',
    (entry) => {
      expect(() => parseAllowEntry(entry)).toThrow('a scheme can only be http:// or https://, in lower case');
    },
  );

  test.each([
    '10.0.0.1-10.0.0.7',
    '10.0.0.1 - 10.0.0.7',
    '10.0.0.1–10.0.0.7',
    '10.0.0.1-7',
    'https://10.0.0.1-10.0.0.7:443',
    '10.0.0.1-10.0.0.7:11434',
    '10.0.0.1..10.0.0.7',
    'fd00::1-fd00::7',
    '[fd00::1]-[fd00::7]',
    '10.0.0.0/255.255.255.0',
    '10.0.*',
  ])('%j, for a range that is not CIDR', (entry) => {
    expect(() => parseAllowEntry(entry)).toThrow(/^write a range as CIDR, such as 10\.20\.0\.0\/16/);
  });

  test.each(['10-0-0-1.lan', '10.0.0.1-gpu.lan', 'gpu-1-7'])('(but %j is a valid name)', (entry) => {
    expect(() => parseAllowEntry(entry)).not.toThrow();
  });

  test.each(['gpu-1:0', 'https://gpu-1:0', 'gpu-1:65536', '10.0.0.1:0', '[::1]:99999'])(
    '%j, for its port',
    (entry) => {
      expect(() => parseAllowEntry(entry)).toThrow('expected a port from 1 to 65535');
    },
  );

  test.each([
    '',
    ':11434',
    'https://',
    'https:gpu-1',
    'https:/gpu-1',
    'https://gpu-1/',
    'https://user@gpu-1',
    'gpu 1',
    'gpu-1:port',
    'gpu-1:123456',
    'user@gpu-1',
    'gpu-1/path',
    'gpu..lan',
    '.lan',
    'müller.lan',
    '10.20.*',
    '10.20.0.*',
    '192.168.?.1',
    '10.20.0.0/33',
    'fd00::/129',
    '10.20.0.0/-1',
    '10.20.0.0/016',
    '10.20.0/16',
    'fe80::1%eth0',
    '[fd00::/8',
    '[gpu-1]',
    '300.1.2.3',
  ])('%j', (entry) => {
    expect(() => parseAllowEntry(entry)).toThrow(/^(expected a host name|write a range as CIDR)/);
  });
});

type Resolved = readonly LookupAddress[] | Error;

/** The result of the lookup of a target whose name resolves to these addresses. */
function resolve(
  entries: readonly string[],
  target: string,
  ...addresses: readonly string[]
): Promise<Resolved> {
  const dns: LookupFunction = (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  const { lookupFor } = createAllowList(entries.map(parseAllowEntry), dns);
  const url = parseOllamaHost(target);
  return new Promise((done) =>
    lookupFor(url)(url.hostname, { all: true }, (error, found) =>
      done(error ?? ([found].flat() as LookupAddress[])),
    ),
  );
}

describe('a name that matches a pattern', () => {
  test('may resolve to any network address', async () => {
    expect(await resolve(['gpu-*.lan'], 'gpu-1.lan', '10.0.0.1', 'fd00::1')).toEqual([
      { address: '10.0.0.1', family: 4 },
      { address: 'fd00::1', family: 6 },
    ]);
  });

  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '169.254.0.1',
    '::1',
    '::',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:c1::a9fe:a9fe',
    'fd00:42::42',
    '64:ff9b:1::7f00:1',
    '::ffff:0:127.0.0.1',
    '2002:7f00:1::1',
    '168.63.129.16',
    '192.0.0.192',
    '100.100.100.200',
    '64:ff9b:1::1',
    '64:ff9b:1:ffff::a00:1',
    '2001::1',
    '2001:0:7f00:1::1',
    'fec0::1',
    'feff::1',
  ])('must not resolve to %s', async (address) => {
    expect(await resolve(['gpu-*.lan'], 'gpu-1.lan', address)).toBeInstanceOf(ForbiddenAddressError);
    // An allowed address in addition does not help, since either may be used.
    expect(await resolve(['gpu-*.lan'], 'gpu-1.lan', '10.0.0.1', address)).toBeInstanceOf(
      ForbiddenAddressError,
    );
    expect(await resolve(['gpu-*.lan'], 'gpu-1.lan', address, '10.0.0.1')).toBeInstanceOf(
      ForbiddenAddressError,
    );
  });

  test('may resolve to loopback and link-local addresses in an allowed range', async () => {
    const entries = ['gpu-*.lan', '127.0.0.0/8', '169.254.7.0/24'];
    expect(await resolve(entries, 'gpu-1.lan', '127.0.0.1', '169.254.7.7', '10.0.0.1')).toHaveLength(3);
    expect(await resolve(entries, 'gpu-1.lan', '169.254.169.254')).toBeInstanceOf(ForbiddenAddressError);
  });

  test.each(['64:ff9b:2::1', '2001:1::1', '2001:db8::1', 'ff00::1', 'fd00::1', '100.100.100.201'])(
    'may resolve to %s, which is not local',
    async (address) => {
      expect(await resolve(['gpu-*.lan'], 'gpu-1.lan', address)).toHaveLength(1);
    },
  );

  test('is not allowed by a pattern or range for another scheme', async () => {
    const entries = ['https://gpu-*.lan', 'https://127.0.0.0/8', '10.0.0.0/8'];
    expect(await resolve(entries, 'https://gpu-1.lan', '127.0.0.1')).toHaveLength(1);
    expect(await resolve(entries, 'https://gpu-1.lan', '192.168.0.1')).toHaveLength(1);
    expect(await resolve(entries, 'gpu-1.lan', '127.0.0.1')).toBeInstanceOf(ForbiddenAddressError);
    expect(await resolve(entries, 'gpu-1.lan', '192.168.0.1')).toBeInstanceOf(ForbiddenAddressError);
  });

  test('is not allowed by a pattern or range for another port', async () => {
    const entries = ['gpu-*.lan:8080', '127.0.0.0/8:8080', '10.0.0.0/8'];
    expect(await resolve(entries, 'gpu-1.lan:8080', '127.0.0.1')).toHaveLength(1);
    expect(await resolve(entries, 'gpu-1.lan:11434', '127.0.0.1')).toBeInstanceOf(ForbiddenAddressError);
    expect(await resolve(entries, 'gpu-1.lan:11434', '192.168.0.1')).toBeInstanceOf(ForbiddenAddressError);
  });
});

describe('a cloud metadata address within a range needs its own entry:', () => {
  test.each([
    ['fd00:ec2::254', 'fd00::/8'],
    ['fd00:ec2::254', 'fd00:ec2::/64'],
    ['fd00:ec2::254', 'fd00:ec2::254/127'],
    ['fd00:ec2::23', '::/0'],
    ['fd20:ce::254', 'fd00::/8'],
    ['fd00:c1::a9fe:a9fe', 'fd00::/8'],
    ['fd00:42::42', 'fd00:42::/32'],
    ['100.100.100.200', '100.64.0.0/10'],
    ['100.100.100.200', '100.100.100.200/31'],
    ['169.254.169.254', '0.0.0.0/0'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['169.254.170.2', '169.254.170.0/24'],
    ['169.254.170.23', '169.254.0.0/16'],
    ['169.254.42.42', '169.254.0.0/16'],
    ['169.254.0.23', '169.254.0.0/16'],
    ['168.63.129.16', '168.63.0.0/16'],
    ['192.0.0.192', '192.0.0.0/24'],
    ['64:ff9b::a9fe:a9fe', '64:ff9b::/96'],
    ['64:ff9b:1::6464:64c8', '64:ff9b:1::/48'],
    ['::ffff:0:a9fe:a9fe', '::/0'],
  ])('%s within %s', async (address, range) => {
    const target = address.includes(':') ? `[${address}]` : address;
    expect(isAllowed(range, target)).toBe(false);
    expect(await resolve([range], 'any.name', address)).toBeInstanceOf(ForbiddenAddressError);
    expect(await resolve([range, '*.lan'], 'gpu.lan', address)).toBeInstanceOf(ForbiddenAddressError);
    const exactly = [address, `${address}/${address.includes(':') ? 128 : 32}`];
    for (const entry of exactly) {
      expect(isAllowed(entry, target)).toBe(true);
      expect(await resolve([range, entry], 'any.name', address)).toHaveLength(1);
    }
  });

  test('also as an IPv4-mapped address', async () => {
    expect(isAllowed('100.64.0.0/10', '[::ffff:100.100.100.200]')).toBe(false);
    expect(isAllowed('::ffff:0:0/96', '[::ffff:100.100.100.200]')).toBe(false);
    expect(isAllowed('100.100.100.200', '[::ffff:100.100.100.200]')).toBe(true);
    expect(await resolve(['100.64.0.0/10'], 'a', '::ffff:6464:64c8')).toBeInstanceOf(ForbiddenAddressError);
  });

  test('but not its neighbours', () => {
    expect(isAllowed('fd00::/8', '[fd00:ec3::254]')).toBe(true);
    expect(isAllowed('100.64.0.0/10', '100.100.100.201')).toBe(true);
    expect(isAllowed('169.254.7.0/24', '169.254.7.7')).toBe(true);
  });
});

describe('a name that matches no pattern', () => {
  test('must resolve only to addresses in allowed ranges', async () => {
    expect(await resolve(['10.20.0.0/16'], 'any.name', '10.20.0.1')).toHaveLength(1);
    expect(await resolve(['10.20.0.0/16'], 'any.name', '::ffff:10.20.0.1')).toHaveLength(1);
    expect(await resolve(['10.20.0.0/16'], 'any.name', '10.20.0.1', '10.21.0.1')).toBeInstanceOf(
      ForbiddenAddressError,
    );
  });
});

test('a lookup of a single address returns the first', async () => {
  const dns: LookupFunction = (_name, _options, callback) =>
    callback(null, [
      { address: '10.0.0.1', family: 4 },
      { address: '10.0.0.2', family: 4 },
    ]);
  const { lookupFor } = createAllowList([parseAllowEntry('10.0.0.0/8')], dns);
  const result = await new Promise((done) =>
    lookupFor(new URL('http://a:1'))('a', {}, (...found) => done(found)),
  );
  expect(result).toEqual([null, '10.0.0.1', 4]);
});

test('a name without addresses fails with ENOTFOUND', async () => {
  expect(await resolve(['*'], 'a')).toMatchObject({ code: 'ENOTFOUND' });
});

test('a lookup error is passed on', async () => {
  const failure = Object.assign(new Error('getaddrinfo ENOTFOUND a'), { code: 'ENOTFOUND' });
  const { lookupFor } = createAllowList([parseAllowEntry('*')], (_name, _options, callback) =>
    callback(failure, []),
  );
  const result = await new Promise((done) => lookupFor(new URL('http://a:1'))('a', { all: true }, done));
  expect(result).toBe(failure);
});
