import { createServer, type RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { checkHealth, exporterArguments, healthAddress } from '../../src/server/health.ts';

describe('the arguments of the exporter', () => {
  test.each([
    ['the first process of its container', ['/nodejs/bin/node', '/app/dist/main.js', '--demo']],
    ['behind an init', ['/sbin/docker-init', '--', '/nodejs/bin/node', '/app/dist/main.js', '--demo']],
    ['installed by npm', ['node', '/usr/local/bin/ollama-exporter', '--demo']],
  ])('are found as %s', (_, words) => {
    expect(exporterArguments(`${words.join('\0')}\0`)).toEqual(['--demo']);
  });

  test('are empty if the first process is not the exporter', () => {
    expect(exporterArguments('/usr/lib/systemd/systemd\0--system\0')).toEqual([]);
  });
});

describe('the health check URL', () => {
  test.each([
    ['is the default', [], 'http://localhost:10434/-/healthy', false],
    ['has the configured port', ['--web.listen-address=:9999'], 'http://localhost:9999/-/healthy', false],
    [
      'is localhost for 0.0.0.0',
      ['--web.listen-address=0.0.0.0:9999'],
      'http://localhost:9999/-/healthy',
      false,
    ],
    [
      'is the first of several addresses',
      ['--web.listen-address=10.0.0.5:80,:9999'],
      'http://10.0.0.5/-/healthy',
      false,
    ],
    [
      'has the configured IPv6 address',
      ['--web.listen-address=[::1]:9999'],
      'http://[::1]:9999/-/healthy',
      false,
    ],
    [
      'may use TLS with a web configuration file',
      ['--web.config.file=web.yml'],
      'http://localhost:10434/-/healthy',
      true,
    ],
  ])('%s', (_, args, href, hasWebConfig) => {
    const invocation = parseCommandLine(args, {}, '');
    expect(invocation.kind === 'run' && healthAddress(invocation.config)).toEqual({
      url: new URL(href),
      hasWebConfig,
    });
  });
});

describe('the health check', () => {
  async function serve(handler: RequestListener): Promise<URL> {
    const server = createServer(handler).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/-/healthy`);
  }

  const status = (code: number): RequestListener => {
    return (_, response) => response.writeHead(code).end();
  };

  test.each([
    [200, false],
    [200, true],
    [401, true],
    [429, true],
  ])('succeeds with status %i, web configuration: %s', async (code, hasWebConfig) => {
    const url = await serve(status(code));
    await expect(checkHealth({ url, hasWebConfig }, AbortSignal.timeout(5_000))).resolves.toBeUndefined();
  });

  test.each([
    [401, false],
    [404, false],
    [500, true],
  ])('fails with status %i, web configuration: %s', async (code, hasWebConfig) => {
    const url = await serve(status(code));
    await expect(checkHealth({ url, hasWebConfig }, AbortSignal.timeout(5_000))).rejects.toThrow(
      `${url.href} returned status ${code}`,
    );
  });

  test('fails if the response times out', async () => {
    const url = await serve(() => {});
    await expect(checkHealth({ url, hasWebConfig: false }, AbortSignal.timeout(50))).rejects.toThrow(
      `could not query ${url.href}: no response in time`,
    );
  });
});
