/** `--proxy.include-usage`: usage in OpenAI streams whose clients do not request it. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../src/demo/workload.ts';
import { readUpTo } from '../../src/proxy/request-body.ts';
import { createUsageFilter } from '../../src/proxy/usage-filter.ts';
import { splice } from '../../src/proxy/usage-request.ts';
import { post, rawClient } from './raw-client.ts';
import { bodyOf, messageOf, SAMPLES } from './samples.ts';
import { type Script, startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

const CHAT = '/v1/chat/completions';

function sampleOf(name: string) {
  const sample = SAMPLES.find((candidate) => candidate.name === name);
  if (sample === undefined) {
    throw new Error(`no sample ${name}`);
  }
  return sample;
}

const STREAMS = [
  '0.12.6/v1-chat-stream',
  '0.33.0-rc2/v1-chat-stream',
  '0.12.6/v1-completions-stream',
  '0.33.0-rc2/v1-completions-stream',
];

/** Ollama's response without usage, derived from the response with usage. */
function withoutUsage(stream: string): string {
  return stream
    .split(/(?<=\n\n)/)
    .filter((event) => !event.includes('"choices":[]'))
    .map((event) => event.replace(',"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', ''))
    .join('');
}

function filtered(pieces: readonly Buffer[]): string {
  const filter = createUsageFilter();
  return Buffer.concat([...pieces.map((piece) => filter.push(piece)), filter.end()]).toString();
}

describe.each(STREAMS)('for the client, %s', (name) => {
  const stream = bodyOf(sampleOf(name));
  const expected = withoutUsage(stream.toString());

  test('is the same wherever it is split', () => {
    expect(expected).not.toContain('usage');
    for (let at = 0; at <= stream.length; at += 1) {
      expect(filtered([stream.subarray(0, at), stream.subarray(at)]), `cut at ${at}`).toBe(expected);
    }
  });

  test('is the same at 500 random splits, and byte by byte', () => {
    const random = randomNumbers(stream.length);
    for (let turn = 0; turn < 500; turn += 1) {
      const [first = 0, second = 0] = [random(), random()]
        .map((part) => Math.floor(part * stream.length))
        .sort((a, b) => a - b);
      const pieces = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
      expect(filtered(pieces), `cut at ${first} and ${second}`).toBe(expected);
    }
    expect(filtered([...stream].map((byte) => Buffer.of(byte)))).toBe(expected);
  });
});

describe('the filter does not change', () => {
  const UNTOUCHED: ReadonlyArray<readonly [string, string]> = [
    [
      'content that looks like usage',
      'data: {"choices":[{"delta":{"content":",\\"usage\\":{\\"a\\":1}}"}}]}\n\n',
    ],
    ['an event without choices', 'data: {"usage":{"prompt_tokens":1}}\n\n'],
    ['a usage that is not an object', 'data: {"choices":[],"usage":7}\n\n'],
    ['an event that is not valid JSON', 'data: {"choices":[],"usage":{\n\n'],
    ['comments', ': ping "usage"\n\n'],
    ['an event without an end', 'data: {"choices":[],"usage":{"a":1}}'],
    [
      'anything after an event larger than 64 KiB',
      `data: ${'x'.repeat(70_000)}data: {"choices":[],"usage":{"a":1}}\n\n`,
    ],
  ];
  test.each(UNTOUCHED)('%s', (_, stream) => {
    const cut = Math.floor(stream.length * 0.99);
    expect(filtered([Buffer.from(stream.slice(0, cut)), Buffer.from(stream.slice(cut))])).toBe(stream);
  });
});

test('bytes without usage are unchanged, however they are split', () => {
  const chunks = fc.array(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 20 },
  );
  const property = fc.property(chunks, (pieces) => {
    const filter = createUsageFilter();
    const out = Buffer.concat([...pieces.map((piece) => filter.push(piece)), filter.end()]);
    expect(out.equals(Buffer.concat(pieces))).toBe(true);
  });
  fc.assert(property, { seed: 11434, numRuns: 500 });
});

test('an event that arrives byte by byte is searched once', () => {
  const startMs = performance.now();
  const event = `data: ${'x'.repeat(60_000)}\n\n`;
  expect(filtered(Array.from(event, (byte) => Buffer.from(byte)))).toBe(event);
  // Searching all of it each time took 3 s.
  expect(performance.now() - startMs).toBeLessThan(2_000);
});

describe('a request body', () => {
  test.each([
    ['{"model":"a","stream":true}', '{"model":"a","stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"stream":true,"stream_options":null} \n',
      '{"stream":true,"stream_options":null,"stream_options":{"include_usage":true}} \n',
    ],
    [
      '{"stream":true,"stream_options":{"include_usage":false,"x":1}}',
      '{"stream":true,"stream_options":{"include_usage":false,"x":1},"stream_options":{"include_usage":true,"x":1}}',
    ],
    [
      '{"stream":true,"seed":9007199254740993,"a":"\\u00e9}"}',
      '{"stream":true,"seed":9007199254740993,"a":"\\u00e9}","stream_options":{"include_usage":true}}',
    ],
    [
      '{"str\\u0065am":true,"a":"}"}\n\t }'.slice(0, -1),
      '{"str\\u0065am":true,"a":"}","stream_options":{"include_usage":true}}\n\t ',
    ],
  ])('%s becomes %s', (body, expected) => {
    expect(splice(Buffer.from(body))?.toString()).toBe(expected);
  });

  test.each([
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":false}',
    '{"stream":"true"}',
    '{"model":"a"}',
    '[{"stream":true}]',
    '{"stream":true',
    // Ollama takes keys in any case.
    '{"stream":true,"Stream_Options":{"include_usage":true}}',
    '{"stream":true,"stream_options":{"Include_Usage":true}}',
    '{"stream":true,"STREAM":false}',
    '\ufeff{"stream":true}',
    '{"stream":true}}',
    '{"stream":true,"stream":false}',
    '{"a":{"stream":true}}',
    '{"stream":true} // comment',
    '',
  ])('%s is unchanged', (body) => {
    expect(splice(Buffer.from(body))).toBeUndefined();
  });

  test('with more than 100,000 values is unchanged', () => {
    const keys = Array.from({ length: 300_000 }, (_, index) => `,"${index}":0`);
    expect(splice(Buffer.from(`{"stream":true${keys.join('')}}`))).toBeUndefined();
  });

  test('that arrives byte by byte needs memory of about its size', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const used = () => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = used();
    const request = new IncomingMessage(new Socket());
    const read = readUpTo(request, 1_000_000);
    for (let index = 0; index < 300_000; index += 1) {
      request.emit('data', Buffer.from('x'));
    }
    const held = used() - before;
    request.emit('end');
    expect((await read).bytes).toHaveLength(300_000);
    // A list of the pieces took 40 MB.
    expect(held).toBeLessThan(2_000_000);
  });

  test('with other keys only has include_usage appended', () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (keys) => {
      const body = JSON.stringify({ ...keys, stream: true, stream_options: undefined });
      const spliced = splice(Buffer.from(body))?.toString() ?? '';
      expect(JSON.parse(spliced)).toEqual({ ...JSON.parse(body), stream_options: { include_usage: true } });
      expect(spliced.startsWith(body.slice(0, -1))).toBe(true);
    });
    fc.assert(property, { seed: 11434, numRuns: 500 });
  });
});

async function start(script: Script) {
  const ollama = await startScripted(script);
  const proxy = await startProxyBefore(ollama.url, { includeUsage: true });
  return { ollama, proxy, client: await rawClient(proxy.port) };
}

const asOllama: Script = ({ socket, body }) => {
  const requestsUsage = body.includes('"include_usage":true');
  socket.write(messageOf(sampleOf(`0.33.0-rc2/v1-chat-stream${requestsUsage ? '' : '-no-usage'}`)));
};

test('a client that does not request usage gets none, and its tokens are counted', async () => {
  const { ollama, proxy, client } = await start(asOllama);
  const body = '{"model":"small","stream":true}';
  const response = await client.send(post(CHAT, body, 'X-A: 1\r\n')).response();
  expect(response.body.toString()).toBe(
    withoutUsage(bodyOf(sampleOf('0.33.0-rc2/v1-chat-stream')).toString()),
  );
  expect(await proxy.counted('ollama_proxy_generated_tokens_total')).toEqual([
    'v1/chat/completions small:latest 12',
  ]);
  expect(await proxy.counted('ollama_proxy_responses_without_usage_total')).toEqual([]);
  expect(ollama.received[0]?.head).toContain('X-A: 1');
});

test('a client that requests usage gets it', async () => {
  const { client } = await start(asOllama);
  const response = await client
    .send(post(CHAT, '{"stream":true,"stream_options":{"include_usage":true}}'))
    .response();
  expect(response.body).toEqual(bodyOf(sampleOf('0.33.0-rc2/v1-chat-stream')));
});

describe('the proxy does not change', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const STREAM = '{"stream":true}';
  const REQUESTS: ReadonlyArray<readonly [string, string, string, string]> = [
    ['a compressed body', CHAT, STREAM, 'Content-Encoding: zstd\r\n'],
    ['a body larger than 4 MiB', CHAT, `{"stream":true,"x":"${'x'.repeat(5 * 1024 * 1024)}"}`, ''],
    ['a body that is not valid JSON', CHAT, '{"stream":true', ''],
    ['a request of another API', '/v1/responses', STREAM, ''],
    ['a request of the native API', '/api/chat', STREAM, ''],
  ];
  test.each(REQUESTS)('%s', async (_, path, body, head) => {
    const { ollama, client } = await start(({ socket }) => socket.write(OK));
    await client.send(post(path, body, head)).response();
    expect(ollama.received[0]?.body.toString()).toBe(body);
  });

  test('a chunked body larger than 4 MiB', async () => {
    const { ollama, client } = await start(({ socket }) => socket.write(OK));
    const body = `{"stream":true,"x":"${'x'.repeat(5 * 1024 * 1024)}"}`;
    client.send(
      `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    await client.response();
    expect(ollama.received[0]?.body.toString() === body).toBe(true);
  });
});

test('a client that disconnects while sending its request sends no request to Ollama', async () => {
  const { ollama, proxy, client } = await start(asOllama);
  client.send(`POST ${CHAT} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"stre`);
  await expect
    .poll(() => proxy.counted('ollama_proxy_requests_in_flight'))
    .toEqual(['v1/chat/completions 1']);
  client.socket.destroy();
  await expect
    .poll(() => proxy.counted('ollama_proxy_requests_total'))
    .toEqual(['v1/chat/completions  client_gone 1']);
  expect(ollama.sockets.size).toBe(0);
});

test('a stream that is cut off keeps what was received', async () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { client } = await start(({ socket }) => socket.end(`${head}e\r\ndata: {"a":1}\n\r\n`));
  const response = await client.send(post(CHAT, '{"stream":true}')).response();
  expect([response.complete, response.body.toString()]).toEqual([false, 'data: {"a":1}\n']);
});
