import { expect, test } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';

test.each([
  [':10434', undefined, 10434],
  ['[::1]:10434', '::1', 10434],
  ['[::]:0', '::', 0],
  ['127.0.0.1:65535', '127.0.0.1', 65535],
  ['localhost:80', 'localhost', 80],
])('%s is parsed as host %s and port %d', (text, host, port) => {
  expect(parseListenAddresses(text)).toEqual([{ host, port, text }]);
});

test('several addresses are separated by commas', () => {
  expect(parseListenAddresses(':1, [::1]:2').map(({ text }) => text)).toEqual([':1', '[::1]:2']);
});

test.each([
  '',
  '10434',
  'host',
  'host:',
  '::1:10434',
  '[::1]',
  ':65536',
  ':-1',
  ':abc',
  'a b:1',
  ':1,',
  '[x]:1',
])('%j is rejected', (text) => {
  expect(() => parseListenAddresses(text)).toThrow('expected an address such as :10434');
});
