import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { startInProcess } from '../exporter-in-process.ts';

test('an unreadable secret is logged once per API, not once per probe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secret-'));
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'token');
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'warn', logFormat: 'logfmt' }, { write: (line) => lines.push(line) });
  const exporter = await startInProcess(undefined, {
    configYaml: `modules: { default: { allow: ["127.0.0.1"], authorization: { credentials_file: ${secret} } } }`,
    log,
  });
  onTestFinished(exporter.close);
  rmSync(folder, { recursive: true });
  lines.length = 0;
  for (let port = 1; port <= 50; port += 1) {
    await (await request(new URL(`/probe?target=127.0.0.1:${port}`, exporter.url))).body.dump();
  }
  expect(lines.map((line) => /api=\w+ reason=\w+/.exec(line)?.[0])).toEqual([
    'api=ps reason=config',
    'api=version reason=config',
  ]);
});
