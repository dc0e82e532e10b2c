/** A module of `--config.file`: its allowed targets and how to scrape them. Secrets are read when used. */
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { parseAuthorities, readRegularFile } from '../config/files.ts';
import { messageOf } from '../log/error-text.ts';
import { type Agents, createAgents, type TlsOptions } from '../ollama/agent.ts';
import { ApiError } from '../ollama/errors.ts';
import type { Collector } from '../scrape/snapshot.ts';
import { type AllowList, createAllowList, openEntries } from './allow-list.ts';
import { checkCredentials } from './credentials.ts';
import type { ModuleSettings } from './module-schema.ts';

export interface Module {
  readonly name: string;
  /** YAML as written, with secrets as `<secret>`. */
  readonly shown: string;
  /** undefined: /probe may scrape no target. */
  readonly allow: AllowList | undefined;
  /** The maximum duration of a scrape. */
  readonly timeoutMs: number;
  /** undefined here and below: not set. */
  readonly vramBytes: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly collectors: readonly Collector[] | undefined;
  /** By lower-case name; undefined for none. @throws ApiError with the reason `config` */
  readonly headers: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  /** Whether requests have headers that may contain a secret. */
  readonly sendsSecrets: boolean;
  /** Whether these are sent over https only: a `tls_config` implies it. */
  readonly httpsOnly: boolean;
  /** Entries of `allow` with which clients of /probe choose the port, or http, for the secrets. */
  readonly exposedBy: readonly string[];
  /** @throws ApiError with the reason `config` */
  readonly tls: () => Promise<TlsOptions>;
  /** Its own, since connections made with another module's settings must not be used. */
  readonly agents: Agents;
}

export interface ModuleSource {
  readonly name: string;
  readonly settings: ModuleSettings;
  /** The directory for relative file names. */
  readonly folder: string;
  /** See `Module`. */
  readonly shown: string;
}

/** @param timeoutMs if the settings have none */
export function createModule({ name, settings, folder, shown }: ModuleSource, timeoutMs: number): Module {
  const { timeout = timeoutMs, vram_capacity, memory_capacity, collectors } = settings;
  const allow = settings.allow && createAllowList(settings.allow);
  const tls = () => readTls(settings, folder);
  const sendsSecrets = hasSecretHeaders(settings);
  const httpsOnly = sendsSecrets && settings.tls_config !== undefined;
  return {
    name,
    shown,
    allow,
    timeoutMs: timeout,
    vramBytes: vram_capacity,
    memoryBytes: memory_capacity,
    collectors,
    headers: hasHeaders(settings) ? () => readHeaders(settings, folder) : undefined,
    sendsSecrets,
    httpsOnly,
    exposedBy: sendsSecrets ? openEntries(settings.allow ?? [], httpsOnly) : [],
    tls,
    agents: createAgents({ connectTimeoutMs: timeout, tls, lookupFor: allow?.lookupFor }),
  };
}

/** The module for `--ollama.url`, whose address the allow list does not apply to. */
export function withoutAllowList(module: Module): Module {
  const { timeoutMs, tls } = module;
  return { ...module, agents: createAgents({ connectTimeoutMs: timeoutMs, tls }) };
}

/** Reads all files of the module. @throws Error that names the invalid one */
export async function checkModule({ headers, tls }: Module): Promise<void> {
  await headers?.();
  const options = await tls();
  if (Object.keys(options).length === 0) {
    // A context takes milliseconds, for each module at each reload.
    return;
  }
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new Error(`tls_config can't be used: ${messageOf(cause)}`, { cause });
  }
}

function hasHeaders({ headers, authorization, basic_auth }: ModuleSettings): boolean {
  return headers !== undefined || authorization !== undefined || basic_auth !== undefined;
}

/** Any header may contain a secret, except Host, which Ollama checks. */
export function isSecretHeader(name: string): boolean {
  return name.toLowerCase() !== 'host';
}

function hasSecretHeaders({ headers = {}, authorization, basic_auth }: ModuleSettings): boolean {
  return authorization !== undefined || basic_auth !== undefined || Object.keys(headers).some(isSecretHeader);
}

async function readHeaders(
  settings: ModuleSettings,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const own = Object.entries(settings.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  const authorization = await readAuthorization(settings, folder);
  if (authorization === undefined) {
    return Object.fromEntries(own);
  }
  return { ...Object.fromEntries(own), authorization };
}

async function readAuthorization(
  { authorization, basic_auth }: ModuleSettings,
  folder: string,
): Promise<string | undefined> {
  if (authorization !== undefined) {
    const { type, credentials, credentials_file } = authorization;
    return `${type} ${credentials ?? (await readCredentials(folder, credentials_file))}`;
  }
  if (basic_auth !== undefined) {
    const { username, password, password_file } = basic_auth;
    const secret = password ?? (await readSecret('password_file', folder, password_file));
    return `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`;
  }
  return undefined;
}

async function readTls({ tls_config }: ModuleSettings, folder: string): Promise<TlsOptions> {
  if (tls_config === undefined) {
    return {};
  }
  const { ca_file, cert_file, key_file, server_name, insecure_skip_verify } = tls_config;
  const read = (key: string, file: string | undefined) =>
    file === undefined ? undefined : readNamed(key, folder, file);
  // Sequential, so that the same one of several problems is always reported.
  const ca = ca_file === undefined ? undefined : await readAuthorities(folder, ca_file);
  const cert = await read('cert_file', cert_file);
  const key = await read('key_file', key_file);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(server_name !== undefined && { servername: server_name }),
    rejectUnauthorized: !insecure_skip_verify,
  };
}

async function readAuthorities(folder: string, file: string): Promise<string[]> {
  const pem = await readNamed('ca_file', folder, file);
  try {
    return parseAuthorities(pem, `ca_file (${file})`);
  } catch (cause) {
    throw new ApiError('config', messageOf(cause), { cause });
  }
}

async function readCredentials(folder: string, file: string | undefined): Promise<string> {
  const credentials = await readSecret('credentials_file', folder, file);
  try {
    return checkCredentials(credentials);
  } catch (cause) {
    throw new ApiError('config', `credentials_file (${file}): ${messageOf(cause)}`, { cause });
  }
}

/** Without a trailing line break from an editor, as in Prometheus. No file: an empty password. */
async function readSecret(key: string, folder: string, file: string | undefined): Promise<string> {
  return file === undefined ? '' : (await readNamed(key, folder, file)).trim();
}

/** An empty file is being written: Node.js would continue without the certificate, Ollama without the secret. */
async function readNamed(key: string, folder: string, file: string): Promise<string> {
  const content = await readRegularFile(resolve(folder, file)).catch((cause: unknown) => {
    throw new ApiError('config', `${key} can't be read: ${messageOf(cause)}`, { cause });
  });
  if (content.trim() === '') {
    throw new ApiError('config', `${key} (${file}) is empty`);
  }
  return content;
}
