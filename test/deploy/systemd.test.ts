/** The systemd unit and its environment file against the exporter's options. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST, OPTIONS } from '../../src/config/options.ts';
import { commandOf, environmentFile } from '../systemd.ts';

const { bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const { set, suggested } = environmentFile();

test('the unit runs the installed command without options, which would override the environment file', () => {
  expect(commandOf('ExecStart')).toEqual(Object.keys(bin));
});

test('the environment file sets nothing, and suggests every option except those that exit', () => {
  const ending = [OPTIONS.once, OPTIONS.configCheck];
  const lasting = OPTION_LIST.filter((option) => !ending.some(({ flag }) => flag === option.flag));
  expect(set).toEqual({});
  expect(Object.keys(suggested)).toEqual(lasting.map(environmentName));
});

test('the socket drop-in sets the suggested variable, and binds the service to the socket', () => {
  const dropIn = readFileSync(new URL('../../deploy/systemd/socket.conf', import.meta.url), 'utf8');
  const [, name = '', value = ''] = /^Environment=(\w+)=(.*)$/m.exec(dropIn) ?? [];
  expect({ [name]: value }).toEqual({
    [environmentName(OPTIONS.systemdSocket)]: suggested[environmentName(OPTIONS.systemdSocket)],
  });
  expect(dropIn).toContain('Requires=ollama-exporter.socket');
  const socket = readFileSync(
    new URL('../../deploy/systemd/ollama-exporter.socket', import.meta.url),
    'utf8',
  );
  expect(`:${/^ListenStream=(.*)$/m.exec(socket)?.[1]}`).toBe(OPTIONS.listenAddresses.fallback);
});

/** Settings of the file, with the last value of each name. */
function settings(name: string): Readonly<Record<string, string>> {
  const text = readFileSync(new URL(`../../deploy/systemd/${name}`, import.meta.url), 'utf8');
  const lines = [...text.matchAll(/^([A-Z]\w+)=(.*)$/gm)];
  return Object.fromEntries(lines.map(([, setting = '', value = '']) => [setting, value]));
}

test('the runners drop-in only disables the settings that hide processes', () => {
  const { Environment, ...undone } = settings('runners.conf');
  expect(undone).toEqual({ ProtectProc: 'default', PrivateUsers: 'no' });
  expect(settings('ollama-exporter.service')).toMatchObject({
    ProtectProc: 'invisible',
    PrivateUsers: 'yes',
  });
  expect(Environment).toBe('OLLAMA_EXPORTER_COLLECTOR_RUNNERS=true');
});

test('the runners drop-in sets the variable that the environment file suggests', () => {
  const [name = '', value] = settings('runners.conf')['Environment']?.split('=') ?? [];
  expect(suggested[name]).toBe(value);
});

test('the Ollama drop-in only enables the counters of its runners', () => {
  expect(settings('ollama.conf')).toEqual({ Environment: 'LLAMA_ARG_ENDPOINT_METRICS=1' });
});

test('the unit allows two file descriptors for each of 100,000 streams', () => {
  expect(Number(settings('ollama-exporter.service')['LimitNOFILE'])).toBeGreaterThanOrEqual(200_000);
});

test.each(Object.entries(suggested))('%s=%s is accepted', (name, value) => {
  expect(value).not.toBe('');
  expect(parseCommandLine([], { [name]: value }, '')).toMatchObject({ kind: 'run' });
});
