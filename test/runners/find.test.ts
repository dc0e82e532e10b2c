import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFinder, type RunnerFinder } from '../../src/runners/find.ts';
import { readProcesses } from '../../src/runners/processes.ts';
import { FakeProc, type FakeProcess, hash, llamaServer, OLLAMA_UID } from './fake-proc.ts';

const PORT = 11_434;
const SERVER: FakeProcess = {
  pid: 100,
  comm: 'ollama',
  argv: ['/usr/bin/ollama', 'serve'],
  sockets: [PORT],
  forkingThread: 107,
};
const A = hash('a');
const RUNNER: FakeProcess = {
  pid: 200,
  parent: 100,
  comm: 'llama-server',
  argv: llamaServer(A, 40_001),
  startTicks: 9_000,
  residentKib: 250_000,
};

/** Ollama with one runner. */
function machine(): FakeProc {
  return new FakeProc().add(SERVER, RUNNER).listen({ port: PORT }, { port: 40_001 });
}

function finderOf(proc: FakeProc, { addresses = ['7f000001'], walkEveryMs = 0 } = {}): RunnerFinder {
  return createFinder(readProcesses(proc.folder), { addresses, port: PORT }, walkEveryMs);
}

async function blobsOf(finder: RunnerFinder): Promise<readonly (string | undefined)[]> {
  return (await finder.find()).map(({ blob }) => blob);
}

test('finds a runner with its blob, port, memory and start time relative to the exporter', async () => {
  expect(await finderOf(machine()).find()).toEqual([
    {
      processKey: '200 9000',
      blob: A,
      name: undefined,
      port: 40_001,
      hasEndpoints: true,
      isOlder: false,
      residentBytes: 250_000 * 1_024,
    },
  ]);
});

test('marks a runner that started before the exporter', async () => {
  const proc = machine().add({ ...RUNNER, startTicks: 4_999 });
  expect(await finderOf(proc).find()).toMatchObject([{ isOlder: true }]);
});

test('finds runners if the kernel does not list children', async () => {
  const proc = new FakeProc();
  proc.hasChildrenFiles = false;
  proc.add(SERVER, RUNNER).listen({ port: PORT }, { port: 40_001 });
  expect(await blobsOf(finderOf(proc))).toEqual([A]);
});

test('finds only children of the server if the kernel does not list children', async () => {
  const proc = new FakeProc();
  proc.hasChildrenFiles = false;
  proc
    .add(SERVER, RUNNER, { ...RUNNER, pid: 201, parent: 1 }, { ...RUNNER, pid: 202, parent: 101 })
    .listen({ port: PORT }, { port: 40_001 });
  expect(await finderOf(proc).find()).toMatchObject([{ processKey: '200 9000' }]);
});

test('reading a thousand processes does not block the event loop', async () => {
  const others = Array.from({ length: 1_000 }, (_, index) => ({
    pid: 1_000 + index,
    comm: 'sh',
    argv: ['sh'],
  }));
  const proc = machine();
  proc.hasChildrenFiles = false;
  proc.add(...others);
  let turns = 0;
  const count = () => {
    turns += 1;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  onTestFinished(() => clearImmediate(timer));
  expect(await readProcesses(proc.folder).all()).toHaveLength(1_002);
  expect(turns).toBeGreaterThan(5);
});

describe('not a runner of this server:', () => {
  test.each<[string, FakeProcess]>([
    [
      'a GPU discovery, which has a port and no model',
      { ...RUNNER, argv: ['llama-server', '--port', '40001'] },
    ],
    ['a zombie', { ...RUNNER, state: 'Z' }],
    ['an orphan of a killed server', { ...RUNNER, parent: 1 }],
    ['a process with another name', { ...RUNNER, comm: 'llama-bench' }],
    ['a process with llama-server inside its name', { ...RUNNER, comm: 'x) S 100 (llama-server' }],
    ['a process of another user', { ...RUNNER, uid: 1_000 }],
    [
      'a process whose model is not a blob',
      { ...RUNNER, argv: ['llama-server', '--model', '/tmp/x.gguf', '--port', '40001'] },
    ],
    ['a process with port 65536', { ...RUNNER, argv: llamaServer(A, 65_536) }],
    ['a process with port 0', { ...RUNNER, argv: llamaServer(A, 0) }],
    ['a process that does not listen yet', { ...RUNNER, argv: llamaServer(A, 40_002) }],
    ['a fork of the server before exec', { ...RUNNER, comm: 'ollama', argv: SERVER.argv }],
    ['a process without a command line', { ...RUNNER, argv: [] }],
  ])('%s', async (_what, process) => {
    const proc = new FakeProc().add(SERVER, process).listen({ port: PORT }, { port: 40_001 });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('a process whose port belongs to another user', async () => {
    const proc = new FakeProc().add(SERVER, RUNNER).listen({ port: PORT }, { port: 40_001, uid: 1_000 });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('a process whose port is on a network address', async () => {
    const proc = new FakeProc()
      .add(SERVER, RUNNER)
      .listen({ port: PORT }, { port: 40_001, address: '0A00000A' });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('a process of another user that imitates a runner', async () => {
    const forged = { ...RUNNER, pid: 300, parent: 1, uid: 1_000, argv: llamaServer(A, 40_003) };
    const proc = machine().add(forged).listen({ port: 40_003, uid: 1_000 });
    expect(await finderOf(proc).find()).toMatchObject([{ processKey: '200 9000' }]);
  });
});

test('a process that becomes a runner by exec is found afterwards', async () => {
  const proc = machine().add({ ...RUNNER, comm: 'ollama', argv: SERVER.argv });
  const finder = finderOf(proc);
  expect(await finder.find()).toEqual([]);
  proc.add(RUNNER);
  expect(await blobsOf(finder)).toEqual([A]);
});

test('a known runner is not read again until its pid is reused', async () => {
  const proc = machine();
  const finder = finderOf(proc);
  const [first] = await finder.find();
  proc.add({ ...RUNNER, argv: ['rewritten'] });
  expect(await blobsOf(finder)).toEqual([A]);
  proc.add({ ...RUNNER, startTicks: 9_500, argv: llamaServer(hash('b'), 40_001) });
  expect(await finder.find()).toMatchObject([{ processKey: '200 9500', blob: hash('b') }]);
  expect(first && finder.refresh(first)).toBeUndefined();
});

test('a runner that has ended is forgotten, so that its port is not queried again', async () => {
  const proc = machine();
  const finder = finderOf(proc);
  const [runner] = await finder.find();
  proc.remove(RUNNER.pid);
  expect(finder.known()).toEqual([runner]);
  expect(runner && finder.refresh(runner)).toBeUndefined();
  expect(finder.known()).toEqual([]);
});

describe('two servers on one machine', () => {
  const other = { ...SERVER, pid: 101, sockets: [22_222] };
  const twin = { ...RUNNER, pid: 201, parent: 101, argv: llamaServer(A, 40_002) };
  const both = (server: Partial<FakeProcess>, second: Partial<FakeProcess>) =>
    new FakeProc()
      .add({ ...SERVER, ...server }, { ...other, ...second }, RUNNER, twin)
      .listen({ port: PORT }, { port: 22_222 }, { port: 40_001 }, { port: 40_002 });

  test('are distinguished by socket, although their runners serve the same blob', async () => {
    expect(await finderOf(both({}, {})).find()).toMatchObject([{ processKey: '200 9000' }]);
  });

  test('are ambiguous if their sockets are unreadable', async () => {
    const proc = both({ sockets: undefined }, { sockets: undefined });
    await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'ambiguous' });
  });

  test('are distinguished by user, even if their sockets are unreadable', async () => {
    const proc = both({ sockets: undefined }, { sockets: undefined, uid: 1_000 });
    expect(await finderOf(proc).find()).toMatchObject([{ processKey: '200 9000' }]);
  });

  test('are distinguished if the sockets of one are readable', async () => {
    const proc = both({ sockets: undefined }, {});
    expect(await finderOf(proc).find()).toMatchObject([{ processKey: '200 9000' }]);
  });

  test('on the same port of two addresses are distinguished by address', async () => {
    const proc = new FakeProc()
      .add(SERVER, { ...other, sockets: [333] }, RUNNER, twin)
      .listen({ port: PORT }, { port: 40_001 }, { port: 40_002 })
      .listen({ port: PORT, inode: 333, address: '00000000' });
    expect(await finderOf(proc).find()).toMatchObject([{ processKey: '200 9000' }]);
    expect(await finderOf(proc, { addresses: ['0a00000a'] }).find()).toMatchObject([
      { processKey: '201 9000' },
    ]);
  });
});

describe('a server', () => {
  test.each([
    ['on IPv6', '00000000000000000000000001000000', '0'.repeat(31).concat('1')],
    ['on all addresses', '00000000', '7f000001'],
    ['on all IPv6 addresses, which accept IPv4', '0'.repeat(32), '7f000001'],
    ['on IPv4 with an IPv6 socket', '0000000000000000FFFF00000100007F', '7f000001'],
  ])('%s is found', async (_where, address, key) => {
    const proc = new FakeProc().add(SERVER, RUNNER).listen({ port: PORT, address }, { port: 40_001 });
    expect(await blobsOf(finderOf(proc, { addresses: [key] }))).toEqual([A]);
  });

  test('is found again after a restart', async () => {
    const proc = machine();
    const finder = finderOf(proc);
    await finder.find();
    proc.remove(100);
    proc.remove(200);
    await expect(finder.find()).rejects.toMatchObject({ reason: 'hidden' });
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 }, { ...RUNNER, pid: 210, parent: 110 });
    expect(await finder.find()).toMatchObject([{ processKey: '210 9000' }]);
  });

  test('is not found as a zombie', async () => {
    const proc = machine();
    const finder = finderOf(proc);
    await finder.find();
    proc.add({ ...SERVER, state: 'Z', sockets: [] }, { ...RUNNER, parent: 1 });
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 }, { ...RUNNER, pid: 210, parent: 110 });
    expect(await finder.find()).toMatchObject([{ processKey: '210 9000' }]);
  });

  test('is searched for only once per interval', async () => {
    const proc = machine();
    const finder = finderOf(proc, { walkEveryMs: 60_000 });
    await finder.find();
    proc.remove(100);
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 });
    await expect(finder.find()).rejects.toMatchObject({ reason: 'hidden' });
  });

  test('that is forking a runner counts once', async () => {
    const copy = { ...SERVER, pid: 300, parent: 100 };
    expect(await blobsOf(finderOf(machine().add(copy)))).toEqual([A]);
  });

  test('is not confused with a client', async () => {
    const client = { pid: 150, comm: 'ollama', argv: ['ollama', 'run', 'serve'], sockets: undefined };
    const proc = machine().add({ ...SERVER, sockets: undefined }, client);
    expect(await blobsOf(finderOf(proc))).toEqual([A]);
  });
});

describe('the server is hidden if', () => {
  test.each<[string, () => FakeProc]>([
    ['its process is invisible, as with hidepid', () => new FakeProc().listen({ port: PORT })],
    ['no process listens on its port', () => new FakeProc().add(SERVER, RUNNER)],
    [
      'something else listens on its port, such as a tunnel',
      () => new FakeProc().add({ ...SERVER, sockets: [1] }, RUNNER).listen({ port: PORT, inode: 7 }),
    ],
    [
      'another user owns its port, such as a port published by a container',
      () => machine().add({ ...SERVER, sockets: undefined, uid: 1_000 }),
    ],
  ])('%s', async (_what, proc) => {
    await expect(finderOf(proc()).find()).rejects.toMatchObject({ reason: 'hidden' });
  });

  test('the user namespace does not map its user, as with PrivateUsers=yes', async () => {
    const nobodyUser = { uid: 65_534 };
    const proc = new FakeProc()
      .add({ ...SERVER, ...nobodyUser }, { ...RUNNER, ...nobodyUser })
      .listen({ port: PORT, ...nobodyUser }, { port: 40_001, ...nobodyUser });
    expect(await blobsOf(finderOf(proc))).toEqual([A]);
    proc.uidMap('         0          0          1\n     61234      61234          1\n');
    await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'hidden' });
  });
});

test('more than 64 runners are too_large', async () => {
  const proc = machine();
  const more = Array.from({ length: 64 }, (_, index) => ({ ...RUNNER, pid: 1_000 + index }));
  proc.add(...more);
  await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'too_large' });
  proc.remove(1_000);
  expect(await finderOf(proc).find()).toHaveLength(64);
});

test('runners of MLX and of Ollama before 0.30 are found, and are not queried', async () => {
  const runner = (pid: number, argv: readonly string[]) => ({ ...RUNNER, pid, comm: 'ollama', argv });
  const blob = `/root/.ollama/models/blobs/sha256-${A}`;
  const proc = new FakeProc()
    .add(
      SERVER,
      runner(200, ['/usr/bin/ollama', 'runner', '--ollama-engine', '--model', blob, '--port', '40001']),
    )
    .add(runner(201, ['/usr/bin/ollama', 'runner', '--mlx-engine', '--model', 'qwen3:4b', '--port', '40002']))
    .listen({ port: PORT }, { port: 40_001 }, { port: 40_002 });
  expect(await finderOf(proc).find()).toMatchObject([
    { blob: A, name: undefined, hasEndpoints: false },
    { blob: undefined, name: 'qwen3:4b', hasEndpoints: false },
  ]);
});

test('a hanging command line is skipped, read only once, and does not delay other runners', async () => {
  const proc = machine().add({ ...RUNNER, pid: 300, argv: llamaServer(hash('stuck'), 40_001) });
  const file = join(proc.folder, '300/cmdline');
  rmSync(file);
  execFileSync('mkfifo', [file]);
  const processes = readProcesses(proc.folder);
  let reads = 0;
  const argv = (pid: number) => {
    reads += pid === 300 ? 1 : 0;
    return processes.argv(pid);
  };
  const finder = createFinder({ ...processes, argv }, { addresses: ['7f000001'], port: PORT });
  const start = performance.now();
  expect(await blobsOf(finder)).toEqual([A]);
  expect(await blobsOf(finder)).toEqual([A]);
  expect(performance.now() - start).toBeLessThan(5_000);
  expect(reads).toBe(1);
  // Otherwise its thread would never end.
  closeSync(openSync(file, constants.O_WRONLY));
});

test('hanging command lines of other users are not read', async () => {
  const proc = machine().add({ ...SERVER, sockets: undefined });
  const hostile = Array.from({ length: 8 }, (_, index) => join(proc.folder, `${900 + index}/cmdline`));
  for (const [index, file] of hostile.entries()) {
    proc.add({ ...SERVER, pid: 900 + index, uid: 1_000, sockets: undefined });
    rmSync(file);
    execFileSync('mkfifo', [file]);
  }
  const start = performance.now();
  const found = await blobsOf(finderOf(proc)).catch((error: unknown) => error);
  const ms = performance.now() - start;
  for (const file of hostile) {
    endReads(file);
  }
  expect(found).toEqual([A]);
  expect(ms).toBeLessThan(900);
});

/** Otherwise the threads that read it would never end. */
function endReads(file: string): void {
  try {
    closeSync(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Nobody reads it.
  }
}

test('a runner is found among ten thousand children', async () => {
  const proc = new FakeProc().add(SERVER).listen({ port: PORT }, { port: 40_001 });
  proc.add(RUNNER);
  const others = Array.from({ length: 10_000 }, (_, index) => 10_000 + index);
  writeFileSync(join(proc.folder, '100/task/107/children'), `${others.join(' ')} 200 `);
  expect(await blobsOf(finderOf(proc))).toEqual([A]);
});

test('user ids and process names are readable without privileges', async () => {
  const proc = machine().add({ ...SERVER, sockets: undefined }, { ...RUNNER, sockets: undefined });
  expect(await blobsOf(finderOf(proc))).toEqual([A]);
  expect(readProcesses(proc.folder).uid(100)).toBe(OLLAMA_UID);
});
