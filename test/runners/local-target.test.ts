import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { localTarget } from '../../src/runners/local-target.ts';
import { startInProcess } from '../exporter-in-process.ts';

describe('an Ollama on this machine can be', () => {
  test.each([
    ['http://127.0.0.1:11434', ['7f000001'], 11_434],
    ['http://127.9.9.9', ['7f090909'], 80],
    ['https://[::1]:443', ['00000000000000000000000000000001'], 443],
    ['http://[::ffff:127.0.0.1]:1', ['7f000001'], 1],
  ] as const)('%s', async (url, addresses, port) => {
    expect(await localTarget(new URL(url), 'linux')).toEqual({ addresses, port });
  });

  test('localhost, with all its addresses', async () => {
    const { addresses } = await localTarget(new URL('http://localhost:11434'), 'linux');
    expect(['7f000001', '00000000000000000000000000000001']).toEqual(expect.arrayContaining([...addresses]));
  });

  const [own] = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');

  test.skipIf(own === undefined)('an address of a network interface', async () => {
    expect((await localTarget(new URL(`http://${own?.address}:11434`), 'linux')).port).toBe(11_434);
  });
});

describe('the error explains the rejection of', () => {
  test.each([
    [undefined, 'linux', '--ollama.url is none'],
    ['http://192.0.2.7:11434', 'linux', '192.0.2.7 is not one of its addresses'],
    ['http://[2001:db8::7]', 'linux', '2001:db8::7 is not one of its addresses'],
    ['http://gpu.invalid:11434', 'linux', 'gpu.invalid does not resolve'],
    ['http://127.0.0.1:11434', 'darwin', 'requires Linux, not darwin'],
    ['http://127.0.0.1:11434', 'win32', 'requires Linux, not win32'],
  ])('%s on %s', async (url, platform, sentence) => {
    await expect(localTarget(url === undefined ? undefined : new URL(url), platform)).rejects.toThrow(
      sentence,
    );
  });

  test('a remote Ollama at startup', async () => {
    const start = startInProcess(new URL('http://192.0.2.7:11434'), { collectRunners: true });
    await expect(start).rejects.toThrow("run the exporter on Ollama's machine");
  });
});
