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
  ['EACCES', 'refused'],
  ['EMFILE', 'resources'],
  ['ENFILE', 'resources'],
  ['EADDRNOTAVAIL', 'resources'],
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
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'invalid'],
  ['HPE_INVALID_HEADER_TOKEN', 'invalid'],
  ['ERR_SOMETHING_NEW', 'invalid'],
])('%s before a response is %s', (code, reason) => {
  expect(failureReason(systemError(code), 'head')).toBe(reason);
});

test('a connection refused by several addresses is refused', () => {
  const both = new AggregateError([systemError('ECONNREFUSED'), systemError('ENETUNREACH')]);
  expect(failureReason(both, 'head')).toBe('refused');
});

test.each(['bad response', 'bad upgrade'])(
  'a connection that undici drops for a %s is invalid',
  (message) => {
    expect(failureReason(new errors.SocketError(message), 'head')).toBe('invalid');
  },
);

test('a closed connection is reset before the headers, and invalid during the body', () => {
  const ended = new errors.SocketError('other side closed');
  expect([failureReason(ended, 'head'), failureReason(ended, 'body')]).toEqual(['reset', 'invalid']);
});

test('a thrown value that is not an Error is invalid', () => {
  expect([failureReason('text', 'head'), failureReason(undefined, 'body')]).toEqual(['invalid', 'invalid']);
});

test('the message of a dual-stack connection error joins its parts', () => {
  expect(messageOf(new AggregateError([new Error('a'), new Error('b')]))).toBe('a, b');
  expect(messageOf('text')).toBe('text');
});
