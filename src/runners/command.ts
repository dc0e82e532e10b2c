/** Command line of a process → whether it is `ollama serve`, or the runner of a model. */
import type { ProcessStat } from './process-files.ts';

/** The blob and the port of a runner. Nothing else of a command line is used. */
export interface RunnerCommand {
  /** Digest of the file with the weights, 64 hexadecimal digits; undefined for MLX, which has a name instead. */
  readonly blob: string | undefined;
  /** Name of the model, for MLX only. It is only compared, never exposed. */
  readonly name: string | undefined;
  readonly port: number;
  /** Whether it has `/slots` and `/metrics`: llama-server, since Ollama 0.30. */
  readonly hasEndpoints: boolean;
}

const LLAMA_SERVER = 'llama-server';
const OLLAMA = 'ollama';

/** Checked first, because reading the command line of a stuck process can hang. */
export function mayBeRunner({ comm, state }: ProcessStat): boolean {
  return (comm === LLAMA_SERVER || comm === OLLAMA) && state !== 'Z' && state !== 'X';
}

export function mayBeServer({ comm, state }: ProcessStat): boolean {
  return comm === OLLAMA && state !== 'Z' && state !== 'X';
}

/** `start` is an alias of `serve` (cmd/cmd.go). Clients such as `ollama run` have the same program. */
export function isServe([, command]: readonly string[]): boolean {
  return command === 'serve' || command === 'start';
}

const BLOB = /[/\\]blobs[/\\]sha256-([0-9a-f]{64})$/;
const PORT = /^[1-9]\d{0,4}$/;
/** Longer texts are not the name of a model. */
const MAX_NAME = 1_024;

/** @returns undefined if it is not a runner of a model, such as a GPU discovery, which has a port but no model */
export function parseRunner(comm: string, argv: readonly string[]): RunnerCommand | undefined {
  const hasEndpoints = comm === LLAMA_SERVER;
  const model = wordAfter('--model', argv);
  const port = wordAfter('--port', argv);
  if (
    (!hasEndpoints && argv[1] !== 'runner') ||
    model === undefined ||
    port === undefined ||
    !PORT.test(port)
  ) {
    return undefined;
  }
  const [, blob] = BLOB.exec(model) ?? [];
  // `ollama runner --mlx-engine --model NAME --port N`, and `--imagegen-engine`.
  const isNamed = !hasEndpoints && argv.some((word) => /^--(mlx|imagegen)-engine$/.test(word));
  if (Number(port) > 65_535 || (blob === undefined && !isNamed)) {
    return undefined;
  }
  return { blob, name: isNamed ? model.slice(0, MAX_NAME) : undefined, port: Number(port), hasEndpoints };
}

function wordAfter(flag: string, argv: readonly string[]): string | undefined {
  const at = argv.indexOf(flag);
  return at === -1 ? undefined : argv[at + 1];
}
