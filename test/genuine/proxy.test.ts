/** `--proxy.listen-address` in front of a genuine Ollama: the metrics agree with each response. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startExporterProcess } from '../e2e/exporter-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { freePort } from '../free-port.ts';
import { expectAgreement, scrape } from './agreement.ts';
import { tinyModel } from './gguf.ts';
import { type Ollama, startOllama } from './ollama.ts';

const MAIN = new URL('../../dist/main.js', import.meta.url).pathname;
const HAS_PROXY = execFileSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' }).includes(
  'proxy.listen-address',
);

/** Tokens, and nanoseconds if the API has them. */
interface Usage {
  readonly prompt: number;
  readonly generated: number;
  readonly generationNs?: number;
}

const COUNTERS = {
  ok: 'ollama_proxy_requests_total',
  prompt: 'ollama_proxy_prompt_tokens_total',
  generated: 'ollama_proxy_generated_tokens_total',
  generationSeconds: 'ollama_proxy_generation_seconds_total',
  withoutUsage: 'ollama_proxy_responses_without_usage_total',
} as const;

/** Events of a stream, last one first; for a response without streaming, the response. */
function chunksOf(text: string): readonly unknown[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^data: /, ''))
    .filter((line) => line.startsWith('{'))
    .map((line): unknown => JSON.parse(line))
    .toReversed();
}

/** By the field names of each API, at any position. */
function usageOf(text: string): Usage {
  const [figures] = chunksOf(text)
    .map((piece) => JSON.stringify(piece))
    .filter((piece) =>
      /"(eval_count|prompt_eval_count|completion_tokens|output_tokens|prompt_tokens)":\d/.test(piece),
    );
  const figure = (...names: readonly string[]) => {
    const [, digits] = new RegExp(`"(?:${names.join('|')})":(\\d+)`).exec(figures ?? '') ?? [];
    return Number(digits ?? 0);
  };
  return {
    prompt: figure('prompt_eval_count', 'prompt_tokens', 'input_tokens'),
    generated: figure('eval_count', 'completion_tokens', 'output_tokens'),
    generationNs: figure('eval_duration'),
  };
}

describe.skipIf(!HAS_PROXY)('the proxy in front of a genuine Ollama', () => {
  let folder: string;
  let ollama: Ollama;
  let exporter: URL;
  let proxy: URL;

  const start = () =>
    startOllama(
      folder,
      { OLLAMA_NUM_PARALLEL: '4' },
      ollama === undefined ? undefined : Number(ollama.url.port),
    );

  async function send(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    return await fetch(new URL(path, proxy), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  }

  const countersOf = (exposition: Exposition, api: string, model = 'one:latest') =>
    Object.fromEntries(
      Object.entries(COUNTERS).map(([key, name]) => [
        key,
        sampleValue(exposition, name, { api, model, ...(key === 'ok' && { outcome: 'ok' }) }) ?? 0,
      ]),
    );

  const grown = (after: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]));

  /** For all models, and for none. */
  const outcome = async (wanted: string) => {
    const samples = (await scrape(exporter)).get('ollama_proxy_requests_total')?.samples ?? [];
    return samples
      .filter(({ labels }) => labels['api'] === 'generate' && labels['outcome'] === wanted)
      .reduce((sum, { value }) => sum + value, 0);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ollama-'));
    ollama = await start();
    proxy = new URL(`http://127.0.0.1:${await freePort()}`);
    ({ url: exporter } = await startExporterProcess([
      `--ollama.url=${ollama.url}`,
      `--proxy.listen-address=${proxy.host}`,
    ]));
    await ollama.create('one', tinyModel(1));
    await ollama.create('vectors', tinyModel(3, 'embedding'));
    await ollama.post('/api/create', { model: 'short', from: 'one', parameters: { num_predict: 20 } });
  });

  afterEach(async () => {
    for (const { name } of await ollama.ps()) {
      await ollama.post('/api/generate', { model: name, keep_alive: 0 });
    }
  });

  afterAll(async () => {
    await ollama.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const prompt = { model: 'one', prompt: 'once upon a time', options: { num_predict: 60 } };
  const chat = { model: 'one', messages: [{ role: 'user', content: 'hello' }] };
  const includeUsage = { stream: true, stream_options: { include_usage: true } };
  const REQUESTS: ReadonlyArray<readonly [path: string, body: Readonly<Record<string, unknown>>]> = [
    ['/api/generate', prompt],
    ['/api/generate', { ...prompt, stream: false }],
    ['/api/generate', { ...prompt, raw: true }],
    ['/api/chat', { ...chat, options: { num_predict: 40 } }],
    ['/api/chat', { ...chat, options: { num_predict: 40 }, stream: false }],
    ['/v1/chat/completions', { ...chat, max_tokens: 30 }],
    ['/v1/chat/completions', { ...chat, max_tokens: 30, ...includeUsage }],
    ['/v1/completions', { model: 'one', prompt: 'a b', max_tokens: 30 }],
    ['/v1/completions', { model: 'one', prompt: 'a b', max_tokens: 30, ...includeUsage }],
    ['/v1/responses', { model: 'one', input: 'a b', max_output_tokens: 30 }],
    ['/v1/responses', { model: 'one', input: 'a b', max_output_tokens: 30, stream: true }],
    ['/v1/messages', { ...chat, max_tokens: 30 }],
    ['/v1/messages', { ...chat, max_tokens: 30, stream: true }],
  ];

  test.each(REQUESTS)('counts the tokens that the response reports: %s %j', async (path, body) => {
    const api = path.replace(/^\/(api\/)?/, '');
    const before = countersOf(await scrape(exporter), api);
    const response = await send(path, body);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const { prompt, generated, generationNs = 0 } = usageOf(text);
    expect(generated).toBeGreaterThan(0);
    const { exposition } = await expectAgreement(ollama, exporter);
    const growth = grown(countersOf(exposition, api), before);
    expect(growth).toMatchObject({ ok: 1, prompt, generated, withoutUsage: 0 });
    expect(growth['generationSeconds']).toBeCloseTo(generationNs / 1e9, 6);
  });

  test('counts embeddings', async () => {
    const text = await (await send('/api/embed', { model: 'vectors', input: ['a b', 'c'] })).text();
    const whole = countersOf(await scrape(exporter), 'embed', 'vectors:latest');
    expect(whole).toMatchObject({ ok: 1, generated: 0, prompt: usageOf(text).prompt });
    const v1 = await (await send('/v1/embeddings', { model: 'vectors', input: 'a b' })).text();
    expect(countersOf(await scrape(exporter), 'v1/embeddings', 'vectors:latest')).toMatchObject({
      ok: 1,
      prompt: usageOf(v1).prompt,
    });
  });

  test('counts a stream of /v1 without usage as such', async () => {
    const api = 'v1/chat/completions';
    const before = countersOf(await scrape(exporter), api);
    await (await send(`/${api}`, { ...chat, max_tokens: 30, stream: true })).text();
    const growth = grown(countersOf(await scrape(exporter), api), before);
    expect(growth).toMatchObject({ ok: 1, withoutUsage: 1, prompt: 0, generated: 0 });
  });

  test('counts twelve concurrent requests', async () => {
    const before = countersOf(await scrape(exporter), 'generate');
    const texts = await Promise.all(
      Array.from({ length: 12 }, async (_, index) =>
        (await send('/api/generate', { ...prompt, prompt: `a ${index}` })).text(),
      ),
    );
    const usages = texts.map(usageOf);
    expect(grown(countersOf(await scrape(exporter), 'generate'), before)).toMatchObject({
      ok: 12,
      prompt: usages.reduce((sum, usage) => sum + usage.prompt, 0),
      generated: usages.reduce((sum, usage) => sum + usage.generated, 0),
    });
  });

  test('makes Ollama stop generating when the client disconnects', async () => {
    const client = new AbortController();
    const before = await outcome('client_gone');
    const response = await send(
      '/api/generate',
      { ...prompt, options: { num_predict: 1_000_000 } },
      client.signal,
    );
    await response.body?.getReader().read();
    expect(sampleValue(await scrape(exporter), 'ollama_proxy_requests_in_flight', { api: 'generate' })).toBe(
      1,
    );
    client.abort();
    await expect.poll(() => outcome('client_gone')).toBe(before + 1);
    await expect
      .poll(async () => {
        const [earlier, later] = [await ollama.ps(), await ollama.ps()];
        return earlier[0]?.expires_at === later[0]?.expires_at;
      })
      .toBe(true);
    await expectAgreement(ollama, exporter);
  });

  test('reports an unknown model, a killed runner and a stopped server', async () => {
    const missing = await send('/api/generate', { model: 'nothing', prompt: 'a' });
    expect([missing.status, await missing.text()]).toEqual([404, `{"error":"model 'nothing' not found"}`]);
    expect(await outcome('not_found')).toBe(1);

    const response = await send('/api/generate', { ...prompt, options: { num_predict: 1_000_000 } });
    const reader = response.body?.getReader();
    await reader?.read();
    for (const runner of ollama.runners()) {
      process.kill(runner, 'SIGKILL');
    }
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {}
    await expect.poll(() => outcome('failed')).toBe(1);

    await ollama.stop();
    expect((await send('/api/generate', prompt)).status).toBe(502);
    expect(await outcome('unreachable')).toBe(1);
    ollama = await start();
    expect((await send('/api/generate', prompt)).status).toBe(200);
  });

  test('works with the command line of Ollama', async () => {
    await (await send('/api/generate', prompt)).text();
    expect(await ollama.cliAt(proxy, 'ps')).toBe(await ollama.cli('ps'));
    // Without the age; models of the same second have no order.
    const lines = (table: string) =>
      table
        .split('\n')
        .map((line) => line.split(/\s{2,}/, 3))
        .sort();
    expect(lines(await ollama.cliAt(proxy, 'list'))).toEqual(lines(await ollama.cli('list')));
    const before = countersOf(await scrape(exporter), 'generate', 'short:latest');
    expect((await ollama.cliAt(proxy, 'run', 'short', 'hello')).trim()).not.toBe('');
    expect(grown(countersOf(await scrape(exporter), 'generate', 'short:latest'), before)).toMatchObject({
      generated: 20,
    });
    await ollama.cliAt(proxy, 'stop', 'one');
    await expect.poll(() => ollama.ps()).toEqual([]);
  });
});
