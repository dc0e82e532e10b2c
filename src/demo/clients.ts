/** Clients of the simulated Ollama, which send their requests through the exporter's proxy. */
import { Agent } from 'undici';
import { clientsOf, isEmbedding, promptOf } from './work.ts';
import type { Arrival } from './workload.ts';

/** One request in this many is for a model that is not installed. */
const MISTAKE_EVERY = 25;

/**
 * @param arrivals requests to send, with the time of each in Unix milliseconds
 * @returns stops the clients
 */
export function startClients(proxy: URL, arrivals: Generator<Arrival>): () => Promise<void> {
  const agent = new Agent();
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;

  const send = async (path: string, body: object): Promise<void> => {
    sent += 1;
    const named = sent % MISTAKE_EVERY === 0 ? { ...body, model: 'llama2:70b' } : body;
    try {
      const { origin } = proxy;
      const headers = { 'content-type': 'application/json' };
      const response = await agent.request({
        origin,
        path,
        method: 'POST',
        headers,
        body: JSON.stringify(named),
      });
      await response.body.text();
    } catch {
      // The demo is stopping, or the request failed, which the proxy counts.
    }
  };

  const sendAll = ({ model, durationMs }: Arrival) => {
    const { promptTokens, generatedTokens } = promptOf(model, durationMs);
    const content = 'word'.repeat(promptTokens);
    for (let client = 0; client < clientsOf(model, durationMs); client += 1) {
      void (isEmbedding(model)
        ? send('/api/embed', { model: model.name, input: content })
        : send('/api/chat', {
            model: model.name,
            messages: [{ role: 'user', content }],
            // Makes the length of the response known.
            options: { num_predict: generatedTokens },
          }));
    }
  };

  const waitForNext = () => {
    const { value, done } = arrivals.next();
    if (!done) {
      const wait = () => {
        sendAll(value);
        waitForNext();
      };
      timer = setTimeout(wait, value.atMs - Date.now()).unref();
    }
  };
  waitForNext();
  return async () => {
    clearTimeout(timer);
    await agent.destroy();
  };
}
