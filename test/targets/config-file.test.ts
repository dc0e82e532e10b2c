import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FileError } from '../../src/config/yaml.ts';
import { ApiError } from '../../src/ollama/errors.ts';
import { type ConfigFile, loadConfigFile } from '../../src/targets/config-file.ts';
import type { Module } from '../../src/targets/module.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'ollama.yml');
writeFileSync(join(folder, 'secret'), 's3cret\n');
writeFileSync(join(folder, 'bad-secret'), 'two\nlines');
writeFileSync(join(folder, 'no.pem'), 'no certificate');
writeFileSync(join(folder, 'empty'), '');
writeFileSync(join(folder, 'bad.pem'), '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n');
execFileSync('mkfifo', [join(folder, 'pipe')]);

function load(content: string): Promise<ConfigFile> {
  writeFileSync(file, content);
  return loadConfigFile(file, 5_000);
}

/** @param content of the module `default`, as flow YAML */
async function loadModule(content: string): Promise<Module> {
  const module = (await load(`modules: { default: ${content} }`)).modules.get('default');
  if (module === undefined) {
    throw new Error('no module');
  }
  return module;
}

test('modules may be explicitly empty', async () => {
  expect((await load('modules: {}')).modules.size).toBe(0);
});

test('modules can share settings through YAML anchors', async () => {
  const { modules } = await load(
    'modules:\n  one: &one { timeout: 1s, collectors: [ps] }\n  two: { <<: *one, timeout: 2s }',
  );
  expect(modules.get('two')).toMatchObject({ timeoutMs: 2_000, collectors: ['ps'] });
});

test('an empty module uses the defaults', async () => {
  const module = await loadModule('');
  expect(module).toMatchObject({
    name: 'default',
    allow: undefined,
    timeoutMs: 5_000,
    collectors: undefined,
  });
  expect(module.headers).toBeUndefined();
  expect(await module.tls()).toEqual({});
});

test('a module sets timeout, collectors and capacities', async () => {
  expect(
    await loadModule(
      '{ timeout: 1m30s, collectors: [ps, tags], vram_capacity: 24GiB, memory_capacity: 128gb }',
    ),
  ).toMatchObject({
    timeoutMs: 90_000,
    collectors: ['ps', 'tags'],
    vramBytes: 24 * 1024 ** 3,
    memoryBytes: 128 * 1024 ** 3,
  });
});

describe('the headers of a module', () => {
  test('have lower-case names', async () => {
    const { headers } = await loadModule('{ headers: { X-Tenant: blue, Host: localhost, X-Number: 1.0 } }');
    expect(await headers?.()).toEqual({ 'x-tenant': 'blue', host: 'localhost', 'x-number': '1.0' });
  });

  test.each([
    ['{ authorization: { credentials: abc } }', 'Bearer abc'],
    ['{ authorization: { type: Token, credentials: abc } }', 'Token abc'],
    ['{ authorization: { credentials_file: secret } }', 'Bearer s3cret'],
    ['{ basic_auth: { username: u, password: "p:x" } }', `Basic ${btoa('u:p:x')}`],
    [
      '{ basic_auth: { username: u, password: пароль } }',
      `Basic ${Buffer.from('u:пароль').toString('base64')}`,
    ],
    ['{ basic_auth: { username: u, password_file: secret } }', `Basic ${btoa('u:s3cret')}`],
    ['{ basic_auth: { username: u } }', `Basic ${btoa('u:')}`],
  ])('contain the Authorization for %s', async (content, authorization) => {
    expect(await (await loadModule(content)).headers?.()).toEqual({ authorization });
  });

  test('follow a rotated secret, and fail while its file is missing', async () => {
    writeFileSync(join(folder, 'rotating'), 'first');
    const { headers } = await loadModule('{ authorization: { credentials_file: rotating } }');
    writeFileSync(join(folder, 'rotating'), 'second\n');
    expect(await headers?.()).toEqual({ authorization: 'Bearer second' });
    writeFileSync(join(folder, 'rotating'), 'third\nline');
    await expect(headers?.()).rejects.toThrow(
      'credentials_file (rotating): it contains characters that are invalid in a header',
    );
    rmSync(join(folder, 'rotating'));
    const error = await headers?.().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      reason: 'config',
      message: expect.stringMatching(/^credentials_file can't be read: ENOENT/),
    });
  });
});

describe('the file is rejected, with file, line and path:', () => {
  const module = (content: string) => `modules:\n  default:\n    ${content}\n`;
  test.each([
    // Perhaps a file that is being written.
    ['', 1, 'modules: "modules" is missing'],
    ['modules:', 1, 'modules: "modules" is missing'],
    ['module: {}', 1, 'module: unknown key, expected one of modules'],
    ['modules: [a]', 1, 'modules: expected a mapping'],
    ['modules:\n  a: b', 2, 'modules.a: expected a mapping'],
    [
      module('timeot: 5s'),
      3,
      'modules.default.timeot: unknown key, expected one of allow, timeout, vram_capacity, memory_capacity, collectors, headers, authorization, basic_auth, tls_config',
    ],
    [module('timeout: 5'), 3, 'modules.default.timeout: expected a duration such as 500ms, 5s or 1m30s'],
    [module('timeout: 0s'), 3, 'modules.default.timeout: expected a duration of more than 0 and at most 24h'],
    [module('allow: gpu-1'), 3, 'modules.default.allow: expected a list'],
    [
      module('allow:\n    - gpu-1\n    - 10.20.*'),
      5,
      'modules.default.allow[1]: write a range as CIDR, such as 10.20.0.0/16, or give one address',
    ],
    [
      module('vram_capacity: auto'),
      3,
      'modules.default.vram_capacity: auto is for the machine of the exporter (--ollama.vram-capacity): give a size such as 24GiB',
    ],
    [
      module('vram_capacity: lots'),
      3,
      'modules.default.vram_capacity: expected an amount of memory such as 24GiB, 24576MiB or 25769803776',
    ],
    [module('vram_capacity: 24'), 3, 'modules.default.vram_capacity: 24 is 24 bytes: did you mean 24GiB?'],
    [
      module('memory_capacity: 128000'),
      3,
      'modules.default.memory_capacity: 128000 is 128000 bytes: did you mean 128000MiB?',
    ],
    [module('collectors: [ps, show]'), 3, 'modules.default.collectors[1]: expected one of ps, version, tags'],
    [
      module('collectors: [tags]'),
      3,
      'modules.default.collectors: expected ps or version among them, which ollama_up comes from',
    ],
    [
      module('collectors: []'),
      3,
      'modules.default.collectors: expected ps or version among them, which ollama_up comes from',
    ],
    [
      module('headers: { Authorization: x }'),
      3,
      'modules.default.headers: authorization cannot be set, use authorization or basic_auth',
    ],
    [
      module('headers: { Content-Length: 3 }'),
      3,
      'modules.default.headers: content-length cannot be set, it is set by the exporter',
    ],
    [module('headers: { "a b": x }'), 3, 'modules.default.headers: an invalid header name cannot be set'],
    [module('headers: { X-A: x, x-a: y }'), 3, 'modules.default.headers: x-a is given twice'],
    [
      module('headers: { X-A: "s3cret\\nb" }'),
      3,
      'modules.default.headers.X-A: it contains characters that are invalid in a header',
    ],
    [
      module('authorization: { type: bAsic, credentials: x }'),
      3,
      'modules.default.authorization.type: type cannot be "basic", use basic_auth',
    ],
    [
      module('authorization: { type: Bearer }'),
      3,
      'modules.default.authorization: expected one of credentials and credentials_file',
    ],
    [
      module('authorization: { credentials: s3cret, credentials_file: secret }'),
      3,
      'modules.default.authorization: expected one of credentials and credentials_file',
    ],
    [
      module('basic_auth: { password: s3cret }'),
      3,
      'modules.default.basic_auth.username: "username" is missing',
    ],
    [
      module('basic_auth: { username: "a:b" }'),
      3,
      'modules.default.basic_auth.username: a user name cannot contain a colon (RFC 7617)',
    ],
    [
      module('basic_auth: { username: u, password: s3cret, password_file: secret }'),
      3,
      'modules.default.basic_auth: at most one of password and password_file can be given',
    ],
    [
      module('basic_auth: { username: u }\n    authorization: { credentials: s3cret }'),
      2,
      'modules.default: at most one of authorization and basic_auth can be given',
    ],
    [
      module('tls_config: { insecure_skip_verify: maybe }'),
      3,
      'modules.default.tls_config.insecure_skip_verify: expected true or false',
    ],
    [
      module('tls_config: { cert_file: no.pem }'),
      3,
      'modules.default.tls_config: cert_file and key_file go together',
    ],
  ])('%j', async (content, line, problem) => {
    const error = await load(content).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ message: `${file}:${line}: ${problem}` });
    expect(String(error)).not.toContain('s3cret');
  });

  test.each([
    ['authorization: { credentials_file: empty }', 'credentials_file (empty) is empty'],
    ['basic_auth: { username: u, password_file: empty }', 'password_file (empty) is empty'],
    ['tls_config: { cert_file: empty, key_file: empty }', 'cert_file (empty) is empty'],
    ['authorization: { credentials_file: nowhere }', "credentials_file can't be read: ENOENT"],
    [
      'authorization: { credentials_file: bad-secret }',
      'credentials_file (bad-secret): it contains characters that are invalid in a header',
    ],
    ['basic_auth: { username: u, password_file: nowhere }', "password_file can't be read: ENOENT"],
    ['tls_config: { ca_file: nowhere }', "ca_file can't be read: ENOENT"],
    ['tls_config: { ca_file: no.pem }', 'no certificate in ca_file (no.pem)'],
    ['tls_config: { ca_file: empty }', 'ca_file (empty) is empty'],
    ['tls_config: { ca_file: bad.pem }', "a certificate in ca_file (bad.pem) can't be read: "],
    ['tls_config: { cert_file: no.pem, key_file: no.pem }', "tls_config can't be used: "],
    ['authorization: { credentials_file: . }', /credentials_file can't be read: .* is not a regular file$/],
    [
      'authorization: { credentials_file: pipe }',
      /credentials_file can't be read: .* is not a regular file$/,
    ],
  ])('%s, as the file is unusable', async (content, problem) => {
    const expected = typeof problem === 'string' ? `${file}: modules.default: ${problem}` : problem;
    await expect(load(module(content))).rejects.toThrow(expected);
  });
});

test.each(['Bearer s3cret', 'bearer\ts3cret', 'Basic dTpw', 'Authorization: Bearer s3cret'])(
  'credentials with the prefix %j are rejected, since the type would be sent twice',
  async (content) => {
    writeFileSync(join(folder, 'typed'), `${content}\n`);
    const problem = /it begins with the type of the authorization: remove it/;
    await expect(loadModule('{ authorization: { credentials_file: typed } }')).rejects.toThrow(problem);
    const inline = JSON.stringify(content.replace('\t', ' '));
    await expect(loadModule(`{ authorization: { credentials: ${inline} } }`)).rejects.toThrow(problem);
  },
);

test('the configuration is shown as written, without its secrets', async () => {
  const { shown, modules } = await load(`
modules:
  default:
    allow: [ "10.20.0.0/16" ] # the GPUs
    timeout: 1m
    headers: { X.Tenant: blu3, host: localhost }
    authorization: { type: Token, credentials: s3cret }
  other.one:
    basic_auth: { username: user, password: s3cret }
    tls_config: { insecure_skip_verify: yes }
  files:
    authorization: { credentials_file: secret }
  empty:
`);
  expect(shown).toBe(`modules:
  default:
    allow:
      - 10.20.0.0/16
    timeout: 1m
    headers:
      X.Tenant: <secret>
      host: localhost
    authorization:
      type: Token
      credentials: <secret>
  other.one:
    basic_auth:
      username: user
      password: <secret>
    tls_config:
      insecure_skip_verify: yes
  files:
    authorization:
      credentials_file: secret
  empty: {}
`);
  expect(modules.get('files')?.shown).toBe('authorization:\n  credentials_file: secret\n');
});
