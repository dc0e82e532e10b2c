/** Every recorded response is passed on unchanged and measured correctly, at any chunk boundaries. */
import { expect, test } from 'vitest';
import { randomNumbers } from '../../src/demo/workload.ts';
import { measuredApi } from '../../src/proxy/apis.ts';
import { createReader } from '../../src/proxy/reader.ts';
import { get, post, type RawClient, rawClient } from './raw-client.ts';
import { bodyOf, messageOf, SAMPLES, type Sample } from './samples.ts';
import { startScripted } from './scripted-ollama.ts';
import { startProxyBefore } from './started-proxy.ts';

/** The expected outcome, prompt tokens and generated tokens of each sample, determined by hand. */
const OUTCOMES: ReadonlyArray<readonly [name: RegExp, outcome: string, prompt: number, generated: number]> = [
  [/bad-json|generate-on-embedding/, 'bad_request', 0, 0],
  [/unknown-model|0\.12\.6\/v1-(messages|responses)/, 'not_found', 0, 0],
  [/client-leaves|token-repeat|runner-dies-v1/, 'incomplete', 0, 0],
  [/runner-dies-generate/, 'failed', 0, 0],
  [/load-only|unload|embeddings-old|no-usage/, 'ok', 0, 0],
  [/0\.12\.6\/embed$/, 'ok', 3, 0],
  [/0\.33\.0-rc2\/embed$/, 'ok', 7, 0],
];

function expectationOf({ name, path }: Sample): readonly [string, number, number] {
  const known = OUTCOMES.find(([names]) => names.test(name));
  if (known !== undefined) {
    return [known[1], known[2], known[3]];
  }
  return path === '/v1/embeddings' ? ['ok', Number.NaN, 0] : ['ok', Number.NaN, 12];
}

const MEASURED = SAMPLES.filter(({ method, path }) => measuredApi(method, path) !== undefined);

test('every measured API has samples', () => {
  expect(new Set(MEASURED.map(({ path }) => path)).size).toBe(9);
  expect(SAMPLES.length).toBeGreaterThan(65);
});

function wholeReader({ method, path, contentType }: Sample) {
  const api = measuredApi(method, path);
  if (api === undefined) {
    throw new Error(`${path} is not measured`);
  }
  return createReader(api, contentType, () => 0);
}

test.each(MEASURED.map((sample) => [sample.name, sample] as const))(
  'the result for %s is the same wherever it is split',
  (_, sample) => {
    const body = bodyOf(sample);
    const whole = wholeReader(sample);
    whole.push(body);
    const expected = { ...whole.findings(), first: whole.firstContentMs() };
    for (let at = 0; at <= body.length; at += 1) {
      const reader = wholeReader(sample);
      reader.push(body.subarray(0, at));
      reader.push(body.subarray(at));
      expect({ ...reader.findings(), first: reader.firstContentMs() }, `cut at ${at}`).toEqual(expected);
    }
  },
);

/** Number of split positions: all of them would take minutes. */
const CUTS = 24;
/** Longer ones are sent in pieces of seven bytes, shorter ones byte by byte. */
const SHORT_BYTES = 700;

function requestOf({ method, path, requestBody }: Sample): string {
  return requestBody === '' ? get(path, method) : post(path, requestBody);
}

async function exchange(client: RawClient, sample: Sample) {
  return await client.send(requestOf(sample)).response({ toHead: sample.method === 'HEAD' });
}

test.each(SAMPLES.map((sample) => [sample.name, sample] as const))(
  `%s is passed on unchanged, split at ${CUTS} places and into small pieces`,
  async (name, sample) => {
    const message = messageOf(sample);
    const random = randomNumbers(message.length);
    let pieces: readonly Buffer[] = [];
    const ollama = await startScripted(async ({ socket }) => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise(setImmediate);
      }
    });
    const proxy = await startProxyBefore(ollama.url);
    const direct = await rawClient(Number(ollama.url.port));
    const through = await rawClient(proxy.port);
    pieces = [message];
    const expected = await exchange(direct, sample);
    expect(expected.complete).toBe(true);
    expect(expected.body).toEqual(sample.method === 'HEAD' ? Buffer.alloc(0) : bodyOf(sample));
    const cuts = Array.from({ length: CUTS }, () => Math.floor(random() * message.length));
    for (const at of cuts) {
      pieces = [message.subarray(0, at), message.subarray(at)];
      expect(await exchange(through, sample), `cut at ${at}`).toEqual(expected);
    }
    const step = message.length > SHORT_BYTES ? 7 : 1;
    pieces = Array.from({ length: Math.ceil(message.length / step) }, (_, index) =>
      message.subarray(index * step, (index + 1) * step),
    );
    expect(await exchange(through, sample), `${step} bytes at a time`).toEqual(expected);
    if (MEASURED.includes(sample)) {
      const [outcome, prompt, generated] = expectationOf(sample);
      const times = cuts.length + 1;
      expect(await proxy.counted('ollama_proxy_requests_total'), name).toEqual([
        expect.stringMatching(new RegExp(`^\\S+ \\S* ?${outcome} ${times}$`)),
      ]);
      const tokens = async (kind: string) =>
        ((await proxy.exposition()).get(`ollama_proxy_${kind}_tokens_total`)?.samples ?? []).reduce(
          (sum, { value }) => sum + value,
          0,
        );
      expect(await tokens('generated')).toBe(generated * times);
      expect(await tokens('prompt')).toBe(Number.isNaN(prompt) ? promptOf(sample) * times : prompt * times);
    }
  },
);

/** Occurs once in each sample that has it; the last one is never an estimate. */
function promptOf(sample: Sample): number {
  const found = [
    ...bodyOf(sample)
      .toString()
      .matchAll(/"(?:prompt_eval_count|prompt_tokens|input_tokens)":(\d+)/g),
  ];
  return Number(found.at(-1)?.[1]);
}
