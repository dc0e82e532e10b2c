/** The systemd unit and its environment file, in what they say of the exporter. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST, OPTIONS } from '../../src/config/options.ts';
import { commandOf, environmentFile } from '../systemd.ts';

const { bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const { set, suggested } = environmentFile();

test('the unit starts what npm installs, without options, which would override the environment file', () => {
  expect(commandOf('ExecStart')).toEqual(Object.keys(bin));
});

test('the environment file sets nothing, and suggests each option that does not end the exporter', () => {
  const ending = [OPTIONS.once, OPTIONS.configCheck];
  const lasting = OPTION_LIST.filter((option) => !ending.some(({ flag }) => flag === option.flag));
  expect(set).toEqual({});
  expect(Object.keys(suggested)).toEqual(lasting.map(environmentName));
});

test('the drop-in for the socket unit sets what it suggests, and binds the service to the socket', () => {
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

test.each(Object.entries(suggested))('%s=%s is accepted', (name, value) => {
  expect(value).not.toBe('');
  expect(parseCommandLine([], { [name]: value }, '')).toMatchObject({ kind: 'run' });
});
