import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { beforeEach, expect, test } from 'vitest';
import { failureReason } from '../../src/ollama/errors.ts';
import { createLookup } from '../../src/ollama/lookup.ts';

const ADDRESS: LookupAddress = { address: '10.0.0.1', family: 4 };

/** Pending requests to the resolver. */
let resolving: {
  readonly hostname: string;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
}[];

const resolver = (hostname: string) =>
  new Promise<readonly LookupAddress[]>((resolve, reject) => {
    resolving.push({ hostname, succeed: () => resolve([ADDRESS]), fail: reject });
  });

beforeEach(() => {
  resolving = [];
});

function lookUp(lookup: LookupFunction, hostname: string): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

const names = () => resolving.map(({ hostname }) => hostname);

test('concurrent lookups of a name are one', async () => {
  const lookup = createLookup(resolver);
  const both = Promise.all([lookUp(lookup, 'a'), lookUp(lookup, 'a')]);
  await expect.poll(names).toEqual(['a']);
  resolving[0]?.succeed();
  expect(await both).toEqual([[ADDRESS], [ADDRESS]]);
  const again = lookUp(lookup, 'a');
  await expect.poll(names).toEqual(['a', 'a']);
  resolving[1]?.succeed();
  expect(await again).toEqual([ADDRESS]);
});

test('at most four lookups run, and the others wait in order', async () => {
  const lookup = createLookup(resolver);
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => lookUp(lookup, name));
  await expect.poll(names).toEqual(['a', 'b', 'c', 'd']);
  resolving[1]?.fail(new Error('no such name'));
  await expect(all[1]).rejects.toThrow('no such name');
  await expect.poll(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  resolving[0]?.succeed();
  await expect.poll(names).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  for (const { succeed } of resolving) {
    succeed();
  }
  expect(await Promise.all([all[0], all[2], all[3], all[4], all[5]])).toEqual(Array(5).fill([ADDRESS]));
});

test('a name that waits too long, or beyond the queue, fails as dns and is never resolved', async () => {
  const lookup = createLookup(resolver, { maxRunning: 1, maxWaiting: 1, maxWaitMs: 50 });
  const hanging = lookUp(lookup, 'a');
  const waiting = lookUp(lookup, 'b');
  const beyond = await lookUp(lookup, 'c').catch((error: unknown) => error);
  expect(beyond).toMatchObject({ message: 'too many names are being resolved: 1 others wait' });
  expect(failureReason(beyond, 'head')).toBe('dns');
  await expect(waiting).rejects.toThrow('too many names are being resolved: no turn within 0.05 s');
  resolving[0]?.succeed();
  await hanging;
  const good = lookUp(lookup, 'good');
  await expect.poll(names).toEqual(['a', 'good']);
  resolving[1]?.succeed();
  expect(await good).toEqual([ADDRESS]);
});

test('after a flood of unresponsive names, only the running lookups remain', async () => {
  const lookup = createLookup(resolver, { maxWaitMs: 100 });
  const attack = Array.from({ length: 3_000 }, (_, index) =>
    lookUp(lookup, `x${index}`).catch(() => 'failed'),
  );
  await expect.poll(names).toHaveLength(4);
  expect(await Promise.all(attack.slice(4))).toEqual(Array(2_996).fill('failed'));
  for (const { fail } of resolving) {
    fail(new Error('timed out'));
  }
  const good = lookUp(lookup, 'good');
  await expect.poll(names).toContain('good');
  resolving.at(-1)?.succeed();
  expect(await good).toEqual([ADDRESS]);
});
