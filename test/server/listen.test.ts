import { createServer } from 'node:http';
import { Server } from 'node:net';
import pino from 'pino';
import { request } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import { createReadings } from '../../src/scrape/sharing.ts';
import type { ServerDependencies } from '../../src/server/app.ts';
import { startExporter } from '../../src/server/listen.ts';
import { readPageAssets } from '../../src/status/assets.ts';
import { startRunningConfig } from '../../src/targets/modules.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

const log = pino({ level: 'silent' });
const config = await startRunningConfig(undefined, 1_000, log);
const url = new URL('http://127.0.0.1:1');

const dependencies: Omit<ServerDependencies, 'closing' | 'stopping'> = {
  createServer: (handler, limits) => createServer(limits, handler),
  targets: createTargets(
    { url, timeoutMs: 1_000, capacity: NO_CAPACITY, collectors: ['ps', 'version'] },
    config,
  ),
  config,
  readings: createReadings(() => {
    throw new Error('not asked for');
  }),
  offsetMs: 0,
  onSnapshot: () => {},
  ownMetrics: undefined,
  assets: readPageAssets(),
  version: '1',
  telemetryPath: '/metrics',
  simulated: false,
  log,
};

async function start(addresses: string) {
  const exporter = await startExporter(parseListenAddresses(addresses), dependencies);
  onTestFinished(exporter.close);
  return exporter;
}

describe('the exporter listens', () => {
  test('on IPv4 alone where the kernel has no IPv6', async () => {
    const listen = Server.prototype.listen;
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
      return Reflect.apply(listen, this, args);
    });
    onTestFinished(() => spy.mockRestore());
    const { addresses } = await start(':0');
    expect(addresses.map(({ hostname }) => hostname)).toEqual(['0.0.0.0']);
  });

  test('on the one address of a name, IPv4 before IPv6', async () => {
    const { addresses } = await start('localhost:0');
    expect(addresses.map(({ hostname }) => hostname)).toEqual(['127.0.0.1']);
  });

  test('on none of its addresses where one of them can not be had', async () => {
    const { addresses } = await start('127.0.0.1:0');
    const taken = addresses[0]?.port;
    const closed = vi.spyOn(Server.prototype, 'close');
    onTestFinished(() => closed.mockRestore());
    await expect(
      startExporter(parseListenAddresses(`127.0.0.1:0,127.0.0.1:${taken}`), dependencies),
    ).rejects.toThrow(`could not listen on "127.0.0.1:${taken}" (--web.listen-address): listen EADDRINUSE`);
    expect(closed).toHaveBeenCalled();
  });
});

test('an answer that is given while closing ends its connection', async () => {
  let answer = () => {};
  const waiting = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let asked = () => {};
  const underWay = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const slow = await startExporter(parseListenAddresses('127.0.0.1:0'), {
    ...dependencies,
    readings: {
      ...dependencies.readings,
      shared: async () => {
        asked();
        await waiting;
        throw new Error('the answer does not matter');
      },
    },
  });
  const response = request(`http://127.0.0.1:${slow.addresses[0]?.port}/metrics`);
  await underWay;
  const closed = slow.close();
  answer();
  const { headers, body } = await response;
  await body.dump();
  expect(headers['connection']).toBe('close');
  await closed;
});
