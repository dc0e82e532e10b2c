import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Authority, type Certificate, newAuthority } from '../certificates.ts';
import { keptConnection, type Live, type RequestOptions, startGuarded } from '../web-server.ts';

let authority: Authority;
let server: Certificate;
let renewed: Certificate;
let otherClient: Certificate;
const clients: Record<string, Certificate> = {};
let otherAuthority: Authority;

beforeAll(async () => {
  authority = await newAuthority();
  otherAuthority = await newAuthority('another authority');
  server = await authority.issue({ name: 'first' });
  renewed = await authority.issue({ name: 'renewed' });
  const sans = [
    { type: 'dns', value: 'prometheus.example' },
    { type: 'ip', value: '2001:db8::1' },
  ] as const;
  otherClient = await otherAuthority.issue({ sans: [...sans] });
  clients['good'] = await authority.issue({ sans: [...sans], usage: 'client' });
  clients['nameless'] = await authority.issue({ sans: [] });
  clients['expired'] = await authority.issue({ sans: [...sans], expired: true });
  clients['for servers'] = await authority.issue({ sans: [...sans], usage: 'server' });
  clients['of another CA'] = otherClient;
});

/** @param lines of `tls_server_config`, in addition to certificate and key */
function files(...lines: readonly string[]): Record<string, string> {
  const all = ['tls_server_config:', 'cert_file: server.crt', 'key_file: server.key', ...lines];
  return {
    'web.yml': `${all.join('\n  ')}\n`,
    'server.crt': server.cert,
    'server.key': server.key,
    'clients.crt': authority.cert,
  };
}

function trusting(options: RequestOptions = {}): RequestOptions {
  return { ca: authority.cert, ...options };
}

function showing(name: string, options: RequestOptions = {}): RequestOptions {
  return trusting({ ...clients[name], ...options });
}

async function served(response: Promise<{ readonly status: number }>): Promise<boolean> {
  return response.then(
    ({ status }) => status === 200,
    () => false,
  );
}

describe('a server with certificate and key', () => {
  test('uses TLS 1.3', async () => {
    const { get, servers } = await startGuarded(files());
    const { status, body, socket } = await get(trusting());
    expect([servers.tls, status, body]).toEqual([true, 200, 'handled']);
    expect(socket?.getProtocol()).toBe('TLSv1.3');
  });

  test('may have both inline in the file', async () => {
    const inline = (pem: string) => `|\n    ${pem.trim().replaceAll('\n', '\n    ')}`;
    const { get } = await startGuarded({
      'web.yml': `tls_server_config:\n  cert: ${inline(server.cert)}\n  key: ${inline(server.key)}\n`,
    });
    expect(await served(get(trusting()))).toBe(true);
  });

  test('does not serve plain HTTP', async () => {
    const { port } = await startGuarded(files());
    const socket = connect(port, '127.0.0.1').end('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let received = '';
    for await (const part of socket.setEncoding('utf8')) {
      received += part;
    }
    expect(received).not.toContain('handled');
  });

  test.each([
    [[], 'TLSv1.1', false],
    [[], 'TLSv1.2', true],
    [['min_version: TLS10'], 'TLSv1', true],
    [['min_version: TLS11'], 'TLSv1', false],
    [['min_version: TLS11'], 'TLSv1.1', true],
    [['min_version: TLS13'], 'TLSv1.2', false],
    [['max_version: TLS12'], 'TLSv1.2', true],
    [['max_version: TLS12'], 'TLSv1.3', false],
    [['cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]'], 'TLSv1.3', true],
    [['cipher_suites: [TLS_AES_128_GCM_SHA256]'], 'TLSv1.2', false],
  ] as const)('with %j serves a client with %s: %s', async (lines, version, expected) => {
    const { get } = await startGuarded(files(...lines));
    const ciphers = 'DEFAULT:@SECLEVEL=0';
    const options = { minVersion: version, maxVersion: version, ...(version < 'TLSv1.2' && { ciphers }) };
    expect(await served(get(trusting(options)))).toBe(expected);
  });

  test('uses only the configured cipher suites', async () => {
    const { get } = await startGuarded(files('cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]'));
    const old = trusting({ maxVersion: 'TLSv1.2' });
    const { socket } = await get(old);
    expect(socket?.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(await served(get({ ...old, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }))).toBe(false);
  });

  test.each([
    ['true', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['false', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ])('with prefer_server_cipher_suites: %s selects %s', async (prefer, chosen) => {
    const suites = ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'];
    const { get } = await startGuarded(
      files(`cipher_suites: [${suites}]`, `prefer_server_cipher_suites: ${prefer}`),
    );
    const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384';
    const { socket } = await get(trusting({ maxVersion: 'TLSv1.2', ciphers }));
    expect(socket?.getCipher().name).toBe(chosen);
  });

  test.each([
    ['P-521', true],
    ['P-384', false],
    ['X25519', false],
  ])('with the curve CurveP521 serves a client with %s: %s', async (ecdhCurve, expected) => {
    const { get } = await startGuarded(files('curve_preferences: [CurveP521]'));
    expect(await served(get(trusting({ ecdhCurve })))).toBe(expected);
  });

  test('rejects renegotiation', async () => {
    const { port } = await startGuarded(files('max_version: TLS12'));
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const error = await new Promise((resolve) => {
      socket.once('error', resolve);
      socket.renegotiate({}, resolve);
    });
    socket.destroy();
    expect(error).toBeInstanceOf(Error);
  });
});

describe('a client certificate', () => {
  const VERIFY = ['client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'];

  const SHOWN = ['none', 'good', 'nameless', 'expired', 'for servers', 'of another CA'];

  async function letIn(get: Live['get'], options: RequestOptions = {}): Promise<readonly string[]> {
    const results = await Promise.all(SHOWN.map((name) => served(get(showing(name, options)))));
    return SHOWN.filter((_name, index) => results[index]);
  }

  test.each([
    ['NoClientCert', SHOWN],
    ['RequestClientCert', SHOWN],
    ['RequireAnyClientCert', SHOWN.slice(1)],
    ['RequireClientCert', SHOWN.slice(1)],
    ['VerifyClientCertIfGiven', ['none', 'good', 'nameless']],
    ['RequireAndVerifyClientCert', ['good', 'nameless']],
  ])('with client_auth_type %s is accepted: %j', async (type, expected) => {
    const authorities = type === 'NoClientCert' ? [] : ['client_ca_file: clients.crt'];
    let handled = 0;
    const { get } = await startGuarded(
      files(`client_auth_type: ${type}`, ...authorities),
      (_request, response) => {
        handled += 1;
        response.end();
      },
    );
    expect(await letIn(get, { maxVersion: 'TLSv1.2' })).toEqual(expected);
    expect(await letIn(get)).toEqual(expected);
    expect(handled).toBe(2 * expected.length);
  });

  test('is verified with public CAs if client_ca_file is not set', async () => {
    const { get } = await startGuarded(files('client_auth_type: RequireAndVerifyClientCert'));
    expect(await served(get(showing('good')))).toBe(false);
  });

  test.each([
    ['[prometheus.example]', ['good', 'expired', 'for servers', 'of another CA']],
    ['[other.example, "2001:db8:0::1"]', ['good', 'expired', 'for servers', 'of another CA']],
    ['[other.example]', []],
    ['[]', []],
  ])('with only client_allowed_sans %s is accepted: %j', async (sans, expected) => {
    const { get } = await startGuarded(
      files('client_auth_type: RequireAnyClientCert', `client_allowed_sans: ${sans}`),
    );
    expect(await letIn(get)).toEqual(expected);
  });

  test('with an allowed name from an unknown CA is rejected', async () => {
    const { get, logged } = await startGuarded(files(...VERIFY, 'client_allowed_sans: [prometheus.example]'));
    expect(await served(get(showing('good')))).toBe(true);
    expect(await served(get(showing('of another CA')))).toBe(false);
    expect(logged.map(({ msg }) => msg)).toEqual(['TLS handshake failed', 'TLS handshakes fail']);
  });

  test.each([
    ['TLSv1.2', 'NoClientCert', true],
    ['TLSv1.2', 'RequireAndVerifyClientCert', false],
    ['TLSv1.3', 'NoClientCert', true],
    ['TLSv1.3', 'RequireAndVerifyClientCert', false],
  ] as const)('with %s and %s may be resumed from a session: %s', async (version, type, resumed) => {
    const lines = type === 'NoClientCert' ? [] : VERIFY;
    const { port, settled, get } = await startGuarded(files(...lines));
    await settled();
    await get(showing('good'));
    const { cert, key } = clients['good'] ?? server;
    const versions = { minVersion: version, maxVersion: version };
    const options = { ca: authority.cert, cert, key, port, host: '127.0.0.1', ...versions };
    const first = connectTls(options);
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    first.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    first.resume();
    await new Promise((resolve) => first.once('close', resolve));
    const session = sessions.at(-1);
    expect(session).toBeDefined();
    const second = connectTls({ ...options, ...(session && { session }) });
    await new Promise((resolve) => second.once('secureConnect', resolve));
    expect(second.isSessionReused()).toBe(resumed);
    second.destroy();
  });
});

describe('changed files apply to the next connection:', () => {
  const nameOf = (response: { readonly socket: { getPeerCertificate(): object } | undefined }) =>
    Object(Object(response.socket?.getPeerCertificate())['subject'])['CN'];

  test('the certificate, for a server address without a name', async () => {
    const { get, write, settled } = await startGuarded(files());
    await settled();
    expect(nameOf(await get(trusting()))).toBe('first');
    write('server.key', renewed.key);
    write('server.crt', renewed.cert);
    expect(nameOf(await get(trusting()))).toBe('renewed');
  });

  test('the certificate of each of several servers', async () => {
    const { servers, get, write } = await startGuarded(files());
    const second = servers.createServer((_request, response) => response.end(), {});
    await new Promise<void>((resolve) => second.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void second.close());
    write('server.key', renewed.key);
    write('server.crt', renewed.cert);
    const { port } = Object(second.address());
    expect(nameOf(await get(trusting()))).toBe('renewed');
    expect(nameOf(await get(trusting({ port })))).toBe('renewed');
  });

  test('the client_auth_type', async () => {
    const policy = (type: string) => files(`client_auth_type: ${type}`, 'client_ca_file: clients.crt');
    const { get, write } = await startGuarded(policy('VerifyClientCertIfGiven'));
    const lets = async () => [await served(get(trusting())), await served(get(showing('of another CA')))];
    expect(await lets()).toEqual([true, false]);
    write('web.yml', policy('RequireAndVerifyClientCert')['web.yml'] ?? '');
    expect(await lets()).toEqual([false, false]);
    write('web.yml', policy('RequestClientCert')['web.yml'] ?? '');
    expect(await lets()).toEqual([true, true]);
  });

  test('the client_ca_file', async () => {
    const { get, write } = await startGuarded(
      files('client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'),
    );
    const lets = async () => [
      await served(get(showing('good'))),
      await served(get(showing('of another CA'))),
    ];
    expect(await lets()).toEqual([true, false]);
    write('clients.crt', otherAuthority.cert);
    expect(await lets()).toEqual([false, true]);
  });

  test('the client_allowed_sans', async () => {
    const sans = (names: string) =>
      files('client_auth_type: RequireAnyClientCert', `client_allowed_sans: [${names}]`);
    const { get, write } = await startGuarded(sans('other.example'));
    expect(await served(get(showing('good')))).toBe(false);
    write('web.yml', sans('prometheus.example')['web.yml'] ?? '');
    expect(await served(get(showing('good')))).toBe(true);
  });
});

describe('a kept-alive connection is closed at its next request', () => {
  const lines = ['client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'];

  test.each<[string, (write: Live['write']) => void]>([
    [
      'the name of its certificate is no longer allowed',
      (write) => write('web.yml', files(...lines, 'client_allowed_sans: [other]')['web.yml'] ?? ''),
    ],
    ['the CA of its certificate is no longer trusted', (write) => write('clients.crt', otherAuthority.cert)],
  ])('if %s', async (_what, change) => {
    const { get, write, servers, settled } = await startGuarded(
      files(...lines, 'client_allowed_sans: [prometheus.example]'),
    );
    await settled();
    const agent = keptConnection(servers.tls, { ca: authority.cert, ...clients['good'] });
    expect(await served(get({ agent }))).toBe(true);
    expect(await served(get({ agent }))).toBe(true);
    change(write);
    expect(await served(get({ agent }))).toBe(false);
  });
});

test('new client rules apply even if the server certificate is unreadable', async () => {
  const lines = ['client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'];
  const { get, write } = await startGuarded(files(...lines, 'client_allowed_sans: [prometheus.example]'));
  expect(await served(get(showing('good')))).toBe(true);
  write('server.crt', '');
  write('web.yml', files(...lines, 'client_allowed_sans: [other]')['web.yml'] ?? '');
  expect(await served(get(showing('good')))).toBe(false);
});

test('a certificate change fails no request, on new or kept-alive connections', async () => {
  const { get, write, servers } = await startGuarded(files());
  const seen = new Set<unknown>();
  let ended = false;
  const scrape = async (options: RequestOptions) => {
    let count = 0;
    while (!ended) {
      const { status, socket } = await get(trusting(options));
      expect(status).toBe(200);
      seen.add(Object(socket?.getPeerCertificate().subject)['CN']);
      count += 1;
    }
    return count;
  };
  const kept = [1, 2].map(() => keptConnection(servers.tls, { ca: authority.cert }));
  const scrapers = [{}, {}, ...kept.map((agent) => ({ agent }))].map(scrape);
  for (let turn = 0; turn < 10; turn += 1) {
    const next = turn % 2 === 0 ? renewed : server;
    write('server.key', next.key);
    await get(trusting());
    write('server.crt', next.cert);
    await get(trusting());
  }
  ended = true;
  const counts = await Promise.all(scrapers);
  expect(Math.min(...counts)).toBeGreaterThan(10);
  expect(seen).toEqual(new Set(['first', 'renewed']));
});

test.each([
  ['the key of another certificate', () => ({ 'server.crt': server.cert })],
  ['half a certificate', () => ({ 'server.crt': server.cert.slice(0, 200) })],
  ['an empty certificate', () => ({ 'server.crt': '' })],
  ['an empty key', () => ({ 'server.key': '' })],
])('with %s, the previous pair stays active, which is logged once', async (_what, broken) => {
  const { get, write, logged } = await startGuarded(files());
  const put = (contents: Readonly<Record<string, string>>) => {
    for (const [name, content] of Object.entries(contents)) {
      write(name, content);
    }
  };
  const name = async () => (await get(trusting())).socket?.getPeerCertificate().subject.CN;
  put({ 'server.crt': renewed.cert, 'server.key': renewed.key });
  expect(await name()).toBe('renewed');
  put(broken());
  expect([await name(), await name(), await name()]).toEqual(Array(3).fill('renewed'));
  expect(logged.map(({ msg }) => msg)).toEqual([
    'Unable to load certificates, the previous ones stay in use',
  ]);
  expect(logged[0]?.err).toContain("can't be used: ");
  put({ 'server.crt': server.cert, 'server.key': server.key });
  expect(await name()).toBe('first');
});

test('an unreadable client_ca_file accepts no additional clients', async () => {
  const { get, write } = await startGuarded(
    files('client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt'),
  );
  write('clients.crt', '');
  expect(await served(get(showing('good')))).toBe(true);
  expect(await served(get(showing('of another CA')))).toBe(false);
  expect(await served(get(trusting()))).toBe(false);
});

const VERIFYING = () => files('client_auth_type: RequireAndVerifyClientCert', 'client_ca_file: clients.crt');
const REQUESTING = () => files('client_auth_type: RequestClientCert');

test.each([
  ['TLS can only be switched off', files, () => ({ 'web.yml': '' })],
  ['TLS can only be switched on', () => ({ ...files(), 'web.yml': '' }), files],
  ['client_auth_type can only be changed from NoClientCert to RequireAndVerifyClientCert', files, VERIFYING],
  ['client_auth_type can only be changed from RequestClientCert to NoClientCert', REQUESTING, files],
])('%s by a restart: requests fail until the change is reverted', async (problem, before, after) => {
  const { get, write, logged } = await startGuarded(before());
  const status = async () => (await get(trusting())).status;
  write('web.yml', after()['web.yml'] ?? '');
  expect([await status(), await status()]).toEqual([500, 500]);
  write('web.yml', before()['web.yml'] ?? '');
  expect(await status()).toBe(200);
  expect(logged.map(({ msg, err }) => err ?? msg)).toEqual([
    expect.stringContaining(`web.yml: ${problem} by a restart`),
    'The web configuration is valid again',
  ]);
});

test('closing all connections includes those in a handshake', async () => {
  const { server: listening, port } = await startGuarded(files());
  const arrived = new Promise((resolve) => listening.once('connection', resolve));
  const silent = connect(port, '127.0.0.1');
  await arrived;
  const closed = new Promise((resolve) => silent.once('close', resolve));
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => listening.once('tlsClientError', resolve));
  listening.closeAllConnections();
  await closed;
  expect((await failed).code).not.toBe('ERR_TLS_HANDSHAKE_TIMEOUT');
});
