/** Interim responses, which clients must skip (RFC 9110, 15.2). */
import { afterEach, expect, test } from 'vitest';
import { newAuthority } from '../certificates.ts';
import { startInProcess } from '../exporter-in-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { type RawServer, type Respond, responseOf, startRawServer } from '../raw-server.ts';

let server: RawServer | undefined;

afterEach(() => {
  server?.close();
});

/** Two scrapes; the second one reuses the connection. */
async function scrapeTwice(respond: Respond): Promise<readonly Exposition[]> {
  server = await startRawServer(respond);
  const exporter = await startInProcess(server.url, { timeoutMs: 10_000 });
  const expositions = [await exporter.scrape(), await exporter.scrape()];
  await exporter.close();
  return expositions;
}

function expectResponses(expositions: readonly Exposition[]): void {
  for (const exposition of expositions) {
    expect(exposition.has('ollama_scrape_error')).toBe(false);
    expect(sampleValue(exposition, 'ollama_model_size_bytes')).toBe(7);
    expect(exposition.get('ollama_version_info')?.samples[0]?.labels).toEqual({ version: '0.33.0' });
  }
}

const reasonsOf = (exposition: Exposition | undefined) =>
  exposition?.get('ollama_scrape_error')?.samples.map(({ labels }) => labels['reason']);

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

test.each([
  ['102', 'HTTP/1.1 102 Processing\r\n\r\n'],
  ['103 with headers', HINTS],
  ['104, which is not registered', 'HTTP/1.1 104 Upload Resumption Supported\r\n\r\n'],
  ['199', 'HTTP/1.1 199 Miscellaneous Warning\r\n\r\n'],
  ['100, which was not requested', CONTINUE],
  ['100 without a phrase', 'HTTP/1.1 100\r\n\r\n'],
  ['100 with headers', 'HTTP/1.1 100 Continue\r\nServer: a\r\nDate: b\r\n\r\n'],
  ['100 with bare line feeds', 'HTTP/1.1 100 Continue\n\n'],
  ['100 five times', CONTINUE.repeat(5)],
  ['fifty of all kinds', (CONTINUE + HINTS).repeat(25)],
])('%s before the response is skipped', async (_, interim) => {
  expectResponses(await scrapeTwice((path) => interim + responseOf(path)));
});

test.each([
  ['100', CONTINUE],
  ['103', HINTS],
])('%s is skipped even if each byte arrives separately', async (_, interim) => {
  expectResponses(
    await scrapeTwice((path, socket) => {
      socket.setNoDelay(true);
      const bytes = interim + responseOf(path);
      const sendFrom = (index: number) => {
        if (index < bytes.length) {
          socket.write(bytes.charAt(index), () => setImmediate(sendFrom, index + 1));
        }
      };
      sendFrom(0);
      return undefined;
    }),
  );
});

test('100 is skipped over TLS', async () => {
  const authority = await newAuthority();
  const { cert, key } = await authority.issue();
  server = await startRawServer((path) => CONTINUE + responseOf(path), { cert, key });
  const exporter = await startInProcess(server.url, {
    configYaml: 'modules: { default: { tls_config: { insecure_skip_verify: true } } }',
  });
  expectResponses([await exporter.scrape(), await exporter.scrape()]);
  await exporter.close();
});

test('an interim response inside a body is kept', async () => {
  const body = `{"models":[{"model":"${CONTINUE.trim()}","size":7}]}`;
  const [first] = await scrapeTwice((path, socket) => {
    if (path === '/api/version') {
      return responseOf(path);
    }
    const half = '{"models":[{"model":"'.length;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, half)}`, () =>
      setTimeout(() => socket.write(body.slice(half)), 20),
    );
    return undefined;
  });
  expect(first?.get('ollama_model_size_bytes')?.samples[0]?.labels).toMatchObject({
    model: 'HTTP/1.1 100 Continue',
  });
});

test('endless interim responses time out', async () => {
  server = await startRawServer((_path, socket) => {
    const timer = setInterval(() => socket.write(CONTINUE), 5);
    socket.on('close', () => clearInterval(timer));
    return undefined;
  });
  const exporter = await startInProcess(server.url, { timeoutMs: 300 });
  expect(reasonsOf(await exporter.scrape())).toEqual(['timeout', 'timeout']);
  await exporter.close();
});

test('an unrequested 101 Switching Protocols is invalid', async () => {
  const [first] = await scrapeTwice(
    () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  );
  expect(reasonsOf(first)).toEqual(['invalid', 'invalid']);
});

test('an interim response with endless headers is too_large', async () => {
  const [first] = await scrapeTwice(() => `HTTP/1.1 100 Continue\r\nX: ${'a'.repeat(20_000)}`);
  expect(reasonsOf(first)).toEqual(['too_large', 'too_large']);
});
