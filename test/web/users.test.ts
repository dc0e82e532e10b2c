import { compare as bcryptCompare, hashSync } from 'bcryptjs';
import { describe, expect, test } from 'vitest';
import { parseCredentials } from '../../src/web/credentials.ts';
import { MAX_WAITING, Turns } from '../../src/web/turns.ts';
import { type Client, TooManyChecksError, Users } from '../../src/web/users.ts';

const HASHES = { alice: hashSync('alice123', 4), bob: hashSync('bob123', 4) };
const USERS: ReadonlyMap<string, string> = new Map(Object.entries(HASHES));

function client(name = 'a', isGone = () => false): Client {
  return { name, isGone };
}

function login(text: string) {
  const [user = '', password = ''] = text.split('/');
  return { user, password };
}

/** Answers each comparison only when told to. */
function heldCompare() {
  const asked: string[] = [];
  const answers: ((matches: boolean) => void)[] = [];
  const compare = (password: string) => {
    asked.push(password);
    return new Promise<boolean>((resolve) => answers.push(resolve));
  };
  const answer = async (matches: boolean) => {
    answers.shift()?.(matches);
    await settled();
  };
  return { asked, compare, answer };
}

/** After all that can happen without an answer has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function countedBcrypt() {
  const hashes: string[] = [];
  const users = new Users((password, hash) => {
    hashes.push(hash);
    return bcryptCompare(password, hash);
  });
  const admits = (text: string, known = USERS) => users.admits(login(text), known, client());
  return { admits, hashes };
}

describe('the credentials of a request', () => {
  const encoded = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

  test.each([
    [encoded('alice:alice123'), 'alice', 'alice123'],
    [encoded('alice:a:b:'), 'alice', 'a:b:'],
    [encoded('alice:'), 'alice', ''],
    [encoded(':x'), '', 'x'],
    [encoded('\ufeffjürgen:пароль'), '\ufeffjürgen', 'пароль'],
    [encoded('alice:x').replace('Basic', 'bAsIc'), 'alice', 'x'],
  ])('are taken from %j', (header, user, password) => {
    expect(parseCredentials(header)).toEqual({ user, password });
  });

  test.each([
    undefined,
    '',
    'Basic',
    'Basic ',
    encoded('alice'),
    encoded('alice:alice123').replace('Basic ', ''),
    encoded('alice:alice123').replace('Basic ', 'Bearer '),
    encoded('alice:alice123').replace('Basic ', 'Basic  '),
    encoded('alice:x').replace(/=+$/, ''),
    'Basic YWxpY2U6_w==',
    `Basic ${Buffer.from('alice:\xff', 'latin1').toString('base64')}`,
  ])('are none in %j', (header) => {
    expect(parseCredentials(header)).toBeUndefined();
  });
});

describe('a password', () => {
  test.each([
    ['alice/alice123', true],
    ['bob/bob123', true],
    ['alice/bob123', false],
    ['alice/', false],
    ['mallory/alice123', false],
    ['constructor/alice123', false],
  ])('%s admits: %s', async (text, admitted) => {
    expect(await countedBcrypt().admits(text)).toBe(admitted);
  });

  test('is compared once, and then remembered, right or wrong, of a known user or not', async () => {
    for (const [text, admitted] of [
      ['alice/alice123', true],
      ['alice/x', false],
      ['mallory/x', false],
    ] as const) {
      const { admits, hashes } = countedBcrypt();
      expect([await admits(text), await admits(text), await admits(text)]).toEqual(Array(3).fill(admitted));
      expect(hashes).toHaveLength(1);
    }
  });

  test('of an unknown user never admits, though it be that of the dummy hash', async () => {
    const users = new Users(() => Promise.resolve(true));
    for (const _ of [1, 2]) {
      expect(await users.admits(login('mallory/fakepassword'), USERS, client())).toBe(false);
    }
  });

  test('is not mistaken for another one by where its name ends', async () => {
    const { compare, asked, answer } = heldCompare();
    const users = new Users(compare);
    const known = new Map([
      ['a', 'h'],
      ['a,h', 'h'],
    ]);
    const first = users.admits({ user: 'a', password: 'h,x' }, known, client());
    const second = users.admits({ user: 'a,h', password: 'x' }, known, client());
    await answer(true);
    expect(asked).toHaveLength(2);
    await answer(false);
    expect([await first, await second]).toEqual([true, false]);
  });

  test('admits no more once the hash has changed, or the user has gone', async () => {
    const { admits } = countedBcrypt();
    expect(await admits('alice/alice123')).toBe(true);
    expect(await admits('alice/alice123', new Map([['alice', HASHES.bob]]))).toBe(false);
    expect(await admits('alice/alice123', new Map([['bob', HASHES.bob]]))).toBe(false);
    expect(await admits('alice/alice123')).toBe(true);
  });

  test('admits no more once the user has gone, though the hash was that of the dummy', async () => {
    const dummy = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';
    const users = new Users(() => Promise.resolve(true));
    const admits = (name: string) =>
      users.admits(login('alice/fakepassword'), new Map([[name, dummy]]), client());
    expect([await admits('alice'), await admits('bob'), await admits('alice')]).toEqual([true, false, true]);
  });

  test('that is right is remembered however many wrong ones come after', async () => {
    const { admits, hashes } = countedBcrypt();
    await admits('alice/alice123');
    await Promise.all(Array.from({ length: 150 }, (_, number) => admits(`alice/${number}`)));
    hashes.length = 0;
    expect(await admits('alice/alice123')).toBe(true);
    expect(hashes).toEqual([]);
  });

  test('that is wrong is remembered until a hundred others are', async () => {
    const { admits, hashes } = countedBcrypt();
    for (let number = 0; number <= 100; number += 1) {
      await admits(`alice/${number}`);
    }
    hashes.length = 0;
    await admits('alice/1');
    expect(hashes).toHaveLength(0);
    await admits('alice/0');
    expect(hashes).toHaveLength(1);
  });

  test('that could not be compared is compared again', async () => {
    let broken = true;
    const users = new Users(() =>
      broken ? Promise.reject(new Error('thread ended')) : Promise.resolve(true),
    );
    const admits = () => users.admits(login('alice/alice123'), USERS, client());
    await expect(Promise.allSettled([admits(), admits()])).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    broken = false;
    expect(await admits()).toBe(true);
  });
});

describe('the name of an unknown user', () => {
  const cheap = HASHES.alice;
  const costly = hashSync('x', 5);
  const mixed = new Map([
    ['alice', cheap],
    ['bob', costly],
  ]);
  const costOfUnknown = async (name: string, known: ReadonlyMap<string, string>) => {
    const { admits, hashes } = countedBcrypt();
    await admits(`${name}/x`, known);
    expect(hashes).toHaveLength(1);
    return hashes[0]?.slice(0, 7);
  };

  test.each([cheap, costly])('costs one comparison, as costly as that of a known one: %s', async (hash) => {
    expect(await costOfUnknown('mallory', new Map([['alice', hash]]))).toBe(
      hash.replace('$2b', '$2y').slice(0, 7),
    );
  });

  test('costs now this, now that where users differ, and the same name always the same', async () => {
    const names = Array.from({ length: 20 }, (_, number) => `mallory${number}`);
    const costs = await Promise.all(names.map((name) => costOfUnknown(name, mixed)));
    expect(new Set(costs)).toEqual(new Set(['$2y$04$', '$2y$05$']));
    expect(await Promise.all(names.map((name) => costOfUnknown(name, mixed)))).toEqual(costs);
  });
});

describe('checks', () => {
  test('happen one at a time', async () => {
    const { compare, asked, answer } = heldCompare();
    const users = new Users(compare);
    const checks = ['1', '2'].map((password) =>
      users.admits(login(`alice/${password}`), USERS, client(password)),
    );
    await settled();
    expect(asked).toEqual(['1']);
    await answer(false);
    expect(asked).toEqual(['1', '2']);
    await answer(true);
    expect(await Promise.all(checks)).toEqual([false, true]);
  });

  test('of a client wait for one check of each other client at most', async () => {
    const { compare, asked, answer } = heldCompare();
    const users = new Users(compare);
    for (const password of ['1', '2', '3', '4']) {
      void users.admits(login(`alice/${password}`), USERS, client('flood'));
    }
    const scrape = users.admits(login('alice/alice123'), USERS, client('scraper'));
    await answer(false);
    await answer(false);
    expect(asked).toEqual(['1', '2', 'alice123']);
    await answer(true);
    expect(await scrape).toBe(true);
    expect(asked).toEqual(['1', '2', 'alice123', '3']);
  });

  test('that are equal are one, and it happens at the first turn of any of their clients', async () => {
    const { compare, asked, answer } = heldCompare();
    const users = new Users(compare);
    const admits = (password: string, name: string) =>
      users.admits(login(`alice/${password}`), USERS, client(name));
    void admits('1', 'flood');
    void admits('2', 'flood');
    const equal = [admits('alice123', 'flood'), admits('alice123', 'scraper'), admits('alice123', 'scraper')];
    await answer(false);
    await answer(false);
    expect(asked).toEqual(['1', '2', 'alice123']);
    await answer(true);
    expect(await Promise.all(equal)).toEqual([true, true, true]);
    expect(asked).toEqual(['1', '2', 'alice123']);
  });

  test('wait for one client in a limited number, and what is known already passes them', async () => {
    const { compare, answer } = heldCompare();
    const users = new Users(compare);
    const admits = (text: string, name = 'a') => users.admits(login(text), USERS, client(name));
    const known = admits('bob/bob123');
    await answer(true);
    expect(await known).toBe(true);
    // One is under way, and the others wait.
    const flood = Array.from({ length: MAX_WAITING + 1 }, (_, number) => admits(`alice/${number}`));
    await settled();
    await expect(admits('alice/one more')).rejects.toThrow(TooManyChecksError);
    expect(await admits('bob/bob123')).toBe(true);
    const other = admits('alice/alice123', 'b');
    for (const matches of [false, false, true]) {
      await answer(matches);
    }
    expect(await other).toBe(true);
    for (const _ of flood) {
      await answer(false);
    }
    expect(await Promise.all(flood)).not.toContain(true);
    const again = admits('alice/one more');
    await answer(false);
    expect(await again).toBe(false);
  });

  test('whose clients have all hung up are skipped', async () => {
    const { compare, asked, answer } = heldCompare();
    const users = new Users(compare);
    let gone = false;
    const admits = (password: string, isGone?: () => boolean) =>
      users.admits(login(`alice/${password}`), USERS, client('a', isGone));
    void admits('1');
    void admits('2', () => gone);
    void admits('3', () => gone);
    const waiting = admits('3');
    gone = true;
    await answer(false);
    expect(asked).toEqual(['1', '3']);
    await answer(true);
    expect(await waiting).toBe(true);
    void admits('2');
    await settled();
    expect(asked).toEqual(['1', '3', '2']);
  });
});

test('turns go round, and a client that comes back waits for all others', async () => {
  const done: string[] = [];
  const turns = new Turns();
  const add = (name: string) =>
    turns.add(name.slice(0, 1), async () => {
      done.push(name);
      if (name === 'a1') {
        add('a3');
      }
    });
  for (const name of ['x1', 'a1', 'a2', 'b1', 'b2', 'c1']) {
    add(name);
  }
  await settled();
  expect(done).toEqual(['x1', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});
