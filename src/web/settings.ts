/** The web configuration file and its certificates, read again whenever one of these files changes. */
import { statSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { FileError } from '../config/yaml.ts';
import { messageOf } from '../log/error-text.ts';
import { requestsCertificate } from './client-certificates.ts';
import type { TlsConfig } from './tls-config.ts';
import { filesOf, readTlsOptions } from './tls-options.ts';
import { readWebConfig, type WebConfig } from './web-config.ts';

export interface TlsSettings {
  readonly config: TlsConfig;
  readonly options: SecureContextOptions;
  /** Equal for settings that accept the same clients. */
  readonly clients: string;
}

function tlsSettings(config: TlsConfig, options: SecureContextOptions): TlsSettings {
  const { clientAuth, clientAllowedSans } = config;
  return { config, options, clients: JSON.stringify([clientAuth, clientAllowedSans, String(options.ca)]) };
}

export interface Settings {
  readonly config: WebConfig;
  readonly tls: TlsSettings | undefined;
}

/**
 * Reads the file, and all certificates that it names.
 *
 * @throws FileError
 */
export function readSettings(file: string): Settings {
  const config = readWebConfig(file);
  return { config, tls: readTls(file, config.tls) };
}

export class LiveSettings {
  readonly #file: string;
  readonly #log: Logger;
  #settings: Settings;
  #usable = true;
  #mayHaveChanged = () => true;
  /** So that a problem is logged once, not at every request. */
  #logged: string | undefined;

  /** @throws FileError */
  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
    this.#settings = readSettings(file);
  }

  /**
   * Cheap if no file has changed.
   *
   * @returns the last valid settings, and whether the current file is valid
   */
  now(): Settings & { readonly usable: boolean } {
    if (this.#mayHaveChanged()) {
      this.#read();
    }
    return { ...this.#settings, usable: this.#usable };
  }

  #read(): void {
    // If a file can't be used, the next attempt may succeed although no file has changed.
    this.#mayHaveChanged = () => true;
    const fileMayHaveChanged = changeDetector([this.#file]);
    const config = this.#attempt('Unable to parse configuration', () => this.#readConfig());
    this.#usable = config !== undefined;
    if (config === undefined) {
      return;
    }
    const certificatesMayHaveChanged = changeDetector(config.tls === undefined ? [] : filesOf(config.tls));
    const tls = this.#attempt('Unable to load certificates, the previous ones stay in use', () =>
      readTls(this.#file, config.tls),
    );
    // The previous certificates, with the current rules.
    const old = config.tls && this.#settings.tls && tlsSettings(config.tls, this.#settings.tls.options);
    this.#settings = { config, tls: tls ?? old };
    if (tls === undefined && config.tls !== undefined) {
      return;
    }
    this.#mayHaveChanged = () => fileMayHaveChanged() || certificatesMayHaveChanged();
    if (this.#logged !== undefined) {
      this.#log.info({ file: this.#file }, 'The web configuration is valid again');
    }
    this.#logged = undefined;
  }

  #readConfig(): WebConfig {
    const config = readWebConfig(this.#file);
    const previous = this.#settings.config;
    const obstacle = reloadProblem(previous.tls, config.tls) ?? removedProtection(previous, config);
    if (obstacle !== undefined) {
      throw new FileError(`${this.#file}: ${obstacle} by a restart`);
    }
    return config;
  }

  #attempt<T>(problem: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const err = messageOf(error);
      if (err !== this.#logged) {
        this.#log.error({ err }, problem);
      }
      this.#logged = err;
      return undefined;
    }
  }
}

/** @returns the settings that require a restart: Node.js decides at startup whether it requests client certificates */
function reloadProblem(previous: TlsConfig | undefined, next: TlsConfig | undefined): string | undefined {
  if (previous === undefined || next === undefined) {
    return previous === next ? undefined : `TLS can only be switched ${next === undefined ? 'off' : 'on'}`;
  }
  return requestsCertificate(previous) === requestsCertificate(next)
    ? undefined
    : `client_auth_type can only be changed from ${previous.clientAuth} to ${next.clientAuth}`;
}

/** @returns the protection that is missing: a file that is being written can be empty, or incomplete and valid YAML */
function removedProtection(previous: WebConfig, next: WebConfig): string | undefined {
  if (previous.users.size > 0 && next.users.size === 0) {
    return 'the last of basic_auth_users can only be removed';
  }
  return previous.tls?.clientAllowedSans !== undefined && next.tls?.clientAllowedSans === undefined
    ? 'client_allowed_sans can only be removed'
    : undefined;
}

function readTls(file: string, config: TlsConfig | undefined): TlsSettings | undefined {
  if (config === undefined) {
    return undefined;
  }
  try {
    return tlsSettings(config, readTlsOptions(config));
  } catch (cause) {
    const problem = messageOf(cause);
    throw new FileError(`${file}: ${problem}`, { cause });
  }
}

/** File timestamps have a resolution of milliseconds: a file this recent may change again unnoticed. */
const TIMESTAMP_STEP_MS = 100;

/**
 * Must be called before the files are read, so that a change meanwhile is noticed.
 *
 * @returns whether one of the files may have changed since then
 */
export function changeDetector(files: readonly string[]): () => boolean {
  const states = files.map((file) => ({ file, ...fileState(file) }));
  const settled = states.every(({ changedMs }) => Date.now() - changedMs >= TIMESTAMP_STEP_MS);
  return () => !settled || states.some(({ file, state }) => state !== fileState(file).state);
}

/** Links are followed: Kubernetes changes a mounted secret by changing a link. */
function fileState(file: string): { readonly state: string; readonly changedMs: number } {
  try {
    const { mtimeNs, ctimeNs, size, ino, ctimeMs } = statSync(file, { bigint: true });
    return { state: [mtimeNs, ctimeNs, size, ino].join(), changedMs: Number(ctimeMs) };
  } catch {
    return { state: 'none', changedMs: 0 };
  }
}
