import { errors } from 'undici';
import { expect, test } from 'vitest';
import { messageOf } from '../../src/log/error-text.ts';
import { failureReason } from '../../src/ollama/errors.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

test.each([
  ['ECONNREFUSED', 'refused'],
  ['EHOSTUNREACH', 'refused'],
  ['ENETUNREACH', 'refused'],
  ['EMFILE', 'refused'],
  ['ENOTFOUND', 'dns'],
  ['EAI_AGAIN', 'dns'],
  ['ETIMEDOUT', 'timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'too_large'],
  ['UND_ERR_HEADERS_OVERFLOW', 'too_large'],
  ['CERT_HAS_EXPIRED', 'tls'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls'],
  ['EPROTO', 'tls'],
])('%s before an answer is %s', (code, reason) => {
  expect(failureReason(systemError(code), 'connect')).toBe(reason);
});

test('a dual-stack connect that is refused on both is refused', () => {
  const both = Object.assign(new AggregateError([systemError('ECONNREFUSED')]), { code: 'ECONNREFUSED' });
  expect(failureReason(both, 'connect')).toBe('refused');
});

test('a connection that ends is reset before the answer, and a cut-off body after its headers', () => {
  const ended = new errors.SocketError('other side closed');
  expect([failureReason(ended, 'connect'), failureReason(ended, 'body')]).toEqual(['reset', 'invalid']);
});

test('what is thrown without being an error has a reason too', () => {
  expect([failureReason('text', 'connect'), failureReason(undefined, 'body')]).toEqual([
    'refused',
    'invalid',
  ]);
});

test('the message of a dual-stack connect is that of its parts', () => {
  expect(messageOf(new AggregateError([new Error('a'), new Error('b')]))).toBe('a, b');
  expect(messageOf('text')).toBe('text');
});
