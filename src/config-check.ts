/** Turns the files of a configuration into whether they can be used, for --config.check. */
import type { Config } from './command-line.ts';
import { UsageError } from './command-line.ts';

/**
 * @returns what to print
 * @throws FileError for the first file that can't be used; UsageError if there is none
 */
export async function checkFiles({
  configFile,
  webConfigFile,
}: Pick<Config, 'configFile' | 'webConfigFile'>): Promise<string> {
  if (configFile === undefined && webConfigFile === undefined) {
    throw new UsageError('--config.check needs --config.file or --web.config.file');
  }
  if (configFile !== undefined) {
    const { loadConfigFile } = await import('./probe/config-file.ts');
    await loadConfigFile(configFile);
  }
  if (webConfigFile !== undefined) {
    const { checkWebConfig } = await import('./web/door.ts');
    checkWebConfig(webConfigFile);
  }
  return [configFile, webConfigFile]
    .flatMap((file) => (file === undefined ? [] : [`${file}: valid\n`]))
    .join('');
}
