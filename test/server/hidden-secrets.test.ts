import { describe, expect, test } from 'vitest';
import { secretHider } from '../../src/server/hidden-secrets.ts';

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('a secret is hidden', () => {
  test.each<[header: string, sent: string, repeated: string, shown: string]>([
    ['authorization', 'Bearer t0ken', 'got Bearer t0ken', 'got <secret>'],
    ['authorization', 'Bearer t0ken', 'token=t0ken', 'token=<secret>'],
    ['authorization', basic('user:p4ss'), basic('user:p4ss'), '<secret>'],
    ['authorization', basic('user:p4ss'), 'user:p4ss', '<secret>'],
    ['authorization', basic('user:p4ss'), 'wrong password p4ss', 'wrong password <secret>'],
    ['x-key', 'k3y!', 'k3y!, k3y!', '<secret>, <secret>'],
    ['x-key', 'k3y! ', 'key "k3y!"', 'key "<secret>"'],
    ['cookie', 'session=abcd1234; theme=dark', 'no session abcd1234', 'no session <secret>'],
    ['x-auth', 'Token abcd1234', 'abcd1234', '<secret>'],
    ['x-key', 'a"b\\c/d', JSON.stringify('a"b\\c/d'), '"<secret>"'],
    ['x-key', 'a/b/c', '"a\\/b\\/c"', '"<secret>"'],
    ['x-key', 'a&b<c>', '"a\\u0026b\\u003cc\\u003e"', '"<secret>"'],
    ['x-key', 'a&b<c>"', 'a&amp;b&lt;c&gt;&quot;', '<secret>'],
    ['x-key', 'a b+c', 'q=a%20b%2Bc', 'q=<secret>'],
    ['x-key', 'k3y-long', Buffer.from('k3y-long').toString('base64'), '<secret>'],
    ['x-key', 'kéyé', Buffer.from('kéyé', 'latin1').toString(), '<secret>'],
  ])('that was sent as %s: %s, in %j', (header, sent, repeated, shown) => {
    expect(secretHider({ [header]: sent }, '')(repeated)).toBe(shown);
  });

  test('at the end of a text that was cut off', () => {
    const hide = secretHider({ 'x-key': 'abcdefghijkl' }, '');
    expect(hide('key abcdefghijk')).toBe('key <secret>');
    expect(hide('key abcd')).toBe('key <secret>');
    expect(hide('key abc')).toBe('key abc');
    expect(hide('key abcdefgh.')).toBe('key abcdefgh.');
  });

  test('in one go, so that what stands in its place is left alone', () => {
    expect(secretHider({ 'x-a': 'secret', 'x-b': '<secret>' }, '')('secret <secret>')).toBe(
      '<secret> <secret>',
    );
  });

  test('whole, where another is a part of it', () => {
    const hide = secretHider({ 'x-a': 'abcd', 'x-b': 'abcdefgh' }, '');
    expect(hide('abcdefgh abcd')).toBe('<secret> <secret>');
  });
});

describe('is left as it is', () => {
  test('what is no secret', () => {
    const hide = secretHider({ host: 'localhost:11434', accept: 'application/json', 'x-key': 'ab cd' }, '');
    expect(hide('localhost:11434 application/json ab')).toBe('localhost:11434 application/json ab');
  });

  test('what the reader has typed: else a guess could be told to be right', () => {
    const hide = secretHider({ 'x-key': 'hunter2' }, '127.0.0.1/123456/hunter2');
    expect(hide('no such file: /123456/hunter2')).toBe('no such file: /123456/hunter2');
  });

  test('what is too short to be a secret, such as the number of a tenant', () => {
    expect(secretHider({ 'x-scope-orgid': '1' }, '')('127.0.0.1')).toBe('127.0.0.1');
  });

  test('everything, where nothing was sent', () => {
    expect(secretHider({}, '')('{"a":1}')).toBe('{"a":1}');
  });
});
