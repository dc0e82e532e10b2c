/** The image, built and run with Buildah and Podman, on replacements of the base images. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseExposition, sampleValue } from '../exposition.ts';
import { assembleBaseImages, BUILD_IMAGE, RUNTIME_IMAGE } from './base-images.ts';
import { findContainerTools } from './container-tools.ts';
import { type Network, openNetwork } from './network.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMAGE = 'localhost/ollama-exporter:test';
const tools = findContainerTools();

describe.skipIf(tools === undefined)('the image', () => {
  const { folder, env } = tools ?? { folder: '', env: {} };
  let network: Network;

  function buildah(...args: readonly string[]): string {
    return execFileSync('buildah', args, { env, cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
  }

  function build(image: string, ...more: readonly string[]): void {
    const bases = [`BUILD_IMAGE=${BUILD_IMAGE}`, `RUNTIME_IMAGE=${RUNTIME_IMAGE}`];
    const values = [...bases, 'VERSION=1.2.3', 'REVISION=abcdef'].flatMap((value) => ['--build-arg', value]);
    const how = ['--isolation', 'chroot', '--pull-never', '--format', 'docker', '--layers'];
    buildah('bud', ...how, ...values, ...more, '--tag', image, '.');
  }

  /** In the network of the containers. */
  function inside(command: string, ...args: readonly string[]) {
    const [enter = '', ...namespaces] = network.enter;
    return spawnSync(enter, [...namespaces, command, ...args], { env, encoding: 'utf8', timeout: 30_000 });
  }

  const podman = (...args: readonly string[]) => inside('podman', ...args);

  /** As strict as documented; port 9999 of the container is port 10434 outside. */
  const STRICT = ['--read-only', '--cap-drop=all', '--security-opt=no-new-privileges', '--pull=never'];

  /** @returns its name, once it listens */
  async function start(options: readonly string[], args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = podman('run', '--detach', ...STRICT, ...options, IMAGE, ...args);
    expect(status, stderr).toBe(0);
    const name = stdout.trim();
    onTestFinished(() => {
      podman('rm', '--force', '--time=0', name);
    });
    await expect.poll(() => podman('logs', name).stderr, { timeout: 20_000 }).toContain('msg=Listening');
    return name;
  }

  function fetchInside(url: string): string {
    const script = `fetch('${url}').then((r) => r.text()).then((text) => process.stdout.write(text))`;
    return inside(process.execPath, '--eval', script).stdout;
  }

  const health = (name: string) => podman('healthcheck', 'run', name).status;

  beforeAll(async () => {
    const [, line = ''] =
      /BUILD_IMAGE=\S+\/node:(\d+)/.exec(readFileSync(`${ROOT}/Dockerfile`, 'utf8')) ?? [];
    assembleBaseImages(folder, line, buildah);
    build(IMAGE);
    network = await openNetwork(env);
  });

  afterAll(async () => {
    podman('rm', '--force', '--all', '--time=0');
    await network?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('accepts flags directly', () => {
    const { stdout } = podman('run', '--rm', ...STRICT, IMAGE, '--version');
    expect(stdout).toMatch(/^ollama-exporter, version \S+ \(revision: abcdef\)\n/);
  });

  test('serves metrics with a read-only file system, without capabilities, on a mapped port', async () => {
    await start(['--publish=127.0.0.1:10434:10434'], ['--demo']);
    const exposition = parseExposition(fetchInside('http://127.0.0.1:10434/metrics'));
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  });

  test('runs a single process, as a numeric user other than root', async () => {
    const name = await start([], ['--demo']);
    expect(podman('top', name, 'huser', 'pid', 'args').stdout.trim().split('\n').slice(1)).toEqual([
      expect.stringMatching(/^65532 +1 +\/nodejs\/bin\/node \/app\/dist\/main\.js --demo *$/),
    ]);
  });

  test('runs as an arbitrary user in group 0, as on OpenShift', async () => {
    const name = await start(['--user=1000680000:0'], ['--demo']);
    expect(podman('top', name, 'huser').stdout).toMatch(/^1000680000\s*$/m);
    expect(health(name)).toBe(0);
  });

  test('exits with 0 when stopped', async () => {
    const name = await start([], ['--demo']);
    podman('stop', '--time=10', name);
    expect(podman('inspect', '--format={{.State.ExitCode}}', name).stdout.trim()).toBe('0');
  });

  test('is healthy in any state of Ollama, on any listen address', async () => {
    expect(health(await start([], []))).toBe(0);
    expect(health(await start([], ['--web.listen-address=127.0.0.1:9999']))).toBe(0);
    expect(health(await start(['--env=OLLAMA_EXPORTER_WEB_LISTEN_ADDRESS=[::]:9998'], []))).toBe(0);
  });

  test('is unhealthy if it hangs', async () => {
    const name = await start([], ['--demo']);
    podman('kill', '--signal=STOP', name);
    expect(health(name)).toBe(1);
  });

  test('has the user, the port, the entry point and the labels', () => {
    const { config } = JSON.parse(buildah('inspect', '--type=image', IMAGE)).Docker;
    expect(config).toMatchObject({
      User: '65532:65532',
      ExposedPorts: { '10434/tcp': {} },
      Entrypoint: ['/nodejs/bin/node', '/app/dist/main.js'],
      Labels: {
        'org.opencontainers.image.version': '1.2.3',
        'org.opencontainers.image.revision': 'abcdef',
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    });
  });

  test('contains only the program and its dependencies', () => {
    const script = "process.stdout.write(require('fs').readdirSync('/app', { recursive: true }).join('\\n'))";
    const how = ['--entrypoint=["/nodejs/bin/node", "--eval"]', ...STRICT];
    const files = podman('run', '--rm', ...how, IMAGE, script).stdout.split('\n');
    expect(files.filter((file) => !/\//.test(file)).sort()).toEqual([
      'LICENSE',
      'dist',
      'node_modules',
      'package.json',
    ]);
    const { dependencies, devDependencies } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8'));
    const installed = (name: string) => files.includes(`node_modules/${name}/package.json`);
    expect(Object.keys(dependencies).filter((name) => !installed(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter(installed)).toEqual([]);
  });

  test('can be cross-built for another platform', () => {
    const [native, other] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
    // From scratch, as no base image of that platform is available; Docker sets BUILDPLATFORM itself.
    const values = ['RUNTIME_IMAGE=scratch', `BUILDPLATFORM=linux/${native}`];
    const platform = ['--platform', `linux/${other}`];
    build(`${IMAGE}-${other}`, ...platform, ...values.flatMap((value) => ['--build-arg', value]));
    const { OCIv1 } = JSON.parse(buildah('inspect', '--type=image', `${IMAGE}-${other}`));
    expect(OCIv1).toMatchObject({ architecture: other, os: 'linux' });
  });
});
