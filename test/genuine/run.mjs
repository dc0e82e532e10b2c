// Runs the suite against a genuine Ollama: `npm run test:ollama -- --ollama PATH`.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const NEEDS = `Usage: npm run test:ollama -- --ollama PATH

PATH is the program ollama, 0.30 or later, as installed: with its llama-server and llama-quantize in
../lib/ollama. The suite starts servers of its own on free loopback ports, with models that it makes
and folders that it removes. It needs Linux, and no GPU.
`;

/** @returns {string} the version that the program reports; throws an Error with the reason otherwise */
function versionOf(/** @type {string} */ program) {
  const { error, stdout, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [, version] = /version is (\S+)/.exec(`${stdout}${stderr}`) ?? [];
  if (version === undefined) {
    throw new Error(`${program} is not a program ollama that runs here: ${error?.message ?? stderr}`);
  }
  return version;
}

function main() {
  const { values, positionals } = parseArgs({
    options: { ollama: { type: 'string' } },
    allowPositionals: true,
  });
  if (values.ollama === undefined || process.platform !== 'linux') {
    process.stderr.write(NEEDS);
    return 2;
  }
  const program = resolve(process.env['INIT_CWD'] ?? '.', values.ollama);
  process.stdout.write(`Ollama ${versionOf(program)}: ${program}\n`);
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url));
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--config', config, ...positionals], {
    stdio: 'inherit',
    env: { ...process.env, OLLAMA_BINARY: program },
  });
  return status ?? 1;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${NEEDS}`);
  process.exitCode = 2;
}
