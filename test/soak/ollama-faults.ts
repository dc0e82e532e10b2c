/** What the Ollama of the soak does instead of answering. */
import type { ServerResponse } from 'node:http';

export type OllamaFault = 'hanging' | 'dripping' | 'resetting' | 'garbage' | 'huge' | 'clock';

/** Over the exporter's limit of 16 MiB, and good JSON. */
const HUGE = Buffer.concat([
  Buffer.from('{"models":['),
  Buffer.alloc(17 * 1024 ** 2, ' '),
  Buffer.from(']}'),
]);

const DRIP_MS = 50;

/** Each is what some server says, or something like a server. */
const GARBAGE: ReadonlyArray<(response: ServerResponse) => void> = [
  (response) => response.end('<html>not found</html>'),
  (response) => response.end('{"models":[{"name":"x","size":'),
  (response) => response.end('{"models":{"name":7},"version":[]}'),
  (response) => response.writeHead(500).end('{"error":"out of memory"}'),
  (response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'),
  (response) => response.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"models":['),
];

export interface Behaviour {
  /** @param body what it would have answered */
  readonly answer: (response: ServerResponse, body: () => string) => void;
  /** Ends the fault: who waits is answered. */
  readonly end: () => void;
}

/** @param variant any number: which one of several kinds */
export function misbehave(fault: OllamaFault, variant: number): Behaviour {
  const pending = new Set<() => void>();
  const answerPending = () => {
    for (const finish of pending) {
      finish();
    }
  };
  const answers: Readonly<Record<OllamaFault, Behaviour['answer']>> = {
    hanging: (response, body) => pending.add(() => response.end(body())),
    dripping: (response, body) => {
      const text = body();
      let sent = 0;
      const timer = setInterval(() => response.write(text.charAt(sent++) || ' '), DRIP_MS);
      response.on('close', () => clearInterval(timer));
      pending.add(() => {
        clearInterval(timer);
        response.end(text.slice(sent));
      });
    },
    resetting: (response) => response.socket?.resetAndDestroy(),
    garbage: (response) => GARBAGE[variant % GARBAGE.length]?.(response),
    huge: (response) => response.end(HUGE),
    clock: (response, body) => response.end(body()),
  };
  return { answer: answers[fault], end: answerPending };
}
