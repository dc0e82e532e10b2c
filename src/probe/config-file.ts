/** Turns `--config.file` into modules, and into texts that show it without its secrets. */
import { dirname } from 'node:path';
import * as v from 'valibot';
import { stringify } from 'yaml';
import { FileError, readYamlAsWritten } from '../strict-yaml.ts';
import { checkModule, createModule, type Module } from './module.ts';
import { CONFIG_FILE } from './module-schema.ts';

export interface ConfigFile {
  readonly modules: ReadonlyMap<string, Module>;
  /** YAML as it was written, secrets as `<secret>`. */
  readonly shown: string;
}

/** @throws FileError, also where a file that it names can't be used */
export async function loadConfigFile(file: string): Promise<ConfigFile> {
  const { value, written } = readYamlAsWritten(file, CONFIG_FILE);
  const shown = withoutSecrets(written);
  const modules = Object.entries(value.modules ?? {}).map(([name, settings]) =>
    createModule(name, settings, dirname(file), stringify(shown[name] ?? {})),
  );
  for (const module of modules) {
    await check(module, file);
  }
  return {
    modules: new Map(modules.map((module) => [module.name, module])),
    shown: stringify({ modules: shown }),
  };
}

async function check(module: Module, file: string): Promise<void> {
  try {
    await checkModule(module);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(`${file}: modules.${module.name}: ${problem}`, { cause });
  }
}

const SHOWN_SECTION = v.fallback(v.record(v.string(), v.unknown()), {});

/** Only to be shown; it was checked before. */
const SHOWN_MODULE = v.looseObject({
  headers: v.optional(
    v.pipe(
      SHOWN_SECTION,
      // A header may hold anything, so each is a secret; but Host is what one looks for when Ollama says 403.
      v.transform((headers) =>
        Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, /^host$/i.test(name) ? value : '<secret>']),
        ),
      ),
    ),
  ),
  authorization: v.optional(
    v.pipe(
      SHOWN_SECTION,
      v.transform((section) => hide(section, 'credentials')),
    ),
  ),
  basic_auth: v.optional(
    v.pipe(
      SHOWN_SECTION,
      v.transform((section) => hide(section, 'password')),
    ),
  ),
});

const SHOWN_FILE = v.object({
  modules: v.fallback(v.record(v.string(), v.fallback(SHOWN_MODULE, {})), {}),
});

function withoutSecrets(written: unknown) {
  return v.parse(v.fallback(SHOWN_FILE, { modules: {} }), written).modules;
}

function hide(section: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  return section[key] ? { ...section, [key]: '<secret>' } : section;
}
