/** Where a module's credentials are sent, and that clients can't read them. */
import dns from 'node:dns';
import { createServer, type RequestListener, type Server } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';
import { request } from 'undici';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';

/** Replaces DNS: no name resolves. */
beforeAll(() => {
  const failureOf = (name: unknown) =>
    Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
  const real = dns.lookup;
  const promised = dns.promises.lookup;
  const lookups = [
    vi.spyOn(dns, 'lookup').mockImplementation((...args: readonly unknown[]) => {
      const [name, , callback] = args;
      if (typeof name !== 'string' || isIP(name) > 0 || typeof callback !== 'function') {
        Reflect.apply(real, dns, args);
        return;
      }
      setImmediate(() => callback(failureOf(name), []));
    }),
    vi.spyOn(dns.promises, 'lookup').mockImplementation(async (...args: readonly unknown[]) => {
      const [name] = args;
      if (typeof name === 'string' && isIP(name) > 0) {
        return Reflect.apply(promised, dns.promises, args);
      }
      throw failureOf(name);
    }),
  ];
  syncBuiltinESMExports();
  return () => {
    for (const lookup of lookups) {
      lookup.mockRestore();
    }
    syncBuiltinESMExports();
  };
});

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) {
    await close();
  }
});

/** A server on an allowed address. @returns its host and port */
async function serve(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

interface Started extends InProcessExporter {
  readonly get: (path: string) => Promise<string>;
  readonly lines: readonly string[];
}

/** @param module as flow YAML, also for the telemetry path */
async function start(module: string, ollama = 'http://127.0.0.1:1'): Promise<Started> {
  const lines: string[] = [];
  const out = { write: (line: string) => lines.push(line) };
  const exporter = await startInProcess(new URL(ollama), {
    configYaml: `modules: { default: ${module} }`,
    log: createLogger({ logLevel: 'debug', logFormat: 'logfmt' }, out),
  });
  opened.push(exporter.close);
  const get = async (path: string) => (await request(new URL(path, exporter.url))).body.text();
  return { ...exporter, get, lines };
}

const TOKEN = '9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const CREDENTIALS = `{ allow: ["127.0.0.0/8", "*.lan"], authorization: { credentials: ${TOKEN} } }`;

/** Repeats the request and its credentials in every part of the response that a report could show. */
const echoInHeaders: RequestListener = ({ url = '', headers }, response) => {
  const [, typed = ''] = url.split('/');
  const sent = headers.authorization?.slice('Bearer '.length) ?? '';
  response
    .writeHead(302, {
      location: `https://${sent}.${typed}.example/${sent}${typed}`,
      'www-authenticate': `Basic realm="${sent}${typed}"`,
      'x-echo': sent + typed,
    })
    .end(sent + typed);
};
const echoInCoding: RequestListener = ({ url = '', headers }, response) => {
  const [, typed = ''] = url.split('/');
  response
    .writeHead(200, { 'content-encoding': `${headers.authorization}${typed}`.replaceAll(' ', '') })
    .end('{}');
};
const echoInBody: RequestListener = ({ url = '', rawHeaders }, response) => {
  const [, version] = url.split('/');
  response.end(
    JSON.stringify({
      version,
      models: [
        {
          model: version,
          size: 1,
          digest: rawHeaders.join('\r\n'),
          details: { family: rawHeaders.join('\n') },
        },
        { model: rawHeaders.join('\r\n'), size: 1 },
      ],
      headers: rawHeaders,
    }),
  );
};
const echoAsText: RequestListener = ({ url, rawHeaders }, response) =>
  response.end(url + rawHeaders.join('\r\n'));
const echoInVersion: RequestListener = ({ headers }, response) =>
  response.end(JSON.stringify({ version: headers.authorization, models: [] }));

const ECHOES = { echoInHeaders, echoInCoding, echoInBody, echoAsText, echoInVersion };

describe('a debug report reveals no part of a secret through the placeholder, with guesses in', () => {
  const guesses = Array.from(TOKEN, (_, index) => {
    const right = TOKEN.slice(0, index + 1);
    return [right, right.slice(0, -1) + (right.endsWith('0') ? '1' : '0')] as const;
  });

  const targets: Readonly<Record<string, (text: string) => Promise<(text: string) => string>>> = {
    'the host': async () => (text) => `${text}.lan`,
    'the host, with a port that refuses connections': async () => (text) => `${text}.lan:1`,
    ...Object.fromEntries(
      Object.entries(ECHOES).map(([name, echo]) => [
        `the path and the response (${name})`,
        async () => {
          const host = await serve(echo);
          return (text: string) => `http://${host}/${text}`;
        },
      ]),
    ),
  };

  test.each(Object.entries(targets))('%s', async (_, prepare) => {
    const targetOf = await prepare('');
    const { get } = await start(CREDENTIALS);
    const report = async (text: string) => {
      const typed = `guess-${text}-end`;
      const received = await get(`/probe?debug=true&target=${encodeURIComponent(targetOf(typed))}`);
      expect(received).toContain('Scraped http');
      return received.replaceAll(typed, 'TEXT').replaceAll(/(?<=after |seconds\{api="\w+"\} )\S+/g, 'TIME');
    };
    for (const [right, wrong] of guesses) {
      const reportForRight = await report(right);
      expect(reportForRight).toBe(await report(wrong));
      expect(reportForRight).not.toContain(TOKEN);
    }
  });
});

describe('if a server echoes the credentials,', () => {
  test.each(Object.entries(ECHOES))('they are neither shown nor logged: %s', async (_, echo) => {
    const host = await serve(echo);
    const { get, lines } = await start(CREDENTIALS, `http://${host}`);
    const target = `target=${encodeURIComponent(`http://${host}/a-path`)}`;
    for (const path of ['/metrics', '/', '/api/status', `/?${target}`, `/api/status?${target}`]) {
      expect(await get(path), path).not.toContain(TOKEN);
    }
    for (const path of [`/probe?${target}`, `/probe?debug=true&${target}`, '/config']) {
      expect(await get(path), path).not.toContain(TOKEN);
    }
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('')).not.toContain(TOKEN);
  });

  test('the status and the remedy are still reported', async () => {
    const host = await serve(echoInHeaders);
    const { get } = await start(CREDENTIALS, `http://${host}`);
    const { problems } = JSON.parse(await get('/api/status'));
    expect(problems[0]).toEqual({
      api: 'ps',
      reason: 'status',
      message: 'status 302',
      remedy: expect.stringMatching(/redirects.*path prefix.*credentials/),
    });
  });
});

test('an unreachable target is reported with its error code', async () => {
  const { get } = await start(CREDENTIALS);
  expect(await get('/probe?debug=true&target=gpu-7.lan')).toContain(
    'no status, failed: dns: ENOTFOUND, after ',
  );
  expect(await get('/probe?debug=true&target=127.0.0.1:1')).toContain(
    'failed: refused: ECONNREFUSED, after ',
  );
});

test('a timeout is reported with its duration', async () => {
  const host = await serve(() => {});
  const { get } = await start(CREDENTIALS.replace('{', '{ timeout: 100ms,'));
  expect(await get(`/probe?debug=true&target=${host}`)).toContain(
    'timeout: no complete response within 0.1 s',
  );
});

test('the time for a report on 2,000 models does not depend on the length of the secret', async () => {
  const models = Array.from({ length: 2_000 }, (_, index) => ({
    model: `model-${index}`,
    size: 1,
    digest: `${index}`,
  }));
  const host = await serve((_request, response) => response.end(JSON.stringify({ version: '1', models })));
  const timeOf = async (secret: string) => {
    const { get } = await start(`{ allow: ["127.0.0.0/8"], headers: { X-Key: ${secret} } }`);
    const path = `/probe?debug=true&target=${host}`;
    await get(path);
    const begin = performance.now();
    expect(await get(path)).toContain('model-1999');
    return performance.now() - begin;
  };
  const short = await timeOf('s3cret');
  expect(await timeOf('0123456789abcdef'.repeat(500))).toBeLessThan(5 * short + 200);
});

describe('with a tls_config, credentials are never sent over http:', () => {
  const MODULE = `{ allow: ["127.0.0.0/8"], authorization: { credentials: ${TOKEN} }, tls_config: {} }`;

  test.each(['', 'http://'])('a target with the prefix "%s" gets 403', async (scheme) => {
    const seen: unknown[] = [];
    const host = await serve(({ headers }, response) => {
      seen.push(headers);
      response.end();
    });
    const { url } = await start(MODULE);
    for (const path of ['/probe?', '/probe?debug=true&', '/api/status?']) {
      const { statusCode, body } = await request(new URL(`${path}target=${scheme}${host}`, url));
      expect(statusCode).toBe(403);
      expect(await body.text()).toBe(
        'Module "default" has credentials and a "tls_config", so that it scrapes over https only: write https:// before the target.\n',
      );
    }
    expect(seen).toEqual([]);
  });

  test('a target with https is scraped', async () => {
    const host = await serve((_request, response) => response.end());
    const { get } = await start(MODULE);
    expect(await get(`/probe?target=https://${host}`)).toContain(
      'ollama_scrape_error{api="ps",reason="tls"} 1',
    );
  });

  test('the Ollama of the telemetry path is not scraped over http', async () => {
    const seen: unknown[] = [];
    const host = await serve(({ headers }, response) => {
      seen.push(headers);
      response.end();
    });
    const { get, lines } = await start(MODULE, `http://${host}`);
    expect(await get('/metrics')).toContain('ollama_scrape_error{api="ps",reason="config"} 1');
    expect(lines.join('')).toMatch(
      /level=WARN msg="Ollama is down".*over https only.*hint="Write https:\/\/ in/,
    );
    expect(seen).toEqual([]);
  });

  test('a module without credentials scrapes over http', async () => {
    const host = await serve((_request, response) => response.end('{"models":[],"version":"1"}'));
    const { get } = await start('{ allow: ["127.0.0.0/8"], headers: { Host: localhost }, tls_config: {} }');
    expect(await get(`/probe?target=${host}`)).toContain('ollama_up 1');
  });
});

describe('at startup, the exporter warns that clients can choose where credentials are sent', () => {
  const AUTH = `authorization: { credentials: ${TOKEN} }`;
  const warningsOf = async (module: string) =>
    (await start(module)).lines.filter((line) => line.includes('level=WARN'));

  test.each([
    ['no port', '["https://10.20.0.0/16"]'],
    ['no scheme', '["10.20.0.0/16:11434"]'],
    ['neither port nor scheme', '["gpu-*.lan"]'],
    ['one of two entries without a port', '["https://a.lan:443", "10.20.0.0/16"]'],
  ])('for allow entries with %s', async (_, allow) => {
    const [line, ...more] = await warningsOf(`{ allow: ${allow}, ${AUTH} }`);
    expect(line).toMatch(
      /msg="Clients of \/probe can choose where credentials are sent" file=\S+ module=default allow=/,
    );
    expect(line).not.toContain('https://a.lan:443');
    expect(more).toEqual([]);
  });

  test.each([
    `{ allow: ["https://10.20.0.0/16:443", "http://gpu-*.lan:11434"], ${AUTH} }`,
    `{ allow: ["10.20.0.0/16:443"], ${AUTH}, tls_config: {} }`,
    '{ allow: ["gpu-*.lan"] }',
    '{ allow: ["gpu-*.lan"], headers: { Host: localhost } }',
    `{ ${AUTH} }`,
  ])('but not for %s', async (module) => {
    expect(await warningsOf(module)).toEqual([]);
  });

  test('and again at a reload', async () => {
    const { lines, writeConfig, url } = await start('{ allow: ["gpu-*.lan"] }');
    writeConfig(`modules: { blue: { allow: ["gpu-*.lan"], ${AUTH} } }`);
    await request(new URL('/-/reload', url), { method: 'POST' });
    expect(lines.filter((line) => line.includes('where credentials are sent'))).toHaveLength(1);
  });
});
