/** The metrics of a request, and that measuring never affects it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import type { Api } from '../../src/proxy/apis.ts';
import { createReader, type Reader } from '../../src/proxy/reader.ts';
import { startInProcess } from '../exporter-in-process.ts';
import { sampleValue } from '../exposition.ts';
import { get, post, rawClient } from './raw-client.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { type StartedProxy, startProxyBefore } from './started-proxy.ts';

const NDJSON = 'application/x-ndjson';
const EVENTS = 'text/event-stream';

/** A response with one chunk per text. */
function stream(contentType: string, texts: readonly string[]): string {
  const chunks = texts.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`).join('');
  return `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

function whole(body: string, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const DONE =
  '{"model":"a","done":true,"done_reason":"stop","load_duration":2500000000,"prompt_eval_count":11,"prompt_eval_cached_count":4,"prompt_eval_duration":1500000000,"eval_count":7,"eval_duration":3000000000}';
const TOKEN = '{"model":"a","message":{"role":"assistant","content":"x"},"done":false}\n';

/** A request with this path and response. */
async function counted(path: string, response: string | Buffer, more = {}): Promise<StartedProxy> {
  const ollama = await startScripted(({ socket }) => socket.write(response));
  const proxy = await startProxyBefore(ollama.url, more);
  const client = await rawClient(proxy.port);
  expect((await client.send(post(path, '{"model":"requested"}')).response()).complete).toBe(true);
  return proxy;
}

describe('/api/chat:', () => {
  test('a stream counts its tokens, seconds and durations', async () => {
    const proxy = await counted('/api/chat', stream(NDJSON, [TOKEN, TOKEN, `${DONE}\n`]));
    const labels = { api: 'chat', model: 'a:latest' };
    const values = await Promise.all(
      [
        'prompt_tokens_total',
        'prompt_cached_tokens_total',
        'generated_tokens_total',
        'prompt_seconds_total',
        'generation_seconds_total',
        'responses_without_usage_total',
      ].map((name) => proxy.value(`ollama_proxy_${name}`, labels)),
    );
    expect(values).toEqual([11, 4, 7, 1.5, 3, 0]);
    const exposition = await proxy.exposition();
    const histogram = (name: string) =>
      exposition.get(`ollama_proxy_${name}`)?.samples.filter(({ labels: { le } }) => le === '+Inf') ?? [];
    for (const name of [
      'request_duration_seconds',
      'time_to_first_token_seconds',
      'time_per_output_token_seconds',
    ]) {
      expect(
        histogram(name).map(({ labels: { api, model }, value }) => [api, model, value]),
        name,
      ).toEqual([['chat', 'a:latest', 1]]);
    }
    expect(histogram('load_duration_seconds')).toEqual([
      { labels: { model: 'a:latest', le: '+Inf' }, value: 1 },
    ]);
    const load = exposition.get('ollama_proxy_load_duration_seconds')?.samples ?? [];
    expect(
      load.filter(({ labels: { le } }) => le === '2.56' || le === '1.28').map(({ value }) => value),
    ).toEqual([0, 1]);
  });

  test('a response without streaming has no time to first token', async () => {
    const proxy = await counted('/api/chat', whole(DONE));
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['chat a:latest ok 1']);
    expect((await proxy.exposition()).get('ollama_proxy_time_to_first_token_seconds')?.samples ?? []).toEqual(
      [],
    );
  });

  test('loading or unloading a model is not a response without usage', async () => {
    const proxy = await counted('/api/chat', whole('{"model":"a","done":true,"done_reason":"load"}'));
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['chat a:latest ok 1']);
    expect(await proxy.counted('ollama_proxy_responses_without_usage_total')).toEqual([]);
  });
});

test('the time to first token ends at the first content, not at the headers', async () => {
  const ollama = await startScripted(({ socket }) => {
    socket.write(stream(NDJSON, [TOKEN.replace('"x"', '""')]).replace(/0\r\n\r\n$/, ''));
    setTimeout(
      () =>
        socket.write(
          stream(NDJSON, [TOKEN, `${DONE}\n`])
            .split('\r\n\r\n')
            .slice(1)
            .join('\r\n\r\n'),
        ),
      60,
    );
  });
  const proxy = await startProxyBefore(ollama.url);
  const client = await rawClient(proxy.port);
  await client.send(post('/api/chat', '{}')).response();
  const sum = (await proxy.exposition())
    .get('ollama_proxy_time_to_first_token_seconds')
    ?.samples.at(-2)?.value;
  expect(sum).toBeGreaterThan(0.05);
});

describe('the outcome', () => {
  const CASES: ReadonlyArray<readonly [string, string, string, string]> = [
    [
      'of a stream with an error line is failed, with the model of its first line',
      '/api/chat',
      stream(NDJSON, [TOKEN, '{"error":"unexpected EOF"}\n']),
      'chat a:latest failed 1',
    ],
    [
      'of a stream without a last line is incomplete',
      '/api/chat',
      stream(NDJSON, [TOKEN]),
      'chat a:latest incomplete 1',
    ],
    ['of an empty stream is incomplete', '/api/chat', stream(NDJSON, []), 'chat  incomplete 1'],
    [
      'of a response that is not done is incomplete',
      '/api/generate',
      whole('{"model":"a","response":"YYY","done":false}'),
      'generate a:latest incomplete 1',
    ],
    [
      'of a response that is not JSON is incomplete',
      '/api/generate',
      whole('<html>'),
      'generate  incomplete 1',
    ],
    [
      'of a response with spaces in its JSON is ok',
      '/api/generate',
      whole('{ "model" : "b", "done": true }'),
      'generate b:latest ok 1',
    ],
    [
      'of events without [DONE] is incomplete',
      '/v1/chat/completions',
      stream(EVENTS, [
        'data: {"model":"a","choices":[]}\n\n',
        'data: {"model":"","choices":[{"delta":{"content":""}}]}\n\n',
      ]),
      'v1/chat/completions a:latest incomplete 1',
    ],
    [
      'of events with an error is failed',
      '/v1/chat/completions',
      stream(EVENTS, ['data: {"error":{"message":"x"}}\n\n', 'data: [DONE]\n\n']),
      'v1/chat/completions  failed 1',
    ],
    [
      'of events with carriage returns is ok',
      '/v1/chat/completions',
      stream(EVENTS, ['data: {"model":"a","choices":[]}\r\n\r\ndata: [DONE]\r\n\r\n']),
      'v1/chat/completions a:latest ok 1',
    ],
    [
      'of response.failed is failed',
      '/v1/responses',
      stream(EVENTS, [
        'event: response.failed\ndata: {"type":"response.failed","response":{"model":"a","status":"failed"}}\n\n',
      ]),
      'v1/responses a:latest failed 1',
    ],
    [
      'of response.incomplete, which is at the token limit, is ok',
      '/v1/responses',
      stream(EVENTS, [
        'event: response.incomplete\ndata: {"type":"response.incomplete","response":{"model":"a","usage":{"input_tokens":1,"output_tokens":2}}}\n\n',
      ]),
      'v1/responses a:latest ok 1',
    ],
    [
      'of an error event in /v1/messages is failed',
      '/v1/messages',
      stream(EVENTS, ['event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n']),
      'v1/messages  failed 1',
    ],
    ['of 400 is bad_request', '/api/chat', whole('{"error":"x"}', '400 Bad Request'), 'chat  bad_request 1'],
    ['of 401 is bad_request', '/api/chat', whole('{"error":"x"}', '401 Unauthorized'), 'chat  bad_request 1'],
    ['of 404 is not_found', '/api/chat', whole('{"error":"x"}', '404 Not Found'), 'chat  not_found 1'],
    ['of 500 is error', '/api/chat', whole('{"error":"x"}', '500 Internal Server Error'), 'chat  error 1'],
    ['of 503 is busy', '/api/chat', whole('{"error":"x"}', '503 Service Unavailable'), 'chat  busy 1'],
    ['of a path that is not measured is ok', '/api/pull', stream(NDJSON, ['{"error":"x"}\n']), 'other  ok 1'],
  ];
  test.each(CASES)('%s', async (_, path, response, expected) => {
    const proxy = await counted(path, response);
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual([expected]);
    expect(await proxy.counted('ollama_proxy_requests_in_flight')).toEqual([]);
  });
});

describe('the model label', () => {
  test.each([
    ['llama3', 'llama3:latest'],
    ['llama3:8b', 'llama3:8b'],
    ['registry.ollama.ai/library/llama3', 'llama3:latest'],
    ['library/llama3:8b', 'llama3:8b'],
    ['hf.co/a/b-GGUF', 'hf.co/a/b-GGUF:latest'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['gpt-oss:120b-cloud', 'gpt-oss:120b-cloud'],
    ['mod\\u00e8le "x"'.replaceAll('"', '\\"'), 'modèle "x":latest'],
  ])('of %s is %s', async (name, label) => {
    const proxy = await counted('/api/generate', whole(`{"model":"${name}","done":true}`));
    expect(await proxy.value('ollama_proxy_requests_total', { model: label, outcome: 'ok' })).toBe(1);
  });

  test.each(['', 'a\\nb', 'a\\u0000', 'x'.repeat(2_000)])('is empty for %.20j', async (name) => {
    const proxy = await counted('/api/generate', whole(`{"model":"${name}","done":true}`));
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  ok 1']);
  });

  test('is never taken from a request or an error response', async () => {
    const proxy = await counted(
      '/api/generate',
      whole('{"error":"model \'requested\' not found","model":"b"}', '404 Not Found'),
    );
    expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate  not_found 1']);
  });

  test('has at most 200 values, then other', async () => {
    let turn = 0;
    const ollama = await startScripted(({ socket }) =>
      socket.write(whole(`{"model":"m${turn}","done":true}`)),
    );
    const proxy = await startProxyBefore(ollama.url);
    const client = await rawClient(proxy.port);
    for (turn = 0; turn < 230; turn += 1) {
      await client.send(post('/api/generate', '{}')).response();
    }
    const models = (await proxy.counted('ollama_proxy_requests_total')).map((line) => line.split(' ')[1]);
    expect(models).toHaveLength(201);
    expect(await proxy.value('ollama_proxy_requests_total', { model: 'other', outcome: 'ok' })).toBe(30);
  });
});

test('a last line of 400 KB, with characters split across chunks, is passed on and counted', async () => {
  const text = 'ä€😀'.repeat(20_000);
  const line = DONE.replace(
    '"done":true',
    `"response":"${text}","done":true,"context":[${Array(40_000).fill('128009').join()}]`,
  );
  const bytes = Buffer.from(`${TOKEN}${line}\n`);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1_021) }, (_, index) =>
    bytes.subarray(index * 1_021, (index + 1) * 1_021),
  );
  const message = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: ${NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n`),
    ...pieces.flatMap((piece) => [
      Buffer.from(`${piece.length.toString(16)}\r\n`),
      piece,
      Buffer.from('\r\n'),
    ]),
    Buffer.from('0\r\n\r\n'),
  ]);
  const ollama = await startScripted(({ socket }) => socket.write(message));
  const proxy = await startProxyBefore(ollama.url);
  const client = await rawClient(proxy.port);
  expect((await client.send(post('/api/generate', '{}')).response()).body.equals(bytes)).toBe(true);
  expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest ok 1']);
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual(['generate a:latest 7']);
});

test('text in a prompt or response is never parsed as counts, model names or end markers', async () => {
  const evil = JSON.stringify(
    '"eval_count":99,"model":"evil","done":true} data: [DONE] "usage":{"prompt_tokens":9}',
  ).slice(1, -1);
  const line = `${DONE.replace('"done":true', `"response":"${evil}","done":true,"context":[${Array(20_000).fill('1289').join()}]`)}\n`;
  const proxy = await counted('/api/generate', stream(NDJSON, [TOKEN.replace('"x"', `"${evil}"`), line]));
  expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest ok 1']);
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual(['generate a:latest 7']);
});

test('impossible counts are ignored', async () => {
  const odd =
    '{"model":"a","done":true,"eval_count":-1,"prompt_eval_count":1e300,"load_duration":"x","eval_duration":null}';
  const proxy = await counted('/api/generate', whole(odd));
  expect(await proxy.counted('ollama_proxy_requests_total')).toEqual(['generate a:latest ok 1']);
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual([]);
  expect(await proxy.counted('ollama_proxy_measurement_failures_total')).toEqual([]);
});

describe('an exception while measuring is counted, and the response continues,', () => {
  const fault = (): never => {
    throw new Error('on purpose');
  };
  const FAULTS: ReadonlyArray<
    readonly [string, (api: Api, contentType: string, now: () => number) => Reader]
  > = [
    ['at the response headers', fault],
    ['in a chunk', (...args) => ({ ...createReader(...args), push: fault })],
    ['at the end', (...args) => ({ ...createReader(...args), findings: fault })],
  ];
  test.each(FAULTS)('%s', async (_, createFaulty) => {
    const texts = [TOKEN, TOKEN, `${DONE}\n`];
    const ollama = await startScripted(({ socket }) => socket.write(stream(NDJSON, texts)));
    const proxy = await startProxyBefore(ollama.url, { createReader: createFaulty });
    const client = await rawClient(proxy.port);
    const response = await client.send(post('/api/chat', '{}')).response();
    expect([response.body.toString(), response.complete]).toEqual([texts.join(''), true]);
    expect(await proxy.value('ollama_proxy_measurement_failures_total')).toBe(1);
    expect(await proxy.counted('ollama_proxy_requests_in_flight')).toEqual([]);
    expect(proxy.logged.join('')).toContain('on purpose');
    expect((await client.send(post('/api/chat', '{}')).response()).complete).toBe(true);
  });
});

test('counters start at 0 for each API and outcome', async () => {
  const ollama = await startScripted(() => {});
  const proxy = await startProxyBefore(ollama.url);
  const samples = (await proxy.exposition()).get('ollama_proxy_requests_total')?.samples ?? [];
  expect(samples).toHaveLength(100);
  expect(samples.every(({ value }) => value === 0)).toBe(true);
  expect((await proxy.exposition()).get('ollama_proxy_requests_in_flight')?.samples).toHaveLength(10);
});

test('the metrics are on the telemetry path, even with --web.disable-exporter-metrics, and not on /probe', async () => {
  const script: Script = ({ socket, head }) =>
    socket.write(
      head.includes('/api/ps')
        ? whole('{"models":[]}')
        : head.includes('/api/version')
          ? whole('{"version":"0.33.0"}')
          : whole(DONE),
    );
  const ollama = await startScripted(script);
  const exporter = await startInProcess(ollama.url, {
    proxyListenAddresses: parseListenAddresses('127.0.0.1:0'),
    configYaml: 'modules: { default: { allow: [127.0.0.0/8] } }',
  });
  const client = await rawClient(exporter.proxyPort);
  await client.send(post('/api/generate', '{}')).response();
  const exposition = await exporter.scrape();
  expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  expect(sampleValue(exposition, 'ollama_proxy_generated_tokens_total')).toBe(7);
  expect(exposition.has('process_cpu_seconds_total')).toBe(false);
  const probe = await rawClient(Number(exporter.url.port));
  const probed = await probe.send(get(`/probe?target=${ollama.url.host}`)).response();
  expect(probed.body.toString()).toContain('ollama_up 1');
  expect(probed.body.toString()).not.toContain('ollama_proxy');
  await exporter.close();
});

test('docs/tokens.md names each option of the proxy', () => {
  const page = readFileSync(new URL('../../docs/tokens.md', import.meta.url), 'utf8');
  for (const flag of ['listen-address', 'web.config.file', 'include-usage', 'shutdown-grace']) {
    expect(page).toContain(`--proxy.${flag}`);
  }
});
