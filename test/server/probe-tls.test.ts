import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Authority, type Certificate, newAuthority } from '../certificates.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { parseExposition, sampleValue } from '../exposition.ts';

const folder = mkdtempSync(join(tmpdir(), 'probe-tls-'));
let authority: Authority;
let client: Certificate;
let server: Server;
let target: string;
/** For each request, the name in the client certificate, the requested server name, and the Host header. */
let seen: {
  readonly client: string | undefined;
  readonly sni: string | false | null;
  readonly host: string | undefined;
}[];
let exporter: InProcessExporter | undefined;

function write(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

beforeAll(async () => {
  authority = await newAuthority();
  client = await authority.issue({ name: 'exporter' });
  write('ca.pem', authority.cert);
  write('client.pem', client.cert);
  write('client.key', client.key);
});

afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  seen = [];
  await serve(await authority.issue());
});

afterEach(async () => {
  await exporter?.close();
  exporter = undefined;
  await stop();
});

async function serve(certificate: Certificate): Promise<void> {
  server = createServer(
    { ...certificate, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
    (incoming, response) => {
      const socket = incoming.socket as TLSSocket;
      seen.push({
        client: socket.authorized ? socket.getPeerX509Certificate()?.subject : undefined,
        sni: socket.servername ?? null,
        host: incoming.headers.host,
      });
      response.end(incoming.url === '/api/ps' ? '{"models":[]}' : '{"version":"0.33.0"}');
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/** @param tls_config as flow YAML; paths are relative to the folder */
async function probe(tls_config: string, more = ''): Promise<string> {
  exporter ??= await startInProcess(new URL('http://127.0.0.1:1'), {
    configYaml: `modules: { default: { allow: ["127.0.0.0/8"], tls_config: ${tls_config} ${more} } }`,
  });
  const url = new URL(`/probe?target=${encodeURIComponent(target)}`, exporter.url);
  return await (await request(url)).body.text();
}

function isUp(text: string): boolean {
  return sampleValue(parseExposition(text), 'ollama_up') === 1;
}

test('a target whose certificate is signed by ca_file is up, and receives the client certificate', async () => {
  const text = await probe(
    `{ ca_file: ${folder}/ca.pem, cert_file: ${folder}/client.pem, key_file: ${folder}/client.key }`,
  );
  expect(isUp(text)).toBe(true);
  expect(seen.map((request) => request.client)).toEqual(['CN=exporter', 'CN=exporter']);
});

describe('a target is down with reason tls if its certificate', () => {
  test('has an unknown CA', async () => {
    expect(await probe('{}')).toContain('ollama_scrape_error{api="ps",reason="tls"} 1');
    expect(seen).toEqual([]);
  });

  test('is for another name', async () => {
    await stop();
    await serve(await authority.issue({ sans: [{ type: 'dns', value: 'other' }] }));
    expect(await probe(`{ ca_file: ${folder}/ca.pem }`)).toContain('reason="tls"');
    expect(seen).toEqual([]);
  });

  test('has expired', async () => {
    await stop();
    await serve(await authority.issue({ expired: true }));
    expect(await probe(`{ ca_file: ${folder}/ca.pem }`)).toContain('reason="tls"');
  });
});

test('insecure_skip_verify accepts any certificate', async () => {
  expect(isUp(await probe('{ insecure_skip_verify: true }'))).toBe(true);
});

test('server_name sets the expected name, independently of the Host header', async () => {
  await stop();
  await serve(await authority.issue({ sans: [{ type: 'dns', value: 'ollama' }] }));
  const text = await probe(
    `{ ca_file: ${folder}/ca.pem, server_name: ollama }`,
    ', headers: { Host: "localhost:11434" }',
  );
  expect(isUp(text)).toBe(true);
  expect(seen).toEqual(Array(2).fill({ client: undefined, sni: 'ollama', host: 'localhost:11434' }));
});

test('the Host header does not change the expected name of the certificate', async () => {
  await stop();
  await serve(await authority.issue({ sans: [{ type: 'dns', value: 'localhost' }] }));
  const text = await probe(`{ ca_file: ${folder}/ca.pem }`, ', headers: { Host: localhost }');
  expect(text).toContain('reason="tls"');
});

test('certificate files are read for each new connection', async () => {
  write('rotating.pem', client.cert);
  write('rotating.key', client.key);
  const config = `{ ca_file: ${folder}/ca.pem, cert_file: ${folder}/rotating.pem, key_file: ${folder}/rotating.key }`;
  await probe(config);
  const next = await authority.issue({ name: 'exporter two' });
  write('rotating.pem', next.cert);
  write('rotating.key', next.key);
  server.closeAllConnections();
  // If a request finds its old connection closed, it is retried.
  expect(isUp(await probe(config))).toBe(true);
  expect(new Set(seen.slice(2).map((request) => request.client))).toEqual(new Set(['CN=exporter two']));

  write('rotating.key', 'garbage');
  server.closeAllConnections();
  expect(await probe(config)).toContain('reason="tls"');
  rmSync(join(folder, 'rotating.key'));
  expect(await probe(config)).toContain('reason="config"');
});
