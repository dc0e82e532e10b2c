/** Argv and environment → a `Config`, or a text to print. */
import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '../log/error-text.ts';
import type { LogFormat } from '../log/log-options.ts';
import { parseListenAddresses } from './listen-address.ts';
import type { OptionSpec } from './option-spec.ts';
import {
  type Config,
  environmentName,
  OPTION_LIST,
  OPTION_NAMES,
  OPTIONS,
  type OptionName,
} from './options.ts';

export type Invocation =
  | { readonly kind: 'run'; readonly config: Config }
  | { readonly kind: 'print'; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** The command line is invalid. The message is one line that names the option and the value. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Flags override the environment, which overrides the defaults. An empty environment variable counts as not set.
 *
 * @param args without the program's name
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
  return { kind: 'run', config: readConfig((name) => typed(command, name), env) };
}

/** The log format, even if other options are invalid. */
export function logFormatOf(args: readonly string[], env: Environment): LogFormat {
  const command = buildCommand('', () => {}).allowUnknownOption();
  try {
    command.parse(args, { from: 'user' });
  } catch {
    // Options before the invalid one apply.
  }
  try {
    return readOption(SPECS.logFormat, typed(command, 'logFormat'), env);
  } catch {
    return 'logfmt';
  }
}

function buildCommand(versionText: string, print: (text: string) => void): Command {
  const command = new Command('ollama-exporter')
    .description('Prometheus exporter for Ollama: loaded models, VRAM and expiry, queried at each scrape.')
    .version(versionText, '--version', 'Print the version and exit.')
    .helpOption('-h, --help', 'Print this help and exit.')
    .addHelpText(
      'after',
      '\nEach option can also be set by an environment variable: --log.level as OLLAMA_EXPORTER_LOG_LEVEL.',
    )
    .configureHelp({
      // Prometheus shows boolean flags like this.
      optionTerm: (option) => (option.optional ? `--[no-]${option.name()}` : option.flags),
    })
    .allowExcessArguments()
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .exitOverride();
  for (const option of OPTION_LIST) {
    command.addOption(commanderOption(option));
    if (option.placeholder === undefined) {
      command.addOption(new Option(`--no-${option.flag}`).hideHelp());
    }
  }
  return command;
}

function commanderOption({ flag, placeholder, fallback, help, repeatable }: OptionSpec<unknown>): Option {
  const description = placeholder && fallback ? `${help} (default: ${fallback})` : help;
  const option = new Option(`--${flag} ${placeholder ? `<${placeholder}>` : '[true|false]'}`, description);
  return repeatable ? option.argParser(joinRepeated) : option;
}

function joinRepeated(value: string, previous: string | undefined): string {
  return previous === undefined ? value : `${previous},${value}`;
}

/** The text of an option as typed, `true` or `false` for a boolean; undefined if it is not set. */
function typed(command: Command, name: OptionName): string | undefined {
  const value: unknown = command.getOptionValue(commanderOption(SPECS[name]).attributeName());
  return value === undefined ? undefined : String(value);
}

type Typed = (name: OptionName) => string | undefined;

/** By name, with the type of each option's value. */
const SPECS: { readonly [Name in OptionName]: OptionSpec<Config[Name]> } = OPTIONS;

function readConfig(typed: Typed, env: Environment): Config {
  const config: { -readonly [Name in OptionName]?: Config[Name] } = {};
  const demo = isDemo(typed, env);
  const read = <Name extends OptionName>(name: Name) => {
    // With --demo, an invalid OLLAMA_HOST is ignored.
    const from = demo && name === 'ollamaUrl' ? {} : env;
    config[name] = readOption(SPECS[name], typed(name), from);
  };
  OPTION_NAMES.forEach(read);
  config.demo = demo;
  if (demo && config.proxyListenAddresses?.length === 0) {
    // The simulated clients need a proxy.
    config.proxyListenAddresses = parseListenAddresses('127.0.0.1:0');
  }
  if (!isComplete(config)) {
    throw new Error('an option has no value');
  }
  return config;
}

/** A flag of one overrides the environment variable of the other. */
function isDemo(typed: Typed, env: Environment): boolean {
  const demo = readOption(SPECS.demo, typed('demo'), env);
  if (typed('ollamaUrl') === undefined) {
    return demo;
  }
  if (typed('demo') !== undefined && demo) {
    throw new UsageError("--demo simulates an Ollama and can't be combined with --ollama.url");
  }
  return false;
}

function isComplete(config: Partial<Config>): config is Config {
  return OPTION_NAMES.every((name) => name in config);
}

function readOption<T>(option: OptionSpec<T>, typed: string | undefined, env: Environment): T {
  const candidates: ReadonlyArray<readonly [source: string, text: string | undefined]> = [
    [`--${option.flag}`, typed],
    ...[environmentName(option), ...(option.alsoEnv ? [option.alsoEnv] : [])].map(
      (name) => [name, env[name] || undefined] as const,
    ),
  ];
  const [source, text] = candidates.find((candidate) => candidate[1] !== undefined) ?? [];
  try {
    return option.parse(text ?? option.fallback);
  } catch (cause) {
    if (option.placeholder === undefined && typed !== undefined) {
      throw new UsageError(`--${option.flag} takes no value, or =true or =false`, { cause });
    }
    const problem = messageOf(cause);
    throw new UsageError(`invalid value ${JSON.stringify(redact(text ?? ''))} for ${source}: ${problem}`, {
      cause,
    });
  }
}

/** User info or a query of a URL may hold a secret, and in an invalid URL its end is unknown. */
function redact(text: string): string {
  return /[@?]/.test(text) ? '<secret>' : text;
}

/** Omits the value of an unknown option, which may be the secret of a misspelt one. */
function oneLine(error: unknown): string {
  const message = messageOf(error);
  const [, negated] = /^error: unknown option '(--no-[^'=]*)=/.exec(message) ?? [];
  if (OPTION_LIST.some(({ flag, placeholder }) => placeholder === undefined && negated === `--no-${flag}`)) {
    return `${negated} takes no value`;
  }
  return message
    .replace(/^error: /, '')
    .replace(/^(unknown option '[^'=]*)=.*'/s, "$1'")
    .replaceAll(/\s*\n\s*/g, ' ');
}
