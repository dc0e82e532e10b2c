import { expect, test } from 'vitest';
import { environmentName, OPTION_LIST } from '../../src/config/options.ts';
import { unknownVariables } from '../../src/config/unknown-variables.ts';

test.each([
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['LOG_LEVL', 'LOG_LEVEL'],
  ['LISTEN_ADDRESS', 'WEB_LISTEN_ADDRESS'],
  ['URL', 'OLLAMA_URL'],
  ['VRAM_CAPACITY', 'OLLAMA_VRAM_CAPACITY'],
  ['OLLAMA_HOST', 'OLLAMA_URL'],
  ['CONFIG', 'CONFIG_FILE'],
  ['WEB_CONFIG', 'WEB_CONFIG_FILE'],
  ['PASSWORD', undefined],
  ['', undefined],
])('OLLAMA_EXPORTER_%s is unknown, and the suggestion is %s', (name, nearest) => {
  expect(unknownVariables({ [`OLLAMA_EXPORTER_${name}`]: 'x', PATH: '/bin', OLLAMA_HOSTS: 'x' })).toEqual([
    { name: `OLLAMA_EXPORTER_${name}`, nearest: nearest && `OLLAMA_EXPORTER_${nearest}` },
  ]);
});

test('the variables of all options are known', () => {
  expect(
    unknownVariables(Object.fromEntries(OPTION_LIST.map((option) => [environmentName(option), 'x']))),
  ).toEqual([]);
});

test('variables that Kubernetes sets for a Service of the same name are ignored', () => {
  const address = '10.96.3.4';
  for (const service of ['OLLAMA_EXPORTER', 'OLLAMA_EXPORTER_FLEET']) {
    const env = {
      [`${service}_SERVICE_HOST`]: address,
      [`${service}_SERVICE_PORT`]: '10434',
      [`${service}_SERVICE_PORT_HTTP_METRICS`]: '10434',
      [`${service}_PORT`]: `tcp://${address}:10434`,
      [`${service}_PORT_10434_TCP`]: `tcp://${address}:10434`,
      [`${service}_PORT_10434_TCP_PROTO`]: 'tcp',
      [`${service}_PORT_10434_TCP_PORT`]: '10434',
      [`${service}_PORT_10434_TCP_ADDR`]: address,
    };
    expect(unknownVariables(env)).toEqual([]);
  }
});

test('a PORT variable that Kubernetes did not set is reported as unknown', () => {
  expect(unknownVariables({ OLLAMA_EXPORTER_PORT: '9999' })).toHaveLength(1);
});
