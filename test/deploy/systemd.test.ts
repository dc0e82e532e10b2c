/** The systemd unit, in what it says of the exporter, and in what it keeps from it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { environmentName, OPTION_LIST, OPTIONS } from '../../src/config/options.ts';
import { commandOf, DIRECTIVES, environmentFile, valuesOf } from '../systemd.ts';

const { bin, files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const { set, suggested } = environmentFile();

describe('the unit', () => {
  test('starts what npm installs, by its name alone, as its prefix may be /usr or /usr/local', () => {
    expect(Object.keys(bin)).toContain(commandOf('ExecStart')[0]);
  });

  test('is in the package that npm installs', () => {
    expect(files).toContain('deploy/systemd');
  });

  test('has no option on its command line, where it would beat the environment file', () => {
    expect(commandOf('ExecStart')).toHaveLength(1);
    expect(valuesOf('EnvironmentFile')).toEqual(['-/etc/default/ollama-exporter']);
  });

  test.each([
    // systemd-notify is a child of the exporter.
    ['Type', 'notify'],
    ['NotifyAccess', 'all'],
    ['Restart', 'always'],
    ['After', 'network-online.target ollama.service'],
    ['Wants', 'network-online.target'],
    ['WantedBy', 'multi-user.target'],
  ])('%s=%s', (name, value) => {
    expect(valuesOf(name)).toEqual([value]);
  });

  test('names each directive once, but for the filter of system calls', () => {
    const names = DIRECTIVES.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual(['SystemCallFilter']);
  });
});

describe('the sandbox', () => {
  test.each([
    ['DynamicUser', 'yes'],
    ['NoNewPrivileges', 'yes'],
    ['CapabilityBoundingSet', ''],
    ['RestrictSUIDSGID', 'yes'],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'yes'],
    ['PrivateTmp', 'yes'],
    ['PrivateDevices', 'yes'],
    ['PrivateUsers', 'yes'],
    ['PrivateIPC', 'yes'],
    ['RemoveIPC', 'yes'],
    ['ProtectClock', 'yes'],
    ['ProtectControlGroups', 'yes'],
    ['ProtectHostname', 'yes'],
    ['ProtectKernelLogs', 'yes'],
    ['ProtectKernelModules', 'yes'],
    ['ProtectKernelTunables', 'yes'],
    ['ProcSubset', 'pid'],
    ['ProtectProc', 'invisible'],
    ['LockPersonality', 'yes'],
    ['RestrictNamespaces', 'yes'],
    ['RestrictRealtime', 'yes'],
    ['RestrictAddressFamilies', 'AF_INET AF_INET6 AF_UNIX AF_NETLINK'],
    ['SystemCallArchitectures', 'native'],
    ['SystemCallErrorNumber', 'EPERM'],
  ])('has %s=%s', (name, value) => {
    expect(valuesOf(name)).toEqual([value]);
  });

  test('allows first, and takes away then: in the other order it would take nothing away', () => {
    expect(valuesOf('SystemCallFilter')).toEqual(['@system-service @pkey', '~@privileged @resources']);
  });

  test('leaves V8 its compiler, and the memory of the machine to be seen', () => {
    expect(valuesOf('MemoryDenyWriteExecute')).toEqual([]);
    expect(valuesOf('MemoryMax')).toEqual([]);
  });
});

describe('the environment file', () => {
  const ending = [OPTIONS.once, OPTIONS.configCheck];
  const lasting = OPTION_LIST.filter((option) => !ending.some(({ flag }) => flag === option.flag));

  test('sets nothing until somebody wants it', () => {
    expect(set).toEqual({});
  });

  test('suggests each option but those that end the exporter, in the order of its help', () => {
    expect(Object.keys(suggested)).toEqual(lasting.map(environmentName));
  });

  test.each(Object.entries(suggested))('suggests a value for %s that is accepted: %s', (name, value) => {
    expect(value).not.toBe('');
    expect(parseCommandLine([], { [name]: value }, '')).toMatchObject({ kind: 'run' });
  });
});
