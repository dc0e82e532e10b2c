import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Connections, openConnections } from '../../src/ollama/connections.ts';
import { keepConnections, type TargetConnections } from '../../src/targets/target-connections.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let ollamas: readonly FakeOllama[];
let targets: TargetConnections;

beforeEach(async () => {
  const answers = { ps: json('{"models":[]}'), version: json(VERSION_BODY) };
  ollamas = await Promise.all(Array.from({ length: 50 }, () => startFakeOllama(answers)));
});

afterEach(async () => {
  targets.close();
  await Promise.all(ollamas.map(({ close }) => close()));
});

const open = (origin: string) => openConnections(origin, { connectTimeoutMs: 5_000 });
const get = async (connections: Connections) =>
  (await connections.get('/api/version', new AbortController().signal)).text;

async function use<T>(
  origin: string,
  work: (connections: Connections) => Promise<T>,
  worthKeeping: () => boolean,
) {
  const { connections, end } = targets.lease(origin);
  try {
    return await work(connections);
  } finally {
    end(worthKeeping());
  }
}

function connected(): number {
  return ollamas.reduce((sum, { connections }) => sum + connections.size, 0);
}

function askAll(worthKeeping: boolean): Promise<unknown> {
  return Promise.all(ollamas.map(({ url }) => use(url.origin, get, () => worthKeeping)));
}

test('targets that nobody asks any more leave neither an entry nor a connection', async () => {
  targets = keepConnections(open, 300);
  for (let scrape = 0; scrape < 3; scrape += 1) {
    await askAll(true);
  }
  expect(targets.size()).toBe(50);
  await expect.poll(targets.size, { timeout: 15_000 }).toBe(0);
  await expect.poll(connected, { timeout: 15_000 }).toBe(0);
});

test('a target is kept for as long as it is asked', async () => {
  targets = keepConnections(open, 2_000);
  const [{ url, connections } = { url: new URL('http://a'), connections: new Set() }] = ollamas;
  await use(url.origin, get, () => true);
  const [first] = connections;
  for (let scrape = 0; scrape < 6; scrape += 1) {
    await delay(500);
    await use(url.origin, get, () => true);
  }
  expect([...connections]).toEqual([first]);
});

test('of more targets than are to be kept, those that were not asked for longest are dropped', async () => {
  targets = keepConnections(open, 60_000, 3);
  const asked = ollamas.slice(0, 4);
  for (const { url } of [...asked, ...asked.slice(2), ...asked.slice(0, 1)]) {
    await use(url.origin, get, () => true);
  }
  expect(targets.size()).toBe(3);
  const perTarget = () => asked.map(({ connections }) => connections.size);
  await expect.poll(perTarget, { timeout: 15_000 }).toEqual([1, 0, 1, 1]);
});

test('a target that is not worth keeping is dropped at once', async () => {
  targets = keepConnections(open);
  await askAll(false);
  expect(targets.size()).toBe(0);
  await expect.poll(connected, { timeout: 15_000 }).toBe(0);
});

test('closing drops what is idle at once, and the rest as its work ends', async () => {
  targets = keepConnections(open);
  await askAll(true);
  const [{ url } = { url: new URL('http://a') }] = ollamas;
  let finish = () => {};
  const underWay = use(
    url.origin,
    async (connections) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return await get(connections);
    },
    () => true,
  );
  targets.close();
  expect(targets.size()).toBe(1);
  finish();
  expect(await underWay).toBe(VERSION_BODY);
  expect(targets.size()).toBe(0);
  await expect.poll(connected, { timeout: 15_000 }).toBe(0);
});
