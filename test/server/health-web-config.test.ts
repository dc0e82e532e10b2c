/** The image's health check, without credentials, against exporters with TLS and authentication. */
import { hashSync } from 'bcryptjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkHealth } from '../../src/server/health.ts';
import { type Certificate, newAuthority } from '../certificates.ts';
import { startGuarded } from '../web-server.ts';

let server: Certificate;
let authority: string;

beforeAll(async () => {
  const issuer = await newAuthority();
  authority = issuer.cert;
  server = await issuer.issue();
});

const TLS = ['tls_server_config:', '  cert_file: server.crt', '  key_file: server.key'];
const REQUIRED = ['  client_auth_type: RequireAndVerifyClientCert', '  client_ca_file: clients.crt'];
const PASSWORD = ['basic_auth_users:', `  prometheus: ${hashSync('x', 10)}`];

describe('the health check succeeds', () => {
  test.each([
    ['without TLS and authentication', []],
    ['with basic authentication', PASSWORD],
    ['with TLS', TLS],
    ['with TLS and basic authentication', [...TLS, ...PASSWORD]],
    ['with a client certificate', [...TLS, ...REQUIRED]],
    ['with a client certificate under TLS 1.2', [...TLS, ...REQUIRED, '  max_version: TLS12']],
  ])('%s', async (_, lines) => {
    const files = { 'web.yml': lines.join('\n'), 'server.crt': server.cert, 'server.key': server.key };
    const { port } = await startGuarded({ ...files, 'clients.crt': authority });
    const url = new URL(`http://127.0.0.1:${port}/-/healthy`);
    await expect(
      checkHealth({ url, hasWebConfig: true }, AbortSignal.timeout(10_000)),
    ).resolves.toBeUndefined();
  });
});

test('the health check of a hanging exporter fails, with TLS too', async () => {
  const files = { 'web.yml': TLS.join('\n'), 'server.crt': server.cert, 'server.key': server.key };
  const { port } = await startGuarded(files, () => {});
  const url = new URL(`http://127.0.0.1:${port}/-/healthy`);
  await expect(checkHealth({ url, hasWebConfig: true }, AbortSignal.timeout(300))).rejects.toThrow(
    'no response in time',
  );
});
