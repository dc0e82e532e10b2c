import { compare as bcryptCompare, hashSync } from 'bcryptjs';
import { describe, expect, test } from 'vitest';
import { MAX_WAITING, Passwords, TooManyChecksError } from '../../src/web/passwords.ts';

const HASHES = { alice: hashSync('alice123', 4), bob: hashSync('bob123', 4) };
const USERS: ReadonlyMap<string, string> = new Map(Object.entries(HASHES));

interface Attempt {
  readonly users?: ReadonlyMap<string, string>;
  readonly address?: string;
  readonly hasDisconnected?: () => boolean;
}

/** @returns a function that takes `user/password` */
function checkWith(compare: (password: string, hash: string) => Promise<boolean>) {
  const passwords = new Passwords(compare);
  return (text: string, { users = USERS, address = 'a', hasDisconnected = () => false }: Attempt = {}) => {
    const [user = '', password = ''] = text.split('/');
    return passwords.check({ user, password }, users, { address, hasDisconnected });
  };
}

/** Records the compared hashes. */
function counted() {
  const hashes: string[] = [];
  const check = checkWith((password, hash) => {
    hashes.push(hash);
    return bcryptCompare(password, hash);
  });
  return { check, hashes };
}

/** Completes each comparison when called: a password that contains `right` matches. */
function held() {
  const compared: string[] = [];
  const pending: (() => void)[] = [];
  const check = checkWith((password) => {
    compared.push(password);
    return new Promise((resolve) => pending.push(() => resolve(password.includes('right'))));
  });
  const complete = async (count = 1) => {
    await settled();
    for (let index = 0; index < count; index += 1) {
      pending.shift()?.();
      await settled();
    }
  };
  return { check, compared, complete };
}

/** Lets pending callbacks run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a password', () => {
  test.each([
    ['alice/alice123', true],
    ['bob/bob123', true],
    ['alice/bob123', false],
    ['alice/', false],
    ['mallory/alice123', false],
    ['constructor/alice123', false],
  ])('%s (right: %s) is compared once and then cached', async (text, admitted) => {
    const { check, hashes } = counted();
    expect([await check(text), await check(text), await check(text)]).toEqual(Array(3).fill(admitted));
    expect(hashes).toHaveLength(1);
  });

  test('that several clients send at once is compared once', async () => {
    const { check, compared, complete } = held();
    const burst = ['a', 'a', 'b', 'c', 'c'].map((address) => check('alice/right', { address }));
    await complete();
    expect(await Promise.all(burst)).toEqual(Array(5).fill(true));
    expect(compared).toEqual(['right']);
  });

  test("is not confused with another user's if name and password are split differently", async () => {
    const users = new Map(['a', 'a,h'].map((name) => [name, 'h']));
    const passwords = new Passwords(async (password) => password === 'x');
    const client = { address: 'a', hasDisconnected: () => false };
    expect(await passwords.check({ user: 'a', password: 'h,x' }, users, client)).toBe(false);
    expect(await passwords.check({ user: 'a,h', password: 'x' }, users, client)).toBe(true);
  });

  test('is rejected after its hash changed or its user was removed', async () => {
    const { check } = counted();
    const checkAmong = (users: Readonly<Record<string, string>>) =>
      check('alice/alice123', { users: new Map(Object.entries(users)) });
    expect(await checkAmong(HASHES)).toBe(true);
    expect(await checkAmong({ alice: HASHES.bob })).toBe(false);
    expect(await checkAmong({ bob: HASHES.bob })).toBe(false);
    expect(await checkAmong(HASHES)).toBe(true);
  });

  test('of an unknown or removed user is rejected even if it matches the dummy hash', async () => {
    const standIn = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';
    const check = checkWith(async () => true);
    const results = [];
    for (const name of ['alice', 'bob', 'alice']) {
      results.push(await check('alice/fakepassword', { users: new Map([[name, standIn]]) }));
    }
    expect(results).toEqual([true, false, true]);
    expect(await check('mallory/fakepassword')).toBe(false);
  });

  test('stays cached if it is right, and the last hundred wrong ones are cached, too', async () => {
    const { check, hashes } = counted();
    await check('alice/alice123');
    for (let number = 0; number <= 100; number += 1) {
      await check(`alice/${number}`);
    }
    hashes.length = 0;
    expect([await check('alice/alice123'), await check('alice/1')]).toEqual([true, false]);
    expect(hashes).toHaveLength(0);
    await check('alice/0');
    expect(hashes).toHaveLength(1);
  });

  test('whose comparison failed is compared again, and does not delay others', async () => {
    let broken = true;
    const check = checkWith(async () => {
      if (broken) {
        throw new Error('thread ended');
      }
      return true;
    });
    const results = await Promise.allSettled([check('alice/1'), check('alice/1'), check('alice/2')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    broken = false;
    expect(await check('alice/1')).toBe(true);
  });
});

describe('an unknown user costs one comparison', () => {
  const withCost = (cost: string) => `$2b$${cost}${HASHES.alice.slice(6)}`;

  const costs = async (users: ReadonlyMap<string, string>) => {
    const hashes: string[] = [];
    const check = checkWith(async (_password, hash) => {
      hashes.push(hash);
      return false;
    });
    for (let number = 0; number < 20; number += 1) {
      await check(`mallory${number}/x`, { users });
    }
    return hashes.map((hash) => hash.slice(0, 7));
  };

  test.each(['04', '10', '12'])('with the cost of the known users: %s', async (cost) => {
    const users = new Map(['alice', 'bob'].map((name) => [name, withCost(cost)]));
    expect(await costs(users)).toEqual(Array(20).fill(`$2y$${cost}$`));
  });

  test('with one of several costs, the same one after a restart', async () => {
    const mixed = new Map(['04', '10', '12'].map((cost) => [cost, withCost(cost)]));
    const before = await costs(mixed);
    expect(new Set(before)).toEqual(new Set(['$2y$04$', '$2y$10$', '$2y$12$']));
    expect(await costs(mixed)).toEqual(before);
  });

  test('with the dummy hash of exporter-toolkit if the cost is the same', async () => {
    const { check, hashes } = counted();
    expect(await check('mallory/fakepassword', { users: new Map([['alice', withCost('10')]]) })).toBe(false);
    expect(hashes).toEqual(['$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi']);
  });
});

describe('clients with pending password checks', () => {
  test('take turns, one comparison at a time', async () => {
    const { check, compared, complete } = held();
    const results = ['x1', 'a1', 'a2', 'b1 right', 'b2', 'c1'].map((password) =>
      check(`alice/${password}`, { address: password.slice(0, 1) }),
    );
    await settled();
    expect(compared).toEqual(['x1']);
    await complete(2);
    results.push(check('alice/a3', { address: 'a' }));
    await complete(5);
    expect(compared).toEqual(['x1', 'a1', 'b1 right', 'c1', 'a2', 'b2', 'a3']);
    expect((await Promise.all(results)).indexOf(true)).toBe(3);
  });

  test.each(['alice', 'mallory'])(
    'wait for at most one comparison of another client, despite a flood for %s',
    async (name) => {
      const { check, compared, complete } = held();
      const flood = Array.from({ length: 20 }, (_, number) => check(`${name}/${number}`, { address: 'a' }));
      for (const [turn, password] of ['b right', 'b1', 'c right'].entries()) {
        const other = check(`bob/${password}`, { address: password.slice(0, 1) });
        await complete(2);
        expect(compared.indexOf(password)).toBe(2 * turn + 1);
        expect(await other).toBe(password.includes('right'));
      }
      await complete(20);
      await Promise.all(flood);
    },
  );

  test('have a limited queue, which delays neither known passwords nor other clients', async () => {
    const { check, complete } = held();
    const known = check('bob/right');
    await complete();
    expect(await known).toBe(true);
    // One is being compared, and the others wait.
    const flood = Array.from({ length: MAX_WAITING + 1 }, (_, number) => check(`alice/${number}`));
    await settled();
    await expect(check('alice/one more')).rejects.toThrow(TooManyChecksError);
    expect(await check('bob/right')).toBe(true);
    const other = check('alice/right', { address: 'b' });
    await complete(3);
    expect(await other).toBe(true);
    await complete(flood.length);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([false]));
  });

  test('are skipped after they disconnected', async () => {
    const { check, compared, complete } = held();
    let disconnected = false;
    const hasDisconnected = () => disconnected;
    const [first, second, third] = [
      check('alice/1'),
      check('alice/2', { hasDisconnected }),
      check('alice/3 right'),
    ];
    disconnected = true;
    await complete(2);
    expect(compared).toEqual(['1', '3 right']);
    expect(await Promise.all([first, second, third])).toEqual([false, undefined, true]);
  });
});
