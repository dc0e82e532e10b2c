/** `--config.file` → modules, and the configuration without its secrets. */
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { FileError, readSource, readYamlAsWritten } from '../config/yaml.ts';
import { messageOf } from '../log/error-text.ts';
import { isRecord } from '../ollama/json.ts';
import { checkModule, createModule, isSecretHeader, type Module } from './module.ts';
import { CONFIG_FILE } from './module-schema.ts';

export interface ConfigFile {
  readonly modules: ReadonlyMap<string, Module>;
  /** YAML as written, with secrets as `<secret>`. */
  readonly shown: string;
  /** The content of the file. */
  readonly source: string;
}

/**
 * @param timeoutMs of modules without one
 * @param known the previous result: returned if the file has not changed, with its modules and their connections
 * @throws FileError, also if a file that it names can't be used
 */
export async function loadConfigFile(
  file: string,
  timeoutMs: number,
  known?: ConfigFile,
): Promise<ConfigFile> {
  const source = readSource(file);
  if (known?.source === source) {
    await checkAll(known.modules.values(), file);
    return known;
  }
  const { value, written } = readYamlAsWritten(file, CONFIG_FILE, source);
  const shown = withoutSecrets(written);
  const modules = Object.entries(value.modules).map(([name, settings]) =>
    createModule({ name, settings, folder: dirname(file), shown: stringify(shown[name] ?? {}) }, timeoutMs),
  );
  await checkAll(modules, file);
  return {
    modules: new Map(modules.map((module) => [module.name, module])),
    shown: stringify({ modules: shown }),
    source,
  };
}

async function checkAll(modules: Iterable<Module>, file: string): Promise<void> {
  for (const module of modules) {
    try {
      await checkModule(module);
    } catch (cause) {
      const problem = messageOf(cause);
      throw new FileError(`${file}: modules.${module.name}: ${problem}`, { cause });
    }
  }
}

type Section = Readonly<Record<string, unknown>>;

/** The validated settings by module. */
function withoutSecrets(written: unknown): Section {
  const modules = isRecord(written) ? written['modules'] : undefined;
  return mapValues(modules, (module) =>
    mapValues(module, (settings, section) =>
      isRecord(settings)
        ? mapValues(settings, (value, key) => (isSecret(section, key) ? '<secret>' : value))
        : settings,
    ),
  );
}

function isSecret(section: string, key: string): boolean {
  return (
    (section === 'headers' && isSecretHeader(key)) ||
    (section === 'authorization' && key === 'credentials') ||
    (section === 'basic_auth' && key === 'password')
  );
}

function mapValues(section: unknown, map: (value: unknown, key: string) => unknown): Section {
  const entries = isRecord(section) ? Object.entries(section) : [];
  return Object.fromEntries(entries.map(([key, value]) => [key, map(value, key)]));
}
