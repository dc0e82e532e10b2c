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
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const found = inject('chromium');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** For changes at the next refresh, on a busy machine. */
const WAIT_OPTIONS = { timeout: 30_000, interval: 100 };

const GIB = 1024 ** 3;

/** A row of /api/ps. @param seconds until it expires */
function row(name: string, size: number, size_vram: number, seconds: number) {
  return {
    name,
    model: name,
    size: size * GIB,
    size_vram: size_vram * GIB,
    digest: 'ab'.repeat(32),
    details: { format: 'gguf', family: 'llama', parameter_size: '8B', quantization_level: 'Q4_K_M' },
    context_length: 8_192,
    expires_at: new Date(Date.now() + seconds * 1_000).toISOString(),
  };
}

const FOREVER = 293 * 365 * 24 * 3_600;
const list = (...models: readonly object[]) => json(JSON.stringify({ models }));

const HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'a'.repeat(300), "'&amp;"];

const CASES: Readonly<
  Record<string, { readonly handlers: Partial<Handlers>; readonly words: readonly string[] }>
> = {
  'models on the GPU, on the CPU and on both': {
    handlers: { ps: list(row('gpu', 6.7, 6.7, 275), row('cpu', 1.2, 0, 90), row('both', 68, 42, 1_800)) },
    words: [
      '100% GPU',
      '100% CPU',
      '38%/62% CPU/GPU',
      '6.7 GiB',
      '42.0 GiB',
      '26.0 GiB',
      '8,192',
      '4 m ',
      '1 m ',
      '75.9 GiB, 64% in VRAM',
    ],
  },
  'a pinned and an overdue model': {
    handlers: { ps: list(row('pinned', 1, 1, FOREVER), row('late', 1, 1, -3_700)) },
    words: ['forever', 'overdue 1 h '],
  },
  'no model': { handlers: { ps: list() }, words: ['Up', 'No model is loaded.', '0.0 of 46.6 GiB'] },
  'a failed /api/ps': {
    handlers: { ps: (_request, response) => response.writeHead(500).end() },
    words: ['Degraded', '/api/ps failed: status', 'Loaded models unknown.'],
  },
  'invalid responses': {
    handlers: { ps: json('<html>'), version: json('<html>') },
    words: ['Down', 'The response is not from Ollama'],
  },
  'more VRAM in use than the capacity': {
    handlers: { ps: list(row('large', 60, 55, 275), row('tiny', 0.1, 0.1, 90)) },
    words: ['55.1 of 46.6 GiB', '118%', '8.5 GiB over capacity'],
  },
  'a server that does not report VRAM': {
    handlers: { ps: list({ ...row('local', 1, 1, 275), size_vram: undefined }) },
    words: ['The server does not report size_vram for every model.', 'Unknown'],
  },
  'hostile names': {
    handlers: { ps: list(...[...HOSTILE, '\u202egnp.exe'].map((name) => row(name, 1, 1, 100))) },
    words: [...HOSTILE, 'Skipped 1 entry of /api/ps'],
  },
  '200 models': {
    handlers: { ps: json(readCorpus('17-two-hundred.json')) },
    words: ['bench/model-000:q0', 'bench/model-199'],
  },
};

describe.skipIf(found === undefined)('the page in a real browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'page-'));
  let browser: Browser;
  let exporter: RunningExporter;
  let ollama: FakeOllama;
  let handlers: Handlers;
  let page: Page;
  /** Errors in the browser's console: script errors and policy violations. */
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
      'modules: { default: { allow: ["127.0.0.0/8"], vram_capacity: 50000000000, memory_capacity: 64000000000 }, bare: { allow: ["127.0.0.0/8"] } }',
    );
    exporter = await startExporterProcess([`--config.file=${config}`, '--ollama.url=127.0.0.1:1']);
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    handlers = { ps: list(row('first', 10, 10, 275)), version: json(VERSION_BODY) };
    ollama = await startFakeOllama(handlers);
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

  /** The violations that axe finds, each with its first location. */
  async function violations(): Promise<readonly string[]> {
    await page.evaluate(AXE);
    return await page.evaluate<readonly string[]>(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html.slice(0, 200)))`,
    );
  }

  const sideways = () =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

  describe.each(Object.entries(CASES))('with %s', (_name, { handlers: given, words }) => {
    beforeEach(() => {
      Object.assign(handlers, given);
    });

    test('is readable and accessible at any width', async () => {
      await open({ colorScheme: 'light' });
      const seen = await text();
      expect(words.filter((word) => !seen.includes(word))).toEqual([]);
      expect(await violations()).toEqual([]);
      for (const width of [360, 390, 700, 960, 1_000, 2_560]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await sideways(), `${width} px`).toBe(0);
      }
    });

    test('is accessible in dark mode on a phone', async () => {
      await open({ colorScheme: 'dark', viewport: { width: 390, height: 800 } });
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(20, 23, 27)');
      expect(await violations()).toEqual([]);
    });

    test('is complete without JavaScript', async () => {
      await open({ javaScriptEnabled: false });
      const seen = await text();
      expect(words.filter((word) => !seen.includes(word))).toEqual([]);
      expect(seen).not.toContain('Copy');
      expect(seen).not.toContain('refreshes every');
      expect(await page.locator('#filter').isVisible()).toBe(false);
    });
  });

  test('updates in place, and keeps scroll position, focus and filter', async () => {
    const many = Array.from({ length: 60 }, (_, index) =>
      row(`model-${index}`, 60 - index, 60 - index, 1_000),
    );
    handlers.ps = list(...many);
    await open();
    const box = page.getByLabel('Filter');
    await box.fill('model-5');
    expect(await page.locator('#filter [role=status]').innerText()).toBe('11 of 60');
    await page.evaluate('scrollTo(0, 200)');
    const before = await page.evaluate('scrollY');
    handlers.ps = list(...many, row('model-5-new', 0.5, 0.5, 1_000), row('other', 0.5, 0.5, 1_000));
    await expect.poll(text, WAIT_OPTIONS).toContain('model-5-new');
    expect(await page.locator('#filter [role=status]').innerText()).toBe('12 of 62');
    expect(await page.locator('tbody tr').filter({ hasText: 'other' }).isVisible()).toBe(false);
    expect(await box.inputValue()).toBe('model-5');
    expect(await page.evaluate('document.activeElement.type')).toBe('search');
    expect(await page.evaluate('scrollY')).toBe(before);
  });

  test('keeps details, focus and selection with their model when rows are added and removed', async () => {
    handlers.ps = list(row('b', 1, 1, 1_000), row('d', 1, 1, 1_000), row('f', 1, 1, 1_000));
    await open();
    const summary = page.locator('summary').filter({ hasText: 'd' });
    await summary.click();
    await summary.focus();
    await page.evaluate('getSelection().selectAllChildren(document.activeElement)');
    handlers.ps = list(...['a', 'c', 'd', 'e', 'f'].map((name) => row(name, 1, 1, 1_000)));
    const names = () => page.locator('summary').allInnerTexts();
    await expect.poll(names, WAIT_OPTIONS).toEqual(['a', 'c', 'd', 'e', 'f']);
    expect(await page.locator('details[open] summary').allInnerTexts()).toEqual(['d']);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('d');
    expect(await page.evaluate('getSelection().toString()')).toBe('d');
  });

  test('sorts by a click on a heading, keeps the order in the URL, and keeps filter and details', async () => {
    const many = Array.from({ length: 12 }, (_, index) => row(`m${index}`, 12 + index, index, 1_000));
    handlers.ps = list(...many, row('z', 40, 1.5, 1_000));
    await open();
    const names = () => page.locator('tbody tr:not([hidden]) summary').allInnerTexts();
    expect((await names()).slice(0, 4)).toEqual(['m0', 'm1', 'm2', 'm3']);
    await page.getByLabel('Filter').fill('m1');
    await page.locator('summary').filter({ hasText: 'm10' }).click();
    await page.getByRole('columnheader', { name: 'VRAM' }).getByRole('link').click();
    await expect.poll(names, WAIT_OPTIONS).toEqual(['m11', 'm10', 'm1']);
    expect(new URL(page.url()).searchParams.get('sort')).toBe('vram');
    expect(await page.locator('details[open] summary').allInnerTexts()).toEqual(['m10']);
    expect(await violations()).toEqual([]);
    await page.reload();
    expect((await names()).slice(0, 2)).toEqual(['m11', 'm10']);
    await page.getByRole('columnheader', { name: 'VRAM' }).getByRole('link').click();
    await expect.poll(names, WAIT_OPTIONS).toContain('m0');
    await expect.poll(async () => (await names())[0], WAIT_OPTIONS).toBe('m0');
  });

  test('sorts without JavaScript', async () => {
    handlers.ps = list(row('a', 9, 1, 1_000), row('b', 9, 9, 1_000));
    await open({ javaScriptEnabled: false });
    await page.getByRole('columnheader', { name: 'VRAM' }).getByRole('link').click();
    expect(await page.locator('summary').allInnerTexts()).toEqual(['b', 'a']);
    expect(new URL(page.url()).searchParams.get('target')).toBe(ollama.url.host);
  });

  test('keeps the headings visible, and all rows at the same height', async () => {
    handlers.ps = list(
      ...Array.from({ length: 60 }, (_, index) => row(`model-${index}`, 1, 1, 1_000)),
      row('a'.repeat(300), 1, 0.5, -130),
    );
    await open();
    await page.evaluate('scrollTo(0, 1000)');
    expect(await page.evaluate('document.querySelector("thead th").getBoundingClientRect().top')).toBe(0);
    const heights = await page.evaluate<readonly number[]>(
      '[...document.querySelectorAll("tbody tr")].map((row) => Math.round(row.getBoundingClientRect().height))',
    );
    expect(new Set(heights).size).toBe(1);
    expect(await page.evaluate('document.querySelector("table").offsetWidth / 16')).toBeLessThanOrEqual(72);
  });

  test('shows a name in its segment only if it fits, in the colour of its row', async () => {
    handlers.ps = list(
      row('wide', 20, 20, 1_000),
      row('narrow-but-long-name', 1, 1, 1_000),
      row('tiny', 0.01, 0.01, 1_000),
    );
    await open();
    const shown = await page.evaluate<readonly string[]>(
      `[...document.querySelectorAll('.bar .segment')].filter((segment) => {
        const name = segment.querySelector('bdi').getBoundingClientRect();
        return name.top < segment.getBoundingClientRect().bottom;
      }).map((segment) => segment.textContent)`,
    );
    expect(shown).toEqual(['wide']);
    const colours = await page.evaluate<ReadonlyArray<readonly [string, string]>>(
      `[...document.querySelectorAll('.bar .segment')].map((segment) => [
        getComputedStyle(segment).backgroundColor,
        getComputedStyle(
          [...document.querySelectorAll('summary')].find(({ textContent }) => textContent === segment.textContent),
          '::before',
        ).backgroundColor,
      ])`,
    );
    expect(colours).toHaveLength(3);
    expect(new Set(colours.map(([segment]) => segment)).size).toBe(3);
    expect(colours.filter(([segment, swatch]) => segment !== swatch)).toEqual([]);
    const widths = await page.evaluate<readonly number[]>(
      `[...document.querySelectorAll('.bar .segment')].map((segment) => segment.getBoundingClientRect().width)`,
    );
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(2);
  });

  test.each([
    ['an unknown capacity', '&module=bare', 'To see utilization, set vram_capacity in the module bare.'],
    ['a rejected target', '&module=red', 'Invalid request'],
  ])('is accessible with %s', async (_name, more, words) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await open({ colorScheme }, new URL(`/?target=${ollama.url.host}${more}`, exporter.url).href);
      expect(await text()).toContain(words);
      expect(await violations()).toEqual([]);
      // The browser logs the status of a rejection as an error.
      complaints = complaints.filter((complaint) => !complaint.includes('status of 400'));
    }
  });

  test('loads nothing except itself', async () => {
    await open();
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    await page.reload();
    await page.locator('html.js').waitFor();
    expect(requested).toEqual([page.url()]);
  });

  test('shows the age of the result and the refresh interval', async () => {
    await open();
    await expect.poll(text, WAIT_OPTIONS).toMatch(/Scraped [1-9]\d* s ago in \d+ ms, refreshes every 5 s/);
  });

  test('counts down each second between refreshes', async () => {
    handlers.ps = list(row('soon', 1, 1, 50));
    await open();
    // No more refreshes: from here on only the page's own script changes it.
    await page.context().setOffline(true);
    const seconds = async () => Number(/\t(\d+) s\b/.exec(await text())?.[1]);
    const seen = new Set([await seconds()]);
    // With a refresh every five seconds there would be three of these at most; a busy machine may skip some.
    const count = async () => seen.add(await seconds()).size;
    await expect.poll(count, { timeout: 12_000, interval: 100 }).toBeGreaterThan(5);
    complaints = [];
  });

  test('shows when Ollama goes down and comes back', async () => {
    await open();
    const { port } = ollama.url;
    await ollama.close();
    await expect.poll(text, WAIT_OPTIONS).toContain('/api/ps and /api/version failed: refused');
    expect(await page.title()).toMatch(/^Down: /);
    expect(await text()).not.toMatch(/VRAM|Models/);
    ollama = await startFakeOllama(
      { ps: list(row('second', 1, 1, 100)), version: json(VERSION_BODY) },
      Number(port),
    );
    await expect.poll(text, WAIT_OPTIONS).toContain('second');
  });

  test('shows when the exporter is down and how old the values are, and recovers', async () => {
    const own = await startExporterProcess([`--ollama.url=${ollama.url.host}`]);
    await open({}, own.url.href);
    own.child.kill('SIGTERM');
    await own.finished;
    await expect
      .poll(text, WAIT_OPTIONS)
      .toMatch(/The exporter does not respond\. Last scrape result: .*, \d+ s ago\./);
    expect(await text()).toContain('first');
    // Ollama's state is now unknown.
    expect(await page.locator('.pill').innerText()).toBe('Unknown');
    expect(await page.title()).toBe('Exporter does not respond');
    expect(await violations()).toEqual([]);
    await startExporterProcess([`--ollama.url=${ollama.url.host}`, `--web.listen-address=${own.url.host}`]);
    await expect.poll(text, WAIT_OPTIONS).not.toContain('does not respond');
    expect(await page.locator('.pill').innerText()).toBe('Up');
    expect(await page.title()).toMatch(/^Up: /);
    complaints = complaints.filter((complaint) => !complaint.includes('net::ERR_'));
  });

  test('is usable with the keyboard only', async () => {
    await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the models');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('models');
    // Past the links of nine headings.
    for (let tabs = 0; tabs < 10; tabs += 1) {
      await page.keyboard.press('Tab');
    }
    expect(await page.evaluate('document.activeElement.textContent')).toBe('first');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe(
      'Copy the digest of first',
    );
    expect(await violations()).toEqual([]);
    await page.keyboard.press('Enter');
    await expect
      .poll(() => page.locator('[data-copy]').innerText(), WAIT_OPTIONS)
      .toMatch(/^(Copied|Selected)$/);
  });

  test('scrapes another server entered in the form', async () => {
    const other = await startFakeOllama({
      ps: list(row('elsewhere', 1, 1, 100)),
      version: json(VERSION_BODY),
    });
    onTestFinished(() => other.close());
    await open();
    await page.getByLabel('Target').fill(other.url.host);
    await page.getByRole('button', { name: 'Show' }).click();
    await expect.poll(text, WAIT_OPTIONS).toContain('elsewhere');
  });

  test('works behind a reverse proxy with a path prefix', async () => {
    const proxy = createServer((incoming, response) => {
      const url = new URL((incoming.url ?? '').replace(/^\/below\/a/, ''), exporter.url);
      httpRequest(url, (upstream) => {
        response.writeHead(upstream.statusCode ?? 500, upstream.headers);
        upstream.pipe(response);
      }).end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await open({}, `http://127.0.0.1:${port}/below/a/?target=${ollama.url.host}`);
    handlers.ps = list(row('refreshed', 1, 1, 100));
    await expect.poll(text, WAIT_OPTIONS).toContain('refreshed');
    const hrefs = await page
      .locator('nav a')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href')));
    for (const href of hrefs.filter((link) => link?.startsWith('./'))) {
      const { status } = await fetch(new URL(href ?? '', page.url()));
      expect(status, href ?? '').toBe(200);
    }
  });

  test('of a fleet is readable and accessible, in both themes and at any width', async () => {
    const config = join(folder, 'ollama.yml');
    const fleet = await startExporterProcess([`--config.file=${config}`, '--ollama.url=none']);
    for (const target of [ollama.url.host, '127.0.0.1:1']) {
      await fetch(new URL(`/probe?target=${target}`, fleet.url));
    }
    for (const colorScheme of ['light', 'dark'] as const) {
      await open({ colorScheme }, fleet.url.href);
      expect(await text()).toContain(ollama.url.host);
      expect(await text()).toContain('Down: refused');
      expect(await violations()).toEqual([]);
      for (const width of [360, 390, 700, 1_280, 2_560]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await sideways(), `${width} px`).toBe(0);
      }
      expect(await violations()).toEqual([]);
    }
  });
});
