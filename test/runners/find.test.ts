import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
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

test('finds a runner by its server: blob, port, memory, and that it began after the exporter', async () => {
  expect(await finderOf(machine()).find()).toEqual([
    {
      life: '200 9000',
      blob: A,
      name: undefined,
      port: 40_001,
      answers: true,
      isOlder: false,
      residentBytes: 250_000 * 1_024,
    },
  ]);
});

test('a runner that began before the exporter is known as such', async () => {
  const proc = machine().add({ ...RUNNER, startTicks: 4_999 });
  expect(await finderOf(proc).find()).toMatchObject([{ isOlder: true }]);
});

test('a kernel that lists no children is walked through instead', async () => {
  const proc = new FakeProc();
  proc.hasChildrenFiles = false;
  proc.add(SERVER, RUNNER).listen({ port: PORT }, { port: 40_001 });
  expect(await blobsOf(finderOf(proc))).toEqual([A]);
});

test('of all that such a walk finds, only the children of our server are runners', async () => {
  const proc = new FakeProc();
  proc.hasChildrenFiles = false;
  proc
    .add(SERVER, RUNNER, { ...RUNNER, pid: 201, parent: 1 }, { ...RUNNER, pid: 202, parent: 101 })
    .listen({ port: PORT }, { port: 40_001 });
  expect(await finderOf(proc).find()).toMatchObject([{ life: '200 9000' }]);
});

test('a thousand processes are read in turns with other work', async () => {
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

describe('is no runner of ours', () => {
  test.each<[string, FakeProcess]>([
    [
      'a discovery of GPUs, which has a port and no model',
      { ...RUNNER, argv: ['llama-server', '--port', '40001'] },
    ],
    ['one that has ended, but is not collected yet', { ...RUNNER, state: 'Z' }],
    ['an orphan of a server that was killed', { ...RUNNER, parent: 1 }],
    ['a process of another name', { ...RUNNER, comm: 'llama-bench' }],
    ['one that only says so in the middle of its name', { ...RUNNER, comm: 'x) S 100 (llama-server' }],
    ['one of another user', { ...RUNNER, uid: 1_000 }],
    [
      'one whose model is no blob',
      { ...RUNNER, argv: ['llama-server', '--model', '/tmp/x.gguf', '--port', '40001'] },
    ],
    ['one with a port beyond the last', { ...RUNNER, argv: llamaServer(A, 65_536) }],
    ['one with port 0', { ...RUNNER, argv: llamaServer(A, 0) }],
    ['one whose port nobody listens on yet', { ...RUNNER, argv: llamaServer(A, 40_002) }],
    [
      'a copy of the server that is about to become a runner',
      { ...RUNNER, comm: 'ollama', argv: SERVER.argv },
    ],
    ['one without a command line', { ...RUNNER, argv: [] }],
  ])('%s', async (_what, process) => {
    const proc = new FakeProc().add(SERVER, process).listen({ port: PORT }, { port: 40_001 });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('one whose port another user listens on', async () => {
    const proc = new FakeProc().add(SERVER, RUNNER).listen({ port: PORT }, { port: 40_001, uid: 1_000 });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('one whose port is open to the network, not on loopback', async () => {
    const proc = new FakeProc()
      .add(SERVER, RUNNER)
      .listen({ port: PORT }, { port: 40_001, address: '0A00000A' });
    expect(await finderOf(proc).find()).toEqual([]);
  });

  test('a process of another user that pretends all it can', async () => {
    const forged = { ...RUNNER, pid: 300, parent: 1, uid: 1_000, argv: llamaServer(A, 40_003) };
    const proc = machine().add(forged).listen({ port: 40_003, uid: 1_000 });
    expect(await finderOf(proc).find()).toMatchObject([{ life: '200 9000' }]);
  });
});

test('a process that becomes a runner by exec is found then', async () => {
  const proc = machine().add({ ...RUNNER, comm: 'ollama', argv: SERVER.argv });
  const finder = finderOf(proc);
  expect(await finder.find()).toEqual([]);
  proc.add(RUNNER);
  expect(await blobsOf(finder)).toEqual([A]);
});

test('a runner that was found is not read again, until its pid is of another process', async () => {
  const proc = machine();
  const finder = finderOf(proc);
  const [first] = await finder.find();
  proc.add({ ...RUNNER, argv: ['rewritten'] });
  expect(await blobsOf(finder)).toEqual([A]);
  proc.add({ ...RUNNER, startTicks: 9_500, argv: llamaServer(hash('b'), 40_001) });
  expect(await finder.find()).toMatchObject([{ life: '200 9500', blob: hash('b') }]);
  expect(first && finder.isAlive(first)).toBe(false);
});

describe('two servers on one machine', () => {
  const other = { ...SERVER, pid: 101, sockets: [22_222] };
  const twin = { ...RUNNER, pid: 201, parent: 101, argv: llamaServer(A, 40_002) };
  const both = (server: Partial<FakeProcess>, second: Partial<FakeProcess>) =>
    new FakeProc()
      .add({ ...SERVER, ...server }, { ...other, ...second }, RUNNER, twin)
      .listen({ port: PORT }, { port: 22_222 }, { port: 40_001 }, { port: 40_002 });

  test('are told apart by the socket, though their runners serve the same blob', async () => {
    expect(await finderOf(both({}, {})).find()).toMatchObject([{ life: '200 9000' }]);
  });

  test('are ambiguous where their sockets can not be seen', async () => {
    const proc = both({ sockets: undefined }, { sockets: undefined });
    await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'ambiguous' });
  });

  test('are told apart by their users, sockets or not', async () => {
    const proc = both({ sockets: undefined }, { sockets: undefined, uid: 1_000 });
    expect(await finderOf(proc).find()).toMatchObject([{ life: '200 9000' }]);
  });

  test('of which one shows other sockets leave the other one', async () => {
    const proc = both({ sockets: undefined }, {});
    expect(await finderOf(proc).find()).toMatchObject([{ life: '200 9000' }]);
  });

  test('on one port of two addresses are told apart by the address', async () => {
    const proc = new FakeProc()
      .add(SERVER, { ...other, sockets: [333] }, RUNNER, twin)
      .listen({ port: PORT }, { port: 40_001 }, { port: 40_002 })
      .listen({ port: PORT, inode: 333, address: '00000000' });
    expect(await finderOf(proc).find()).toMatchObject([{ life: '200 9000' }]);
    expect(await finderOf(proc, { addresses: ['0a00000a'] }).find()).toMatchObject([{ life: '201 9000' }]);
  });
});

describe('a server', () => {
  test.each([
    ['on IPv6', '00000000000000000000000001000000', '0'.repeat(31).concat('1')],
    ['on all addresses', '00000000', '7f000001'],
    ['on all addresses of IPv6, which takes IPv4 too', '0'.repeat(32), '7f000001'],
    ['on IPv4 by a socket of IPv6', '0000000000000000FFFF00000100007F', '7f000001'],
  ])('%s is found', async (_where, address, key) => {
    const proc = new FakeProc().add(SERVER, RUNNER).listen({ port: PORT, address }, { port: 40_001 });
    expect(await blobsOf(finderOf(proc, { addresses: [key] }))).toEqual([A]);
  });

  test('that was started again is found again', async () => {
    const proc = machine();
    const finder = finderOf(proc);
    await finder.find();
    proc.remove(100);
    proc.remove(200);
    await expect(finder.find()).rejects.toMatchObject({ reason: 'hidden' });
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 }, { ...RUNNER, pid: 210, parent: 110 });
    expect(await finder.find()).toMatchObject([{ life: '210 9000' }]);
  });

  test('that has ended, but is not collected, is not the one', async () => {
    const proc = machine();
    const finder = finderOf(proc);
    await finder.find();
    proc.add({ ...SERVER, state: 'Z', sockets: [] }, { ...RUNNER, parent: 1 });
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 }, { ...RUNNER, pid: 210, parent: 110 });
    expect(await finder.find()).toMatchObject([{ life: '210 9000' }]);
  });

  test('is looked for at most so often', async () => {
    const proc = machine();
    const finder = finderOf(proc, { walkEveryMs: 60_000 });
    await finder.find();
    proc.remove(100);
    proc.add({ ...SERVER, pid: 110, startTicks: 8_000 });
    await expect(finder.find()).rejects.toMatchObject({ reason: 'hidden' });
  });

  test('that is just starting a runner is not two', async () => {
    const copy = { ...SERVER, pid: 300, parent: 100 };
    expect(await blobsOf(finderOf(machine().add(copy)))).toEqual([A]);
  });

  test('is not its client', async () => {
    const client = { pid: 150, comm: 'ollama', argv: ['ollama', 'run', 'serve'], sockets: undefined };
    const proc = machine().add({ ...SERVER, sockets: undefined }, client);
    expect(await blobsOf(finderOf(proc))).toEqual([A]);
  });
});

describe('is said to be hidden', () => {
  test.each<[string, () => FakeProc]>([
    ['a process that can not be seen, as with hidepid', () => new FakeProc().listen({ port: PORT })],
    ['a port that nobody listens on here', () => new FakeProc().add(SERVER, RUNNER)],
    [
      'a port that something else listens on, such as a tunnel',
      () => new FakeProc().add({ ...SERVER, sockets: [1] }, RUNNER).listen({ port: PORT, inode: 7 }),
    ],
    [
      'a port of another user, such as a published one of a container',
      () => machine().add({ ...SERVER, sockets: undefined, uid: 1_000 }),
    ],
  ])('%s', async (_what, proc) => {
    await expect(finderOf(proc()).find()).rejects.toMatchObject({ reason: 'hidden' });
  });

  test('a user that the user namespace does not show, as with PrivateUsers=yes', async () => {
    const nobody = { uid: 65_534 };
    const proc = new FakeProc()
      .add({ ...SERVER, ...nobody }, { ...RUNNER, ...nobody })
      .listen({ port: PORT, ...nobody }, { port: 40_001, ...nobody });
    expect(await blobsOf(finderOf(proc))).toEqual([A]);
    proc.uidMap('         0          0          1\n     61234      61234          1\n');
    await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'hidden' });
  });
});

test('more than 64 runners are too many', async () => {
  const proc = machine();
  const more = Array.from({ length: 64 }, (_, index) => ({ ...RUNNER, pid: 1_000 + index }));
  proc.add(...more);
  await expect(finderOf(proc).find()).rejects.toMatchObject({ reason: 'too_large' });
  proc.remove(1_000);
  expect(await finderOf(proc).find()).toHaveLength(64);
});

test('the runners of MLX and of Ollama before 0.30 are known, and have nothing to be asked', async () => {
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
    { blob: A, name: undefined, answers: false },
    { blob: undefined, name: 'qwen3:4b', answers: false },
  ]);
});

test('a command line that hangs is given up, is not read a second time, and costs the others nothing', async () => {
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
  // Else its thread would never end.
  closeSync(openSync(file, constants.O_WRONLY));
});

test('what another user may not see needs no error: user ids and names are for all', async () => {
  const proc = machine().add({ ...SERVER, sockets: undefined }, { ...RUNNER, sockets: undefined });
  expect(await blobsOf(finderOf(proc))).toEqual([A]);
  expect(readProcesses(proc.folder).uid(100)).toBe(OLLAMA_UID);
});
