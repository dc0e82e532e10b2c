import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import {
  DEMO,
  merged,
  mounts,
  parseComposeFile,
  published,
  ROOT,
  readText,
  type Service,
  serviceOf,
} from '../compose.ts';

const overlay = parseComposeFile(readText('compose.ollama.yaml'));
const real = merged(DEMO, overlay);
const services = Object.entries(real.services).map(([name, service]) => ({ name, service }));

/** What the exporter's command line makes it scrape. */
function scraped({ command = [] }: Service): string {
  const invocation = parseCommandLine(command, {}, '');
  return invocation.kind === 'run'
    ? String(invocation.config.demo ? 'demo' : invocation.config.ollamaUrl)
    : invocation.text;
}

describe('the compose files', () => {
  test.each(services)('run $name from an exact version, or from the Dockerfile here', ({ name, service }) => {
    if (name === 'ollama-exporter') {
      expect(service).toMatchObject({ build: '.' });
      expect(service.image).toBeUndefined();
    } else {
      expect(service.image).toMatch(/^[a-z]+\/[a-z]+:v?\d+\.\d+\.\d+$/);
    }
  });

  test.each(services)('publish ports of $name on loopback only, under their own numbers', ({ service }) => {
    for (const port of service.ports ?? []) {
      expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
    }
  });

  test('show Grafana where the documentation says', () => {
    expect(published('grafana')).toBe('3000');
  });

  test.each(services)(
    'mount for $name what is there, files read-only and volumes declared',
    ({ service }) => {
      for (const { source, named, readOnly } of mounts(service)) {
        expect(named ? source in (real.volumes ?? {}) : existsSync(new URL(source, ROOT))).toBe(true);
        expect(readOnly).toBe(!named);
      }
    },
  );

  test('declare no volume that nobody mounts', () => {
    const used = services.flatMap(({ service }) => mounts(service)).filter(({ named }) => named);
    expect(Object.keys(real.volumes ?? {})).toEqual(used.map(({ source }) => source));
  });

  test.each(Object.keys(DEMO.services))('give %s no rights that it has no use for', (name) => {
    expect(serviceOf(DEMO, name)).toMatchObject({
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  test('give the exporter a root that it can not write to', () => {
    expect(serviceOf(DEMO, 'ollama-exporter').read_only).toBe(true);
  });

  test.each(services)('start $name again after a crash and a reboot', ({ service }) => {
    expect(service.restart).toBe('unless-stopped');
  });

  test.each(services)('let $name wait for services that there are', ({ service: { depends_on = [] } }) => {
    for (const name of depends_on) {
      expect(real.services).toHaveProperty(name);
    }
  });
});

describe('the exporter', () => {
  test('scrapes the demo', () => {
    expect(scraped(serviceOf(DEMO, 'ollama-exporter'))).toBe('demo');
  });

  test('scrapes the service ollama when compose.ollama.yaml is added, which listens on more than loopback', () => {
    const url = new URL(scraped(serviceOf(real, 'ollama-exporter')));
    const ollama = serviceOf(real, url.hostname);
    expect(ollama.image).toMatch(/^ollama\/ollama:/);
    expect(ollama.environment).toEqual({ OLLAMA_HOST: `0.0.0.0:${url.port}` });
  });

  test('differs in nothing but its command then, and nothing else differs', () => {
    const { command, ...rest } = overlay.services['ollama-exporter'] ?? {};
    expect(command).toBeDefined();
    expect(rest).toEqual({});
    expect(Object.keys(overlay.services)).toEqual(['ollama-exporter', 'ollama']);
  });
});

test('the lines for an NVIDIA GPU are good ones, and left out until wanted', () => {
  expect(serviceOf(overlay, 'ollama').deploy).toBeUndefined();
  const text = readText('compose.ollama.yaml').replaceAll(/^( +)#(?! \S)/gm, '$1');
  expect(serviceOf(parseComposeFile(text), 'ollama').deploy).toBeDefined();
});
