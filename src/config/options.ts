/** The options, each declared once: flag, default, help and parser. */

import { LOG_FORMATS, LOG_LEVELS } from '../log/log-options.ts';
import { parseGoDuration } from './go-duration.ts';
import { parseListenAddresses } from './listen-address.ts';
import type { OptionSpec } from './option-spec.ts';
import {
  oneOf,
  parseCapacity,
  parseCount,
  parseFile,
  parseLink,
  parseOllamaUrl,
  parseSeconds,
  parseSwitch,
  parseTelemetryPath,
} from './option-values.ts';
import { PROXY_OPTIONS } from './proxy-options.ts';

export const OPTIONS = {
  ollamaUrl: {
    flag: 'ollama.url',
    placeholder: 'url',
    fallback: 'http://127.0.0.1:11434',
    alsoEnv: 'OLLAMA_HOST',
    help: 'Ollama server to scrape, by the rules of OLLAMA_HOST, which is used if this is not set. none: serve /probe only.',
    parse: parseOllamaUrl,
  },
  timeoutMs: {
    flag: 'ollama.timeout',
    placeholder: 'duration',
    fallback: '5s',
    help: 'Maximum duration of a scrape, even if Prometheus allows more.',
    parse: parseGoDuration,
  },
  vramCapacity: {
    flag: 'ollama.vram-capacity',
    placeholder: 'size',
    fallback: '',
    help: 'VRAM of the machine that Ollama runs on, such as 24GiB. All units are powers of 1024: 24GB is 24GiB. auto: query nvidia-smi or the AMD driver.',
    parse: parseCapacity,
  },
  memoryCapacity: {
    flag: 'ollama.memory-capacity',
    placeholder: 'size',
    fallback: '',
    help: 'RAM of the machine that Ollama runs on, such as 64GiB. auto: RAM of this machine, or the limit of its cgroup.',
    parse: parseCapacity,
  },
  collectTags: {
    flag: 'collector.tags',
    fallback: 'false',
    help: 'Also expose the models on disk. Ollama then reads every manifest at each scrape.',
    parse: parseSwitch,
  },
  collectRunners: {
    flag: 'collector.runners',
    fallback: 'false',
    help: 'Also expose busy slots and tokens of the loaded models, from the processes of an Ollama on this machine (Linux).',
    parse: parseSwitch,
  },
  timeoutOffsetMs: {
    flag: 'timeout-offset',
    placeholder: 'seconds',
    fallback: '0.5',
    help: "Seconds to subtract from Prometheus's scrape timeout (never more than half of it).",
    parse: (text: string) => parseSeconds(text) * 1_000,
  },
  configFile: {
    flag: 'config.file',
    placeholder: 'file',
    fallback: '',
    help: 'YAML file with modules: which targets /probe may scrape, and how. Read again at SIGHUP and POST /-/reload.',
    parse: parseFile,
  },
  configCheck: {
    flag: 'config.check',
    fallback: 'false',
    help: 'Check --config.file, --web.config.file and --proxy.web.config.file, and exit.',
    parse: parseSwitch,
  },
  listenAddresses: {
    flag: 'web.listen-address',
    placeholder: 'address',
    fallback: ':10434',
    repeatable: true,
    help: 'Address to listen on: :10434, 127.0.0.1:10434 or [::1]:10434. Repeatable, or separated by commas.',
    parse: parseListenAddresses,
  },
  systemdSocket: {
    flag: 'web.systemd-socket',
    fallback: 'false',
    help: 'Listen on the sockets that systemd passes (LISTEN_FDS) instead of --web.listen-address.',
    parse: parseSwitch,
  },
  telemetryPath: {
    flag: 'web.telemetry-path',
    placeholder: 'path',
    fallback: '/metrics',
    help: 'Path under which to expose metrics.',
    parse: parseTelemetryPath,
  },
  dashboardUrl: {
    flag: 'web.dashboard-url',
    placeholder: 'url',
    fallback: '',
    help: 'Dashboard that the page links to, such as https://grafana.example.org/d/ollama.',
    parse: parseLink,
  },
  webConfigFile: {
    flag: 'web.config.file',
    placeholder: 'file',
    fallback: '',
    help: "YAML file that enables TLS or authentication, in the format of Prometheus's own exporters.",
    parse: parseFile,
  },
  maxRequests: {
    flag: 'web.max-requests',
    placeholder: 'number',
    fallback: '40',
    help: 'Maximum number of concurrent scrapes by the telemetry path and the page; beyond it, the response is 503. 0: no limit. /probe has no limit.',
    parse: parseCount,
  },
  disableExporterMetrics: {
    flag: 'web.disable-exporter-metrics',
    fallback: 'false',
    help: 'Exclude metrics about the exporter itself (ollama_exporter_*, process_*, nodejs_*).',
    parse: parseSwitch,
  },
  ...PROXY_OPTIONS,
  logLevel: {
    flag: 'log.level',
    placeholder: 'level',
    fallback: 'info',
    help: 'Only log messages with the given severity or above. One of: [debug, info, warn, error]',
    parse: (text: string) => oneOf(LOG_LEVELS, text),
  },
  logFormat: {
    flag: 'log.format',
    placeholder: 'format',
    fallback: 'logfmt',
    help: 'Output format of log messages, written to stderr. One of: [logfmt, json]',
    parse: (text: string) => oneOf(LOG_FORMATS, text),
  },
  once: {
    flag: 'once',
    fallback: 'false',
    help: 'Scrape once, print the metrics and exit: 0 if Ollama is up, else 1.',
    parse: parseSwitch,
  },
  demo: {
    flag: 'demo',
    fallback: 'false',
    help: 'Scrape a simulated Ollama inside the exporter, to try it with nothing else installed.',
    parse: parseSwitch,
  },
} as const satisfies Record<string, OptionSpec<unknown>>;

/** The values of the options, by their names in `OPTIONS`. */
export type Config = {
  readonly [Name in keyof typeof OPTIONS]: ReturnType<(typeof OPTIONS)[Name]['parse']>;
};

export type OptionName = keyof Config;

/** In the order of the help text. */
export const OPTION_LIST: ReadonlyArray<OptionSpec<unknown>> = Object.values(OPTIONS);

export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTIONS).filter(isOptionName);

function isOptionName(name: string): name is OptionName {
  return name in OPTIONS;
}

/** `--web.listen-address` → `OLLAMA_EXPORTER_WEB_LISTEN_ADDRESS` */
export function environmentName({ flag }: OptionSpec<unknown>): string {
  return `OLLAMA_EXPORTER_${flag.toUpperCase().replaceAll(/[.-]/g, '_')}`;
}
