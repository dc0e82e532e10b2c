import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  onTestFinished,
  test,
} from 'vitest';
import { readCorpus } from '../corpus.ts';
import { type Answers, type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const found = inject('chromium');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** For what happens at the next refresh, on a busy machine. */
const SOON = { timeout: 30_000, interval: 100 };

const GB = 1e9;

/** A row of /api/ps. @param seconds until it expires */
function row(name: string, size: number, size_vram: number, seconds: number) {
  return {
    name,
    model: name,
    size: size * GB,
    size_vram: size_vram * GB,
    digest: 'ab'.repeat(32),
    details: { format: 'gguf', family: 'llama', parameter_size: '8B', quantization_level: 'Q4_K_M' },
    context_length: 8_192,
    expires_at: new Date(Date.now() + seconds * 1_000).toISOString(),
  };
}

const FOREVER = 293 * 365 * 24 * 3_600;
const list = (...models: readonly object[]) => json(JSON.stringify({ models }));

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '\u202egnp.exe',
  'a'.repeat(300),
  "'&amp;",
];

const CASES: Readonly<
  Record<string, { readonly answers: Partial<Answers>; readonly words: readonly string[] }>
> = {
  'models on the GPU, on the CPU and on both': {
    answers: { ps: list(row('gpu', 6.7, 6.7, 275), row('cpu', 1.2, 0, 90), row('both', 68, 42, 1_800)) },
    words: [
      '100% GPU',
      '100% CPU',
      '38%/62% CPU/GPU',
      '6.7 GB',
      '4 minutes from now',
      'About a minute from now',
    ],
  },
  'one for ever and one overdue': {
    answers: { ps: list(row('pinned', 1, 1, FOREVER), row('late', 1, 1, -130)) },
    words: ['Forever', 'overdue 2 min: busy or stopping'],
  },
  none: { answers: { ps: list() }, words: ['Up', 'No model is in memory.'] },
  'an Ollama without its list': {
    answers: { ps: (_request, response) => response.writeHead(500).end() },
    words: [
      'Up, but not all of it answers',
      '/api/ps failed: status',
      'The list of models is not available.',
    ],
  },
  'an Ollama that answers nothing right': {
    answers: { ps: json('<html>'), version: json('<html>') },
    words: ['Down', 'What answers there is not Ollama'],
  },
  'hostile names': { answers: { ps: list(...HOSTILE.map((name) => row(name, 1, 1, 100))) }, words: HOSTILE },
  '200 models': {
    answers: { ps: json(readCorpus('17-two-hundred.json')) },
    words: ['bench/model-000:q0', 'bench/model-199'],
  },
};

describe.skipIf(found === undefined)('the page in a real browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'page-'));
  let browser: Browser;
  let exporter: RunningExporter;
  let ollama: FakeOllama;
  let answers: Answers;
  let page: Page;
  /** What the browser complains about: errors of scripts, violations of the policy. */
  let complaints: string[];

  beforeAll(async () => {
    const args = [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
    ];
    browser = await chromium.launch({
      executablePath: found?.executablePath ?? '',
      env: { HOME: folder, ...found?.env },
      args,
    });
    const config = join(folder, 'ollama.yml');
    writeFileSync(
      config,
      'modules: { default: { allow: ["127.0.0.0/8"], vram_capacity: 50000000000, memory_capacity: 64000000000 } }',
    );
    exporter = await startExporterProcess([`--config.file=${config}`, '--ollama.url=127.0.0.1:1']);
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    answers = { ps: list(row('first', 10, 10, 275)), version: json(VERSION_BODY) };
    ollama = await startFakeOllama(answers);
  });

  afterEach(async () => {
    expect(complaints).toEqual([]);
    await ollama.close();
  });

  async function open(options: BrowserContextOptions = {}, at?: string): Promise<void> {
    complaints = [];
    const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, ...options });
    onTestFinished(() => context.close());
    page = await context.newPage();
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(at ?? new URL(`/?target=${ollama.url.host}`, exporter.url).href);
  }

  const text = () => page.locator('body').innerText();

  /** What axe finds, each with the first place. */
  async function violations(): Promise<readonly string[]> {
    await page.evaluate(AXE);
    return await page.evaluate<readonly string[]>(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html.slice(0, 200)))`,
    );
  }

  const sideways = () =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  describe.each(Object.entries(CASES))('with %s', (_name, { answers: given, words }) => {
    beforeEach(() => {
      Object.assign(answers, given);
    });

    test('is readable and accessible, on screens of any width', async () => {
      await open({ colorScheme: 'light' });
      const seen = await text();
      expect(words.filter((word) => !seen.includes(word))).toEqual([]);
      expect(await violations()).toEqual([]);
      for (const width of [360, 700, 2_560]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await sideways(), `${width} px`).toBe(0);
      }
    });

    test('is so in the dark and on a telephone, too', async () => {
      await open({ colorScheme: 'dark', viewport: { width: 360, height: 800 } });
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(20, 23, 27)');
      expect(await violations()).toEqual([]);
    });

    test('is complete without JavaScript', async () => {
      await open({ javaScriptEnabled: false });
      const seen = await text();
      expect(words.filter((word) => !seen.includes(word))).toEqual([]);
      expect(seen).not.toContain('Copy');
      expect(await page.locator('#filter').isVisible()).toBe(false);
    });
  });

  test('follows what changes, and leaves scroll, focus and the filter alone', async () => {
    const many = Array.from({ length: 60 }, (_, index) =>
      row(`model-${index}`, 60 - index, 60 - index, 1_000),
    );
    answers.ps = list(...many);
    await open();
    const box = page.getByLabel('Filter');
    await box.fill('model-5');
    expect(await page.locator('#filter [role=status]').innerText()).toBe('11 of 60');
    await page.evaluate('scrollTo(0, 200)');
    const before = await page.evaluate('scrollY');
    answers.ps = list(...many, row('model-5-new', 0.5, 0.5, 1_000), row('other', 0.5, 0.5, 1_000));
    await expect.poll(text, SOON).toContain('model-5-new');
    expect(await page.locator('#filter [role=status]').innerText()).toBe('12 of 62');
    expect(await page.locator('tbody tr').filter({ hasText: 'other' }).isVisible()).toBe(false);
    expect(await box.inputValue()).toBe('model-5');
    expect(await page.evaluate('document.activeElement.type')).toBe('search');
    expect(await page.evaluate('scrollY')).toBe(before);
  });

  test('counts down each second, between refreshes too', async () => {
    answers.ps = list(row('soon', 1, 1, 50));
    await open();
    // No more refreshes: what changes from here on is the page's own doing.
    await page.context().setOffline(true);
    const seconds = async () => Number(/(\d+) seconds from now/.exec(await text())?.[1]);
    const seen = new Set([await seconds()]);
    // A refresh every five seconds would show three of these at most, a busy machine may skip some.
    const count = async () => seen.add(await seconds()).size;
    await expect.poll(count, { timeout: 12_000, interval: 100 }).toBeGreaterThan(5);
    complaints = [];
  });

  test('says when Ollama is down, and when it is back', async () => {
    await open();
    const { port } = ollama.url;
    await ollama.close();
    await expect.poll(text, SOON).toContain('Nobody listens there');
    ollama = await startFakeOllama(
      { ps: list(row('second', 1, 1, 100)), version: json(VERSION_BODY) },
      Number(port),
    );
    await expect.poll(text, SOON).toContain('second');
  });

  test('says when the exporter is away and from when its numbers are, and comes back by itself', async () => {
    const own = await startExporterProcess([`--ollama.url=${ollama.url.host}`]);
    await open({}, own.url.href);
    own.child.kill('SIGTERM');
    await own.finished;
    await expect
      .poll(text, SOON)
      .toMatch(/The exporter does not answer\. What is shown is from .*, \d+ s ago\./);
    expect(await text()).toContain('first');
    await startExporterProcess([`--ollama.url=${ollama.url.host}`, `--web.listen-address=${own.url.host}`]);
    await expect.poll(text, SOON).not.toContain('does not answer');
    complaints = complaints.filter((complaint) => !complaint.includes('net::ERR_'));
  });

  test('can be used by keyboard alone', async () => {
    await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the models');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('models');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe(
      'Copy the digest of first',
    );
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('[data-copy]').innerText(), SOON).toMatch(/^(Copied|Selected)$/);
  });

  test('asks for another server by its form', async () => {
    const other = await startFakeOllama({
      ps: list(row('elsewhere', 1, 1, 100)),
      version: json(VERSION_BODY),
    });
    onTestFinished(() => other.close());
    await open();
    await page.getByLabel('Target').fill(other.url.host);
    await page.getByRole('button', { name: 'Show' }).click();
    await expect.poll(text, SOON).toContain('elsewhere');
  });

  test('works below a path, behind a proxy', async () => {
    const proxy = createServer((incoming, response) => {
      const url = new URL((incoming.url ?? '').replace(/^\/below\/a/, ''), exporter.url);
      httpRequest(url, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }).end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await open({}, `http://127.0.0.1:${port}/below/a/?target=${ollama.url.host}`);
    answers.ps = list(row('refreshed', 1, 1, 100));
    await expect.poll(text, SOON).toContain('refreshed');
    const hrefs = await page
      .locator('nav a')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href')));
    for (const href of hrefs.filter((link) => link?.startsWith('./'))) {
      const { status } = await fetch(new URL(href ?? '', page.url()));
      expect(status, href ?? '').toBe(200);
    }
  });
});
