/** Turns argv and environment into a `Config`, or into a text to print. */
import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '../log/error-text.ts';
import type { LogFormat, LogLevel } from '../log/log-options.ts';
import type { TimeoutOptions } from '../scrape/deadline.ts';
import type { CapacityOptions } from './capacity.ts';
import type { ListenAddress } from './listen-address.ts';
import { environmentName, OPTION_LIST, OPTIONS, type OptionSpec } from './options.ts';

export interface Config extends TimeoutOptions, CapacityOptions {
  /** Where Ollama is, or that one is to be simulated. */
  readonly ollama: URL | 'demo';
  readonly collectTags: boolean;
  readonly configFile: string | undefined;
  /** Only check the files, and don't run. */
  readonly checkOnly: boolean;
  readonly listenAddresses: readonly ListenAddress[];
  readonly telemetryPath: string;
  readonly webConfigFile: string | undefined;
  /** 0 is no limit. */
  readonly maxRequests: number;
  readonly exporterMetrics: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly once: boolean;
}

export type Invocation =
  | { readonly kind: 'run'; readonly config: Config }
  | { readonly kind: 'print'; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the user typed can't be used. The message is one line that names the option and the value. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Flag beats environment beats default. An empty environment variable counts as not set.
 *
 * @param args what follows the program's name
 * @param versionText what `--version` prints
 * @throws UsageError
 */
export function parseCommandLine(args: readonly string[], env: Environment, versionText: string): Invocation {
  let text = '';
  const command = buildCommand(versionText, (part) => {
    text += part;
  });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { kind: 'print', text };
    }
    throw new UsageError(oneLine(error), { cause: error });
  }
  const [stray] = command.args;
  if (stray !== undefined) {
    throw new UsageError(`unexpected argument ${JSON.stringify(redact(stray))}`);
  }
  return { kind: 'run', config: readConfig((flag) => typed(command, flag), env) };
}

function buildCommand(versionText: string, print: (text: string) => void): Command {
  const command = new Command('ollama-exporter')
    .description('Prometheus exporter for Ollama: what sits in memory, asked for at each scrape.')
    .version(versionText, '--version', 'Print the version and exit.')
    .helpOption('-h, --help', 'Print this help and exit.')
    .addHelpText(
      'after',
      '\nEach option can be set in the environment too: --log.level as OLLAMA_EXPORTER_LOG_LEVEL.',
    )
    .allowExcessArguments()
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .exitOverride();
  for (const { flag, placeholder, fallback, help, repeatable } of OPTION_LIST) {
    const option = new Option(placeholder ? `--${flag} <${placeholder}>` : `--${flag}`);
    option.description = placeholder && fallback ? `${help} (default: ${fallback})` : help;
    command.addOption(repeatable ? option.argParser(joinRepeated) : option);
  }
  return command;
}

function joinRepeated(value: string, previous: string | undefined): string {
  return previous === undefined ? value : `${previous},${value}`;
}

/** The text of a flag as it was typed, `true` for a switch; undefined where it was not given. */
function typed(command: Command, flag: string): string | undefined {
  const option = command.options.find(({ long }) => long === `--${flag}`);
  const value: unknown = option && command.getOptionValue(option.attributeName());
  return value === undefined ? undefined : String(value);
}

type Typed = (flag: string) => string | undefined;

function readConfig(typed: Typed, env: Environment): Config {
  const read = <T>(option: OptionSpec<T>): T => readOption(option, typed, env);
  const urlTyped = typed(OPTIONS.ollamaUrl.flag) !== undefined;
  if (urlTyped && typed(OPTIONS.demo.flag) !== undefined) {
    throw new UsageError('--demo simulates an Ollama of its own and excludes --ollama.url');
  }
  return {
    ollama: read(OPTIONS.demo) && !urlTyped ? 'demo' : read(OPTIONS.ollamaUrl),
    timeoutMs: read(OPTIONS.timeoutMs),
    vramCapacity: read(OPTIONS.vramCapacity),
    memoryCapacity: read(OPTIONS.memoryCapacity),
    collectTags: read(OPTIONS.collectTags),
    offsetMs: read(OPTIONS.offsetMs),
    configFile: read(OPTIONS.configFile),
    checkOnly: read(OPTIONS.configCheck),
    listenAddresses: read(OPTIONS.listenAddresses),
    telemetryPath: read(OPTIONS.telemetryPath),
    webConfigFile: read(OPTIONS.webConfigFile),
    maxRequests: read(OPTIONS.maxRequests),
    exporterMetrics: !read(OPTIONS.disableExporterMetrics),
    logLevel: read(OPTIONS.logLevel),
    logFormat: read(OPTIONS.logFormat),
    once: read(OPTIONS.once),
  };
}

function readOption<T>(option: OptionSpec<T>, typed: Typed, env: Environment): T {
  const candidates: ReadonlyArray<readonly [source: string, text: string | undefined]> = [
    [`--${option.flag}`, typed(option.flag)],
    ...[environmentName(option), ...(option.alsoEnv ? [option.alsoEnv] : [])].map(
      (name) => [name, env[name] || undefined] as const,
    ),
  ];
  const [source, text] = candidates.find((candidate) => candidate[1] !== undefined) ?? [];
  try {
    return option.parse(text ?? option.fallback);
  } catch (cause) {
    const problem = messageOf(cause);
    throw new UsageError(`bad value ${JSON.stringify(redact(text ?? ''))} for ${source}: ${problem}`, {
      cause,
    });
  }
}

/** User info or a query of a URL may hold a secret, and where it ends can't be told in a text that is wrong. */
function redact(text: string): string {
  return /[@?]/.test(text) ? '<secret>' : text;
}

/** An unknown option goes without its value, which may be a secret behind a misspelt name. */
function oneLine(error: unknown): string {
  const message = messageOf(error);
  return message
    .replace(/^error: /, '')
    .replace(/^(unknown option '[^'=]*)=.*'/s, "$1'")
    .replaceAll(/\s*\n\s*/g, ' ');
}
