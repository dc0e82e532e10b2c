/** Turns the web configuration file, and the files that it names, into settings that follow their changes. */
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { FileError } from '../config/yaml.ts';
import { messageOf } from '../log/error-text.ts';
import { Sighting } from './sighting.ts';
import type { TlsConfig } from './tls-config.ts';
import { filesOf, readTlsOptions } from './tls-options.ts';
import { readWebConfig, type WebConfig } from './web-config.ts';

export interface TlsSettings {
  readonly config: TlsConfig;
  readonly options: SecureContextOptions;
}

export interface Settings {
  readonly config: WebConfig;
  readonly tls: TlsSettings | undefined;
}

/**
 * Reads all there is to read.
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
  /** Of all files; undefined where one couldn't be used: the next attempt may fare better though none has changed. */
  #sightings: readonly Sighting[] | undefined;
  /** So that a problem is logged once, and not at every request. */
  #logged: string | undefined;

  /** @throws FileError */
  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
    this.#settings = readSettings(file);
  }

  /**
   * Cheap where no file has changed.
   *
   * @returns the last settings that could be read, and whether the file as it is now can be used
   */
  now(): Settings & { readonly usable: boolean } {
    if (!this.#sightings?.every((sighting) => sighting.isUpToDate())) {
      this.#read();
    }
    return { ...this.#settings, usable: this.#usable };
  }

  #read(): void {
    const sighting = new Sighting([this.#file]);
    this.#sightings = undefined;
    const config = this.#attempt('Unable to parse configuration', () => this.#readConfig());
    this.#usable = config !== undefined;
    if (config === undefined) {
      return;
    }
    const certificates = new Sighting(config.tls === undefined ? [] : filesOf(config.tls));
    const tls = this.#attempt('Unable to load certificates, those from before stay in use', () =>
      readTls(this.#file, config.tls),
    );
    this.#settings = { config, tls: tls ?? this.#settings.tls };
    if (tls !== undefined || config.tls === undefined) {
      this.#sightings = [sighting, certificates];
      if (this.#logged !== undefined) {
        this.#log.info({ file: this.#file }, 'The web configuration can be used again');
      }
      this.#logged = undefined;
    }
  }

  #readConfig(): WebConfig {
    const config = readWebConfig(this.#file);
    const [was, is] = [this.#settings.tls !== undefined, config.tls !== undefined];
    if (was !== is) {
      throw new FileError(`${this.#file}: TLS can only be switched ${is ? 'on' : 'off'} by a restart`);
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

function readTls(file: string, config: TlsConfig | undefined): TlsSettings | undefined {
  if (config === undefined) {
    return undefined;
  }
  try {
    return { config, options: readTlsOptions(config) };
  } catch (cause) {
    const problem = messageOf(cause);
    throw new FileError(`${file}: ${problem}`, { cause });
  }
}
