/** `--config.check`: the configuration files → their errors. */
import { UsageError } from './config/command-line.ts';
import type { Config } from './config/options.ts';

/**
 * Checks the configuration files, for --config.check.
 *
 * @returns what to print
 * @throws FileError for the first file that is invalid; UsageError if there is none
 */
export async function checkFiles(config: Config): Promise<string> {
  const { configFile, webConfigFile, proxyWebConfigFile, timeoutMs } = config;
  const webFiles = [webConfigFile, proxyWebConfigFile].filter((file) => file !== undefined);
  if (configFile === undefined && webFiles.length === 0) {
    throw new UsageError(
      '--config.check requires --config.file, --web.config.file or --proxy.web.config.file',
    );
  }
  const warnings = configFile === undefined ? [] : await warningsOf(configFile, timeoutMs);
  for (const file of webFiles) {
    const { readSettings } = await import('./web/settings.ts');
    readSettings(file);
  }
  const valid = [configFile, ...webFiles].flatMap((file) => (file === undefined ? [] : [`${file}: valid\n`]));
  return [...warnings, ...valid].join('');
}

async function warningsOf(file: string, timeoutMs: number): Promise<readonly string[]> {
  const { loadConfigFile } = await import('./targets/config-file.ts');
  const { modules } = await loadConfigFile(file, timeoutMs);
  return [...modules.values()]
    .filter(({ exposedBy }) => exposedBy.length > 0)
    .map(
      ({ name, exposedBy }) =>
        `${file}: warning: modules.${name}: clients of /probe choose the port or scheme that the credentials go to, by entries of "allow" without one: ${exposedBy.join(', ')}. Write them like https://10.20.0.0/16:443\n`,
    );
}
