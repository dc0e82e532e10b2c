import { Server } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import { listen } from '../../src/server/listen.ts';
import { dependencies } from './dependencies.ts';

async function start(addresses: string) {
  const exporter = await listen(parseListenAddresses(addresses), await dependencies());
  onTestFinished(exporter.close);
  return exporter;
}

describe('the exporter listens', () => {
  test('on IPv4 only if the kernel has no IPv6', async () => {
    const original = Server.prototype.listen;
    const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (
      this: Server,
      ...args: unknown[]
    ) {
      const [options] = args;
      if (typeof options === 'object' && options !== null && 'host' in options && options.host === '::') {
        process.nextTick(() =>
          this.emit('error', Object.assign(new Error('no IPv6'), { code: 'EAFNOSUPPORT' })),
        );
        return this;
      }
      return Reflect.apply(original, this, args);
    });
    onTestFinished(() => spy.mockRestore());
    const { addresses } = await start(':0');
    expect(addresses.map(({ hostname }) => hostname)).toEqual(['0.0.0.0']);
  });

  test('on a single address of a host name, IPv4 first', async () => {
    const { addresses } = await start('localhost:0');
    expect(addresses.map(({ hostname }) => hostname)).toEqual(['127.0.0.1']);
  });

  test('on no address if one of them is in use', async () => {
    const { addresses } = await start('127.0.0.1:0');
    const taken = addresses[0]?.port;
    const closed = vi.spyOn(Server.prototype, 'close');
    onTestFinished(() => closed.mockRestore());
    await expect(
      listen(parseListenAddresses(`127.0.0.1:0,127.0.0.1:${taken}`), await dependencies()),
    ).rejects.toThrow(
      `could not listen on 127.0.0.1:${taken} (--web.listen-address): address already in use (EADDRINUSE)`,
    );
    expect(closed).toHaveBeenCalled();
  });
});

test('a response sent while closing has Connection: close', async () => {
  let respond = () => {};
  const waiting = new Promise<void>((resolve) => {
    respond = resolve;
  });
  let onRequest = () => {};
  const underWay = new Promise<void>((resolve) => {
    onRequest = resolve;
  });
  const slow = await listen(parseListenAddresses('127.0.0.1:0'), {
    ...(await dependencies()),
    share: async () => {
      onRequest();
      await waiting;
      throw new Error('the response does not matter');
    },
  });
  const response = request(`http://127.0.0.1:${slow.addresses[0]?.port}/metrics`);
  await underWay;
  const closed = slow.close();
  respond();
  const { headers, body } = await response;
  await body.dump();
  expect(headers['connection']).toBe('close');
  await closed;
});
