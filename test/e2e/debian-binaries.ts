/** Finds the programs that the end-to-end tests run, or fetches them from Debian's packages, without root. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Below the project, so that a fresh clone fetches again and nothing remains on the machine. */
export const CACHE = fileURLToPath(new URL('../../.cache/debian', import.meta.url));

/** Paths by name. */
export type Binaries = Readonly<Record<string, string>>;

export interface DebianPackage {
  readonly name: string;
  /** A directory whose absolute path is compiled in. Extracted from the package, a binary looks in its cwd instead. */
  readonly compiledIn?: string;
  readonly binaries: readonly string[];
}

/**
 * @returns the path of each binary by its name
 * @throws Error that states why they are not available
 */
export function findBinaries({ name, binaries, compiledIn }: DebianPackage): Binaries {
  const found = onPath(binaries) ?? inCache(binaries);
  if (found !== undefined) {
    return found;
  }
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`${binaries.join(' and ')} are not on PATH, and only Debian's apt-get could fetch them`);
  }
  process.stderr.write(`fetching Debian's package ${name} into .cache (once)\n`);
  fetchPackage(name);
  const fetched = inCache(binaries);
  if (fetched === undefined) {
    throw new Error(`Debian's package ${name} holds no ${binaries.join(' or ')}`);
  }
  if (compiledIn !== undefined) {
    for (const binary of Object.values(fetched)) {
      lookInCwd(binary, compiledIn);
    }
  }
  return fetched;
}

/** Go stores the length of a string separately, so a path can only be replaced by one of the same length. */
function lookInCwd(binary: string, folder: string): void {
  const here = './'.repeat(folder.length).slice(0, folder.length);
  writeFileSync(binary, readFileSync(binary, 'latin1').replaceAll(folder, here), 'latin1');
}

function onPath(binaries: readonly string[]): Binaries | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  return locate(binaries, (binary) => folders.map((folder) => join(folder, binary)));
}

function inCache(binaries: readonly string[]): Binaries | undefined {
  return locate(binaries, (binary) => [join(CACHE, 'root/usr/bin', binary)]);
}

function locate(
  binaries: readonly string[],
  candidates: (binary: string) => readonly string[],
): Binaries | undefined {
  const paths = binaries.map((binary) => candidates(binary).find((path) => existsSync(path)));
  const known = paths.filter((path) => path !== undefined);
  return known.length === paths.length
    ? Object.fromEntries(binaries.map((binary, index) => [binary, known[index] ?? '']))
    : undefined;
}

function fetchPackage(name: string): void {
  apt('update');
  apt('download', name);
  const deb = readdirSync(CACHE).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  run('dpkg-deb', ['--extract', deb ?? `${name}.deb`, 'root']);
}

/**
 * Extracts packages below a directory, with those of their dependencies that the machine lacks.
 *
 * @throws Error if they are not available
 */
export function extractWithDependencies(packages: readonly string[], root: string): void {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`only Debian's apt-get could fetch ${packages.join(' and ')}`);
  }
  process.stderr.write(`fetching Debian's ${packages.join(', ')} into .cache (once)\n`);
  const archives = `${root}.archives`;
  mkdirSync(join(archives, 'partial'), { recursive: true });
  apt('update');
  const how = [
    '-o',
    `Dir::Cache::archives=${archives}`,
    '--yes',
    '--no-install-recommends',
    '--download-only',
  ];
  apt(...how, 'install', ...packages);
  for (const name of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
    run('dpkg-deb', ['--extract', join(archives, name), root]);
  }
}

/** With its own package lists, so that neither root nor an `apt-get update` of the machine is needed. */
function apt(...args: readonly string[]): void {
  const lists = join(CACHE, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  mkdirSync(join(CACHE, 'archives/partial'), { recursive: true });
  const options = [
    ['-o', `Dir::State::lists=${lists}`],
    ['-o', `Dir::Cache=${CACHE}`],
    ['-o', 'APT::Sandbox::User='],
    ['-o', 'Acquire::Languages=none'],
    ['-o', 'Debug::NoLocking=true'],
  ].flat();
  run('apt-get', [...options, '--quiet', ...args]);
}

function run(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { cwd: CACHE, stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 });
  } catch (cause) {
    throw new Error(`could not fetch from Debian: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
