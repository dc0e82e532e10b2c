/** docs/installation.md against the files that it quotes. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readBuildInfo } from '../../src/config/build-info.ts';
import { parseGoDuration } from '../../src/config/go-duration.ts';
import { environmentName, OPTION_LIST } from '../../src/config/options.ts';
import { codeBlocks, readPage, section } from '../markdown.ts';

const PAGE = readPage('docs/installation.md');

test('the scrape configuration for a proxy is the shipped one, except for the addresses', () => {
  const [yaml = ''] = codeBlocks(section(PAGE, 'Scrape the proxy'), 'yaml');
  const shipped = readPage('deploy/compose/prometheus.proxy.yml')
    .replaceAll('ollama-exporter:10434', 'localhost:10434')
    .replace('ollama-proxy:10434', 'localhost:10435');
  // The shipped file has a global interval.
  const { global, scrape_configs } = parse(shipped);
  const shippedJobs = scrape_configs.map((job: object) => ({
    ...job,
    scrape_interval: global.scrape_interval,
  }));
  expect(parse(yaml).scrape_configs).toEqual(shippedJobs);
});

test('the documented settings of the runners drop-in are in the file', () => {
  const text = section(PAGE, 'Runners with systemd');
  const file = readPage('deploy/systemd/runners.conf');
  for (const [, setting = ''] of text.matchAll(/`([A-Z]\w+=(?:default|no))`/g)) {
    expect(file).toMatch(new RegExp(`^${setting}$`, 'm'));
  }
  expect(text).toContain('`ProtectProc=default`');
});

test('drop-ins are installed at the paths that their comments name', () => {
  const commands = codeBlocks(section(PAGE, 'Runners with systemd'), 'sh').join('');
  for (const name of ['runners.conf', 'ollama.conf']) {
    const [, place = ''] = /^# (\/etc\/\S+):/.exec(readPage(`deploy/systemd/${name}`)) ?? [];
    expect(commands).toContain(`${name} ${place}\n`);
  }
});

test('the documented variables of the proxy with systemd belong to options', () => {
  const [ini = ''] = codeBlocks(section(PAGE, 'Proxy with systemd'), 'ini');
  const variables = [...ini.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name);
  expect(variables).toHaveLength(2);
  expect(OPTION_LIST.map(environmentName)).toEqual(expect.arrayContaining(variables));
});

test('the documented file descriptor limit and grace time match the unit and the option', () => {
  const text = section(PAGE, 'Proxy');
  const [, limit = ''] =
    /^LimitNOFILE=(\d+)$/m.exec(readPage('deploy/systemd/ollama-exporter.service')) ?? [];
  expect(text).toContain(`The systemd unit has ${limit};`);
  const grace = OPTION_LIST.find(({ flag }) => flag === 'proxy.shutdown-grace')?.fallback ?? '';
  const [, stopTimeout] = /`docker run --stop-timeout (\d+)`/.exec(text) ?? [];
  expect(Number(stopTimeout) * 1_000).toBeGreaterThan(parseGoDuration(grace));
});

test.each(['README.md', 'docs/installation.md'])(
  'the package and the image in %s have the version of the package',
  (page) => {
    const versions = [...readPage(page).matchAll(/ollama-exporter[-:@](\d+\.\d+\.\d+)/g)].map(
      ([, version]) => version,
    );
    expect(new Set(versions)).toEqual(new Set([readBuildInfo().version]));
  },
);
