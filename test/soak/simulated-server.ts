/** The Ollama of the soak as the parent sees it: to be told, stopped, killed and started again, always on one port. */
import { once } from 'node:events';
import { hear, say } from './channel.ts';
import type { OllamaCommand, OllamaMessage } from './ollama.ts';
import type { OllamaFault } from './ollama-faults.ts';
import type { Child, Programs } from './processes.ts';

export interface Server {
  readonly port: number;
  /** Resolves when it does so; undefined is to behave. */
  readonly tell: (fault: OllamaFault | undefined, variant?: number) => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly restart: () => Promise<void>;
}

/** @param onOverlap called with what was read twice at a time */
export async function startServer(programs: Programs, onOverlap: (read: string) => void): Promise<Server> {
  const waiting = new Map<number, () => void>();
  let commands = 0;
  const start = async (port: number) => {
    const child = programs.run('ollama', String(port));
    const listening = new Promise<number>((resolve, reject) => {
      hear<OllamaMessage>(child.stdout, (message) => {
        if (message.kind === 'listening') {
          resolve(message.port);
        } else if (message.kind === 'done') {
          waiting.get(message.id)?.();
          waiting.delete(message.id);
        } else {
          onOverlap(message.read);
        }
      });
      child.once('error', reject);
    });
    return { child, port: await listening };
  };
  let running: { readonly child: Child; readonly port: number } = await start(0);
  const { port } = running;
  return {
    port,
    tell: async (fault, variant = 0) => {
      commands += 1;
      const id = commands;
      const done = new Promise<void>((resolve) => waiting.set(id, resolve));
      say<OllamaCommand>(running.child.stdin, { id, variant, ...(fault && { fault }) });
      await done;
    },
    signal: (signal) => running.child.kill(signal),
    restart: async () => {
      const { child } = running;
      if (child.exitCode === null && child.signalCode === null) {
        await once(child, 'exit');
      }
      running = await start(port);
    },
  };
}
