/** Buildah, Podman and their dependencies, from Debian's packages, with all data below temporary folders. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CACHE, extractWithDependencies } from '../e2e/debian-binaries.ts';

const PACKAGES = ['buildah', 'podman', 'runc', 'patchelf', 'iproute2'];

/** With bundled libraries. By path: Buildah re-executes itself without the environment. */
const PATCHED = ['bin/buildah', 'bin/podman', 'bin/conmon', 'sbin/runc', 'sbin/xtables-nft-multi'];

export interface ContainerTools {
  /** Where images and containers are stored; the caller removes it. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Undefined if containers can't be run, with the reason on stderr. */
export function findContainerTools(): ContainerTools | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    process.stderr.write('skipping the tests of the image: they need root, and packages of Debian\n');
    return undefined;
  }
  const root = join(CACHE, 'containers');
  if (!existsSync(join(root, 'complete'))) {
    extractWithDependencies(PACKAGES, root);
    repair(root);
    writeFileSync(join(root, 'complete'), '');
  }
  const folder = mkdtempSync(join(imageFolder(), 'image-'));
  return { folder, env: configure(folder, join(root, 'usr')) };
}

/** In memory if there is enough: copying images takes less than half the time there. */
function imageFolder(): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) {
    return tmpdir();
  }
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 4 * 1024 ** 3 ? memory : tmpdir();
}

/** What the installation of the packages would have done. */
function repair(root: string): void {
  const usr = join(root, 'usr');
  const patchelf = existsSync(join(usr, 'bin/patchelf')) ? join(usr, 'bin/patchelf') : 'patchelf';
  for (const binary of PATCHED.map((name) => join(usr, name)).filter((path) => existsSync(path))) {
    execFileSync(patchelf, ['--force-rpath', '--set-rpath', libraries(usr), binary]);
  }
  const multi = join(usr, 'sbin/xtables-nft-multi');
  if (existsSync(multi)) {
    for (const name of ['iptables', 'iptables-save', 'iptables-restore']) {
      const commands = [name, name.replace('ip', 'ip6')].map((command) => join(usr, 'sbin', command));
      commands.map((path) => execFileSync('ln', ['--symbolic', '--force', multi, path]));
    }
  }
}

function libraries(usr: string): string {
  return join(usr, 'lib', readdirSync(join(usr, 'lib')).find((name) => name.endsWith('-linux-gnu')) ?? '');
}

/** Each bundled path first, then that of an installed package. */
function configure(folder: string, usr: string): Record<string, string> {
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const quoted = (...paths: readonly string[]) => JSON.stringify(paths);
  file('.config/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
  const seccomp = join(usr, 'share/containers/seccomp.json');
  const bin = join(usr, 'bin');
  const sbin = join(usr, 'sbin');
  return {
    HOME: folder,
    TMPDIR: file('tmp/.keep', '').replace('/.keep', ''),
    PATH: `${bin}:${sbin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    // The directory of iptables's matches.
    ...(existsSync(join(sbin, 'iptables')) ? { XTABLES_LIBDIR: join(libraries(usr), 'xtables') } : {}),
    CONTAINERS_REGISTRIES_CONF: file('registries.conf', ''),
    CONTAINERS_STORAGE_CONF: file(
      'storage.conf',
      `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/store"\nrunroot = "${folder}/run"\n`,
    ),
    CONTAINERS_CONF: file(
      'containers.conf',
      `[containers]
${existsSync(seccomp) ? `seccomp_profile = "${seccomp}"` : ''}
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
tmp_dir = "${folder}/libpod"
conmon_path = ${quoted(join(bin, 'conmon'), '/usr/bin/conmon')}
[engine.runtimes]
runc = ${quoted(join(sbin, 'runc'), '/usr/sbin/runc')}
[network]
network_backend = "cni"
cni_plugin_dirs = ${quoted(join(usr, 'lib/cni'), '/usr/lib/cni')}
network_config_dir = "${folder}/networks"
`,
    ),
  };
}
