/** Names with several addresses. All are in 127.0.0.0/8; the resolver of the test defines their families. */
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type LookupFunction, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectToFirst } from '../../src/ollama/connect.ts';
import { type DroppingServer, startDroppingServer } from '../dropping-server.ts';

const LONG_MS = 10_000;

let good: Server;
let dropping: DroppingServer;

beforeEach(async () => {
  dropping = await startDroppingServer({ host: '127.0.0.2' });
  good = createServer().listen(dropping.port, '127.0.0.3');
  await once(good, 'listening');
});

afterEach(() => {
  good.close();
  dropping.end();
});

const v4 = (address: string): LookupAddress => ({ address, family: 4 });
const v6 = (address: string): LookupAddress => ({ address, family: 6 });

async function connectTo(addresses: readonly LookupAddress[], timeoutMs = LONG_MS) {
  const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, [...addresses]);
  const start = performance.now();
  const socket = await connectToFirst({ hostname: 'ollama', port: dropping.port }, timeoutMs, lookup);
  const ms = performance.now() - start;
  const { remoteAddress: address } = socket;
  await once(socket.destroy(), 'close');
  return { address, ms };
}

test('an address that drops packets delays the next one by 250 ms', async () => {
  const { address, ms } = await connectTo([v4('127.0.0.2'), v4('127.0.0.3')]);
  expect(address).toBe('127.0.0.3');
  expect(ms).toBeGreaterThan(200);
});

test('addresses that refuse the connection do not delay the next one', async () => {
  const refusing = Array.from({ length: 10 }, (_, index) => v4(`127.0.1.${index}`));
  const { address, ms } = await connectTo([...refusing, v4('127.0.0.3')]);
  expect(address).toBe('127.0.0.3');
  expect(ms).toBeLessThan(2_000);
});

test('address families alternate, in the order of the resolver', async () => {
  const { ms } = await connectTo([v4('127.0.0.2'), v4('127.0.0.2'), v4('127.0.0.2'), v6('127.0.0.3')]);
  expect(ms).toBeGreaterThan(200);
  expect(ms).toBeLessThan(500);
});

test.each([
  ['first', (slow: LookupAddress, lost: LookupAddress) => [slow, lost]],
  ['last', (slow: LookupAddress, lost: LookupAddress) => [lost, slow]],
])('a lost packet to the %s address is retransmitted, although the other has no route', async (_, order) => {
  dropping.end();
  good.close();
  dropping = await startDroppingServer({ host: '127.0.0.2', acceptAfterMs: 500 });
  const { address, ms } = await connectTo(order(v4('127.0.0.2'), v6('2001:db8::99')));
  expect(address).toBe('127.0.0.2');
  expect(ms).toBeGreaterThan(400);
});

test('if all addresses fail, the error contains each cause', async () => {
  await expect(connectTo([v4('127.0.0.4'), v4('127.0.0.5')])).rejects.toMatchObject({
    message: '',
    errors: [
      { code: 'ECONNREFUSED', address: '127.0.0.4' },
      { code: 'ECONNREFUSED', address: '127.0.0.5' },
    ],
  });
});

test('all attempts end at the timeout', async () => {
  const start = performance.now();
  await expect(connectTo(Array(50).fill(v4('127.0.0.2')), 400)).rejects.toMatchObject({
    code: 'UND_ERR_CONNECT_TIMEOUT',
    message: 'no connection within 0.4 s',
  });
  expect(performance.now() - start).toBeLessThan(2_000);
});

test('losing connections are closed', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  await connectTo([v4('127.0.0.2'), v4('127.0.0.3')]);
  await expect.poll(sockets).toBeLessThanOrEqual(before);
});
