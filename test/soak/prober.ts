/** A process of its own: scrapes at a steady rate, and measures. Argument: what to scrape, as JSON. */
import { Agent } from 'node:http';
import { hear, say } from './channel.ts';
import { measureOwnLag } from './lag.ts';
import { type Scraped, scrapeOnce } from './scrape.ts';

export interface Probed extends Scraped {
  readonly everyMs: number;
}

const probed: readonly Probed[] = JSON.parse(process.argv[2] ?? '[]');
const ownLag = measureOwnLag();

for (const target of probed) {
  // As Prometheus, which keeps its connections.
  const agent = new Agent({ keepAlive: true });
  setInterval(async () => say(process.stdout, await scrapeOnce(target, agent, ownLag)), target.everyMs);
}
hear(
  process.stdin,
  () => {},
  () => process.exit(),
);
