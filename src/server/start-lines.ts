/** The first lines of the log, before the exporter listens: version, target, capacity and files, and warnings. */
import type { Logger } from 'pino';
import type { BuildInfo } from '../config/build-info.ts';
import type { Config } from '../config/options.ts';
import { impliedPort } from '../ollama/host.ts';
import type { Modules } from '../targets/modules.ts';
import type { Targets } from '../targets/targets.ts';

interface Started {
  readonly build: BuildInfo;
  readonly config: Pick<Config, 'configFile' | 'webConfigFile'>;
  readonly targets: Targets;
  readonly modules: Modules;
  /** undefined without a web configuration. */
  readonly tls: boolean | undefined;
}

export function logStart(log: Logger, { build, config, targets, modules, tls }: Started): void {
  const { version, revision } = build;
  const local = targets.local();
  log.info(
    {
      version,
      revision,
      node: process.version,
      target: local?.url.href ?? 'none',
      hint: local && impliedPort(local.url),
      vram_capacity_bytes: local?.capacity.vramBytes,
      memory_capacity_bytes: local?.capacity.memoryBytes,
      config_file: config.configFile,
      web_config_file: config.webConfigFile,
      tls,
    },
    'Starting ollama-exporter',
  );
  if (local === undefined && modules.probeable().length === 0) {
    const hint = 'list them under allow in a module of --config.file';
    log.warn({ hint }, 'Nothing to scrape: --ollama.url is none, and no module allows targets');
  }
  if (local !== undefined && local.capacity.vramBytes === undefined) {
    const hint = 'set --ollama.vram-capacity: a size such as 24GiB, or auto if the GPU is in this machine';
    log.info({ hint }, 'VRAM capacity not set: alerts on VRAM cannot fire');
  }
}
