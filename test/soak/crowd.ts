/** A process of its own: everybody but Prometheus. Argument: whom to bother, and how, as JSON. */
import { connect, type Socket } from 'node:net';
import { hear, say } from './channel.ts';
import { measureOwnLag } from './lag.ts';
import { seeded } from './random.ts';
import { type Answer, type Scraped, scrapeOnce } from './scrape.ts';

export interface Crowd extends Scraped {
  readonly seed: number;
  /** Scrapes at once. */
  readonly storm: number;
  readonly stormEveryMs: number;
}

const crowd: Crowd = JSON.parse(process.argv[2] ?? '{}');
const { hostname, port, pathname } = new URL(crowd.url);
const random = seeded(crowd.seed);
const ownLag = measureOwnLag();

const FIRST_STORM_MS = 1_000;
const NUISANCE_MS = 200;
const HOLD_MS = 4_000;
const REQUEST = `GET ${pathname} HTTP/1.1\r\nHost: exporter\r\n\r\n`;

async function storm(): Promise<void> {
  const scrapes = Array.from({ length: crowd.storm }, () => scrapeOnce(crowd, false, ownLag));
  const answers: readonly Answer[] = await Promise.all(scrapes);
  say(process.stdout, answers);
}

function open(text: string, then: (socket: Socket) => void): void {
  const socket = connect(Number(port), hostname, () => {
    socket.write(text, () => then(socket));
  });
  socket.on('error', () => {});
}

const NUISANCES: ReadonlyArray<() => void> = [
  // Half-open: nothing comes, or half of a request.
  () => open('', (socket) => setTimeout(() => socket.destroy(), HOLD_MS)),
  () => open(REQUEST.slice(0, -2), (socket) => setTimeout(() => socket.destroy(), HOLD_MS)),
  // Cut in the middle of the request, orderly or not, or of the answer.
  () => open(REQUEST.slice(0, REQUEST.length * random()), (socket) => socket.end()),
  () => open(REQUEST.slice(0, REQUEST.length * random()), (socket) => socket.resetAndDestroy()),
  () => open(REQUEST, (socket) => socket.destroy()),
  () => open(REQUEST, (socket) => socket.once('data', () => socket.resetAndDestroy())),
  // Slow: asks three times, and reads nothing for long.
  () =>
    open(REQUEST.repeat(3), (socket) => {
      socket.pause();
      setTimeout(() => socket.resume().end(), HOLD_MS / 2);
      setTimeout(() => socket.destroy(), HOLD_MS);
    }),
];

let lastStorm = Promise.resolve();
const blow = () => {
  lastStorm = storm();
};
setInterval(() => NUISANCES[Math.floor(random() * NUISANCES.length)]?.(), NUISANCE_MS);
setTimeout(blow, FIRST_STORM_MS);
const storms = setInterval(blow, crowd.stormEveryMs);
hear(
  process.stdin,
  () => {},
  async () => {
    clearInterval(storms);
    // What it does to others can't be understood without it.
    await lastStorm;
    process.stdout.end(() => process.exit());
  },
);
