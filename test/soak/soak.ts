/**
 * `npm run soak -- --seconds 600 --seed 1`: runs an exporter while Ollama and the clients misbehave by a seeded
 * schedule, and checks each response. Exits with code 1 if something is wrong.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { freePort } from '../free-port.ts';
import { exhaustFiles, growth, measure, startExporter, stopExporter, waitUntilOpen } from './exporter.ts';
import { type Fault, lateMs, MAX_LATE_MS, type Scraped, STORM, schedule, violation } from './faults.ts';
import { now, sleepUntil } from './states.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Scrapes per second. */
    steady: { type: 'string', default: '50' },
    /** Concurrent scrapes in each burst. */
    storm: { type: 'string', default: '2000' },
  },
});
const [seed, steady, storm] = [Number(values.seed), Number(values.steady), Number(values.storm)];

/** Until connections of disconnected clients are closed. */
const QUIET_MS = 1_000;
/** Margin for a busy machine. */
const EXTRA_MS = 60_000;
/** Log lines per fault: start and end, in up to two forms (reset, then refused). */
const LINES_PER_FAULT = 4;

void sleepUntil(now() + Number(values.seconds) * 1_000 + EXTRA_MS).then(() =>
  assert.fail('the soak itself hangs'),
);

const problems: string[] = [];
const ollamaPort = await freePort();
let pair: readonly Fault[] = [];
async function startOllama(): Promise<ChildProcess> {
  const child = fork(new URL('ollama.js', import.meta.url), [String(ollamaPort)]);
  child.on('message', (problem) => problems.push(String(problem)));
  child.send([...pair]);
  await waitUntilOpen(ollamaPort);
  return child;
}
let ollama = await startOllama();
process.once('exit', () => ollama.kill('SIGKILL'));
const exporter = await startExporter(await freePort(), ollamaPort);

/** Either so many concurrent scrapes, or a steady rate until an end time. Resolves when all clients have ended. */
function startClients(scrapes: Scraped[], atOnce: number, until = 0): Promise<unknown> {
  const argv = [exporter.child.pid, exporter.port, seed, atOnce, steady, until];
  const clients = new Worker(new URL('clients.js', import.meta.url), { argv });
  clients.on('message', (scraped: Scraped) => scrapes.push(scraped));
  return once(clients, 'exit');
}
const fromSteady: Scraped[] = [];
const fromStorms: Scraped[] = [];

/** Each resolves when everything is back to normal. The simulated Ollama causes the other faults itself. */
const causes: { readonly [name in Fault['name']]?: (over: Promise<void>) => Promise<unknown> } = {
  killed: async (over) => {
    ollama.kill('SIGKILL');
    await over;
    ollama = await startOllama();
  },
  stopped: async (over) => {
    ollama.kill('SIGSTOP');
    await over;
    ollama.kill('SIGCONT');
    await waitUntilOpen(ollamaPort);
  },
  descriptors: (over) => exhaustFiles(exporter, over),
  storm: () => startClients(fromStorms, storm),
};

/** @returns the fault with its actual end */
async function cause(fault: Fault): Promise<Fault> {
  await sleepUntil(fault.start);
  const over = sleepUntil(fault.end);
  await Promise.all([over, causes[fault.name]?.(over)]);
  return { ...fault, end: now() };
}

// Memory after the first burst is not a leak.
const faults = [await cause({ ...STORM, start: now(), end: now(), variant: 0 })];
await sleepUntil(now() + QUIET_MS);
const before = await measure(exporter);
const until = now() + Number(values.seconds) * 1_000;
const steadyClients = startClients(fromSteady, 0, until + QUIET_MS);
const nextPair = schedule(seed);
for (pair = nextPair(now()); pair.every(({ end }) => end < until); pair = nextPair(now())) {
  ollama.send([...pair]);
  faults.push(...(await Promise.all(pair.map(cause))));
}
await steadyClients;
await sleepUntil(now() + QUIET_MS);
const after = await measure(exporter);
// On a busy machine, delays may hide that a response is late, but not that all are.
const timeouts = fromSteady.filter(({ note }) => note.includes('timeout'));
const earliestMs = Math.min(...timeouts.map((scraped) => lateMs({ ...scraped, lagMs: 0 })));
const storms = faults.filter(({ name }) => name === 'storm').length;
problems.push(
  ...[...fromSteady, ...fromStorms].flatMap((scraped) => violation(scraped, faults) ?? []),
  ...(fromStorms.length === storms * storm ? [] : [`${storms} storms with ${fromStorms.length} responses`]),
  ...(timeouts.length > 0 && earliestMs > MAX_LATE_MS ? [`all timeouts ${earliestMs} ms late`] : []),
  ...growth(before, after),
  ...(await stopExporter(exporter, faults.length * LINES_PER_FAULT + 1)),
);

const outcome = ({ kind, note }: Scraped) => `${kind} ${note}`.trim();
const lines = [
  `${values.seconds} s, seed ${seed}, ${steady} scrapes a second, storms of ${storm}`,
  `responses: ${count(fromSteady.map(outcome))}`,
  `responses to storms: ${count(fromStorms.map(outcome))}`,
  `faults: ${count(faults.slice(1).map(({ name }) => name))}`,
  `after the budget: ${earliestMs} ms or more; without delays of the machine ${Math.max(...fromSteady.map(lateMs))} ms or less`,
  `before: ${JSON.stringify(before)}, after: ${JSON.stringify(after)}`,
  ...problems.slice(0, 20).map((problem) => `FAIL ${problem}`),
  problems.length === 0 ? 'passed' : `failed: ${problems.length} problems`,
];
process.stdout.write(`${lines.join('\n')}\n`);
process.exit(Math.min(problems.length, 1));

function count(texts: readonly string[]): string {
  const times = (text: string) => texts.filter((other) => other === text).length;
  return [...new Set(texts)].map((text) => `${times(text)} ${text}`).join('; ');
}
