/** The documented snippets and server lists for Prometheus, as Prometheus reads them. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { codeBlocks, MANY_SERVERS, PAGES, readPage, section } from '../markdown.ts';

const promtool = inject('prometheus')?.['promtool'] ?? '';

const folder = mkdtempSync(join(tmpdir(), 'targets-'));
afterAll(() => rmSync(folder, { recursive: true }));

const snippets = PAGES.flatMap((page) =>
  codeBlocks(readPage(page), 'yaml')
    .filter((yaml) => yaml.startsWith('scrape_configs:'))
    .map((yaml, index) => ({ page, index, yaml })),
);

describe.each(snippets)('the snippet $index of $page', ({ yaml }) => {
  test('scrapes every 15 seconds, as the alerts require', () => {
    const { scrape_configs }: { scrape_configs: readonly { scrape_interval?: string }[] } = parse(yaml);
    expect(scrape_configs.map(({ scrape_interval }) => scrape_interval)).toEqual(
      scrape_configs.map(() => '15s'),
    );
  });

  test.skipIf(promtool === '')('passes promtool check config', () => {
    const file = join(folder, 'snippet.yml');
    writeFileSync(file, yaml);
    const { status, stderr } = spawnSync(promtool, ['check', 'config', '--syntax-only', file], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  });
});

describe.skipIf(promtool === '')('Prometheus discovers servers', () => {
  const fleet = readPage('docs/fleet.md');
  const lists = section(fleet, 'Lists of servers');
  const [, scrape = ''] = codeBlocks(section(fleet, MANY_SERVERS), 'yaml');
  const [fileSd = '', list = '', httpSd = ''] = codeBlocks(lists, 'yaml');
  const [json = ''] = codeBlocks(lists, 'json');
  const servers = [
    { instance: 'gpu-01.lan:11434', __param_target: 'gpu-01.lan:11434', rack: 'r1' },
    { instance: 'gpu-02.lan:11434', __param_target: 'gpu-02.lan:11434', rack: 'r1' },
    { instance: 'gpu-03.lan:11434', __param_target: 'gpu-03.lan:11434', rack: 'r2' },
  ].map((labels) => expect.objectContaining({ ...labels, __address__: 'localhost:10434' }));

  /** The labels of the discovered targets, with this instead of the documented static_configs. */
  async function found(discovery: string): Promise<readonly unknown[]> {
    const { scrape_configs } = parse(scrape);
    const { static_configs: _, ...job } = scrape_configs[0];
    const file = join(folder, 'prometheus.yml');
    writeFileSync(file, JSON.stringify({ scrape_configs: [{ ...job, ...parse(discovery) }] }));
    const child = spawn(promtool, ['check', 'service-discovery', '--timeout=1s', file, 'ollama']);
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const targets: readonly { labels: { instance: string } }[] = JSON.parse(output);
    return targets.map(({ labels }) => labels).sort((a, b) => a.instance.localeCompare(b.instance));
  }

  test('from a file', async () => {
    mkdirSync(join(folder, 'ollama'), { recursive: true });
    writeFileSync(join(folder, 'ollama/rack-1.yml'), list);
    expect(await found(fileSd)).toEqual(servers);
  });

  test('over HTTP', async () => {
    const inventory = createServer((_, response) => {
      response.setHeader('content-type', 'application/json').end(json);
    });
    onTestFinished(() => void inventory.close());
    await new Promise<void>((resolve) => inventory.listen(0, '127.0.0.1', resolve));
    const address = inventory.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    expect(await found(httpSd.replace('https://inventory.lan', `http://127.0.0.1:${port}`))).toEqual(servers);
  });

  test('with a module per entry', async () => {
    writeFileSync(
      join(folder, 'ollama/rack-1.yml'),
      '- { targets: [gpu-04.lan:11434], labels: { __param_module: blue } }',
    );
    expect(await found(fileSd)).toEqual([
      expect.objectContaining({ __param_module: 'blue', __param_target: 'gpu-04.lan:11434' }),
    ]);
  });
});
