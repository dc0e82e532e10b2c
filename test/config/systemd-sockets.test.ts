import { expect, test } from 'vitest';
import { UsageError } from '../../src/config/command-line.ts';
import { inheritedSockets } from '../../src/config/systemd-sockets.ts';

test('inherited sockets start at file descriptor 3', () => {
  expect(inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7)).toEqual([
    { fd: 3, text: 'file descriptor 3' },
    { fd: 4, text: 'file descriptor 4' },
  ]);
});

test.each([
  [{}],
  [{ LISTEN_FDS: '1' }],
  [{ LISTEN_PID: '8', LISTEN_FDS: '1' }],
  [{ LISTEN_PID: '7' }],
  [{ LISTEN_PID: '7', LISTEN_FDS: '0' }],
  [{ LISTEN_PID: '7', LISTEN_FDS: '-1' }],
  [{ LISTEN_PID: '7', LISTEN_FDS: '1e3' }],
  [{ LISTEN_PID: '7', LISTEN_FDS: '99999' }],
  [{ LISTEN_PID: '7', LISTEN_FDS: '' }],
])('%j passes no socket to process 7', (env) => {
  expect(() => inheritedSockets(env, 7)).toThrow(UsageError);
});
