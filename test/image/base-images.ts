/** Replacements for the two base images, from Node.js in npm and the libraries of this machine. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchNode } from '../matrix.mjs';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** A name that no registry has. */
export const BUILD_IMAGE = 'localhost/node:test';
export const RUNTIME_IMAGE = 'localhost/distroless:test';

/**
 * @param folder for the files of the images
 * @param nodeLine of Node.js, such as `24`
 * @param buildah runs Buildah, and returns what it prints
 */
export function assembleBaseImages(
  folder: string,
  nodeLine: string,
  buildah: (...args: readonly string[]) => string,
): void {
  const node = fetchNode(nodeLine);
  const build = rootFileSystem(join(folder, 'node'), {
    [node]: '/usr/local/bin/node',
    '/bin/sh': '/bin/sh',
    '/usr/bin/env': '/usr/bin/env',
  });
  addNpm(build);
  const runtime = rootFileSystem(join(folder, 'distroless'), { [node]: '/nodejs/bin/node' });
  for (const [root, image] of [
    [build, BUILD_IMAGE],
    [runtime, RUNTIME_IMAGE],
  ] as const) {
    const container = buildah('from', 'scratch').trim();
    buildah('copy', container, root, '/');
    buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container);
    buildah('commit', '--quiet', container, image);
    buildah('rm', container);
  }
}

/** @param programs from source to destination, with their shared libraries */
function rootFileSystem(root: string, programs: Readonly<Record<string, string>>): string {
  const copy = (from: string, to: string) => cpSync(from, join(root, to), { dereference: true });
  for (const [from, to] of Object.entries(programs)) {
    copy(from, to);
    const linked = execFileSync('ldd', [from], { encoding: 'utf8' });
    for (const [library] of linked.matchAll(/\/\S+/g)) {
      copy(library, library);
    }
  }
  copy(CERTIFICATES, CERTIFICATES);
  mkdirSync(join(root, 'tmp'), { mode: 0o1777 });
  return root;
}

/** The npm configuration of this machine, with its registry. */
function addNpm(root: string): void {
  const npm = (...args: readonly string[]) => execFileSync('npm', args, { encoding: 'utf8' }).trim();
  const to = join(root, 'usr/local/lib/node_modules/npm');
  cpSync(join(npm('root', '--global'), 'npm'), to, { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  const settings = join(root, 'usr/local/etc/npmrc');
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, `cafile=${CERTIFICATES}\nregistry=${npm('config', 'get', 'registry')}\n`);
}
