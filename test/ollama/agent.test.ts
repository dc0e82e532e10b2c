/** What the Agent keeps for targets, as seen by their servers. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Agents, createAgents } from '../../src/ollama/agent.ts';
import { createOllamaClient } from '../../src/ollama/client.ts';
import { limitIdleConnections } from '../../src/ollama/idle-connections.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let handlers: Handlers;
let ollamas: readonly FakeOllama[];
let agents: Agents;

beforeEach(async () => {
  handlers = { ps: json('{"models":[]}'), version: json(VERSION_BODY) };
  ollamas = await Promise.all(Array.from({ length: 20 }, () => startFakeOllama(handlers)));
  agents = createAgents({ connectTimeoutMs: 5_000, keepAliveMs: 500 });
});

afterEach(async () => {
  await Promise.all(Object.values(agents).map((agent) => agent.destroy()));
  await Promise.all(ollamas.map(({ close }) => close()));
});

const signal = () => new AbortController().signal;

function version({ url }: { readonly url: URL }): Promise<string> {
  return createOllamaClient({ url, agents, userAgent: 'test' }).version({ signal: signal() });
}

const connected = () => ollamas.reduce((sum, { connections }) => sum + connections.size, 0);
const known = () => Object.keys(agents.version.stats).length;

test('targets that are no longer scraped keep neither a connection nor an entry', async () => {
  await Promise.all(ollamas.map(version));
  expect({ connected: connected(), known: known() }).toEqual({ connected: 20, known: 20 });
  await expect
    .poll(() => ({ connected: connected(), known: known() }), { timeout: 15_000 })
    .toEqual({
      connected: 0,
      known: 0,
    });
  expect(await Promise.all(ollamas.map(version))).toEqual(Array(20).fill('0.33.0'));
});

test('a connection is not reused after its maximum age, and the next one resolves the name again', async () => {
  await Promise.all(Object.values(agents).map((each) => each.destroy()));
  const [first] = ollamas;
  const port = Number(first?.url.port);
  const moved = await startFakeOllama(
    { ...handlers, version: json('{"version":"0.34.0"}') },
    port,
    '127.0.0.2',
  );
  let address = '127.0.0.1';
  agents = createAgents({
    connectTimeoutMs: 5_000,
    connectionMs: 200,
    lookupFor: () => (_hostname, _options, callback) => callback(null, [{ address, family: 4 }]),
  });
  const url = new URL(`http://ollama.example:${port}`);
  expect(await version({ url })).toBe('0.33.0');
  address = '127.0.0.2';
  const start = performance.now();
  const seen = new Set<string>();
  while (!seen.has('0.34.0')) {
    seen.add(await version({ url }));
  }
  expect(performance.now() - start).toBeGreaterThan(150);
  expect([...seen]).toEqual(['0.33.0', '0.34.0']);
  await moved.close();
});

test('beyond the limit of idle connections to an address, the oldest are closed and reopened on demand', async () => {
  await Promise.all(Object.values(agents).map((each) => each.destroy()));
  agents = createAgents({ connectTimeoutMs: 5_000, idleConnections: limitIdleConnections(5, 100) });
  for (const ollama of ollamas) {
    await version(ollama);
  }
  await expect.poll(connected).toBe(5);
  expect(ollamas.slice(-5).map(({ connections }) => connections.size)).toEqual(Array(5).fill(1));
  expect(await Promise.all(ollamas.map(version))).toEqual(Array(20).fill('0.33.0'));
});

test('connections in use are not closed for the idle limit', async () => {
  await Promise.all(Object.values(agents).map((each) => each.destroy()));
  agents = createAgents({ connectTimeoutMs: 5_000, idleConnections: limitIdleConnections(100, 2) });
  const responses: (() => void)[] = [];
  handlers.version = (_request, response) => responses.push(() => response.end(VERSION_BODY));
  const all = ollamas.map(version);
  await expect.poll(() => responses.length, { timeout: 15_000 }).toBe(20);
  for (const respond of responses) {
    respond();
  }
  expect(await Promise.all(all)).toEqual(Array(20).fill('0.33.0'));
});

test('unreachable targets keep no entry', async () => {
  const urls = ollamas.map(({ url }) => url);
  await Promise.all(ollamas.map(({ close }) => close()));
  await Promise.all(urls.map((url) => expect(version({ url })).rejects.toMatchObject({ reason: 'refused' })));
  await expect.poll(known, { timeout: 15_000 }).toBe(0);
});

test('a hanging request delays no other request to the same or another server', async () => {
  handlers.ps = () => {};
  const [first, second] = ollamas;
  const hanging = new AbortController();
  const client = createOllamaClient({ url: first?.url ?? new URL('http://x'), agents, userAgent: 'test' });
  const ps = client.ps({ signal: hanging.signal });
  expect(await client.version({ signal: signal() })).toBe('0.33.0');
  expect(second && (await version(second))).toBe('0.33.0');
  hanging.abort(new Error('enough'));
  await expect(ps).rejects.toMatchObject({ reason: 'timeout', message: 'enough' });
});
