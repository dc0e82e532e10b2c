/** The faults: how each begins and ends, and whom it befalls. */
import { connect, type Socket } from 'node:net';
import { EXPORTERS, type Exporter, type ExporterName, NARROW_FDS } from './exporters.ts';
import type { OllamaFault } from './ollama-faults.ts';
import type { Server } from './simulated-server.ts';

export interface Fault {
  /** The exporters whose answers it may change. */
  readonly befalls: readonly ExporterName[];
  /** How long it takes, if not up to chance. */
  readonly seconds?: number;
  /** @param variant any number: which one of several kinds */
  readonly begin: (variant: number) => Promise<void>;
  /** Resolves when all is well again. */
  readonly end: () => Promise<void>;
}

export type Faults = Readonly<Record<string, Fault>>;

export function createFaults(server: Server, exporters: ReadonlyMap<ExporterName, Exporter>): Faults {
  const misbehaving = (fault: OllamaFault): Fault => ({
    befalls: EXPORTERS,
    begin: (variant) => server.tell(fault, variant),
    end: () => server.tell(undefined),
  });
  return {
    killed: {
      befalls: EXPORTERS,
      begin: async () => server.signal('SIGKILL'),
      end: server.restart,
    },
    stopped: {
      befalls: EXPORTERS,
      seconds: 5,
      begin: async () => server.signal('SIGSTOP'),
      end: async () => {
        server.signal('SIGCONT');
        await server.tell(undefined);
      },
    },
    hanging: misbehaving('hanging'),
    dripping: misbehaving('dripping'),
    resetting: misbehaving('resetting'),
    garbage: misbehaving('garbage'),
    huge: misbehaving('huge'),
    clock: misbehaving('clock'),
    'exporter stopped': {
      befalls: ['main'],
      seconds: 1,
      begin: async () => void exporters.get('main')?.child.kill('SIGSTOP'),
      end: async () => void exporters.get('main')?.child.kill('SIGCONT'),
    },
    'own clock': {
      befalls: ['main'],
      seconds: 1,
      begin: async () => void exporters.get('main')?.child.kill('SIGIO'),
      end: async () => void exporters.get('main')?.child.kill('SIGIO'),
    },
    'no file descriptors': crowding(exporters.get('narrow')),
    'log reader gone': {
      befalls: [],
      seconds: 0,
      begin: async () => void exporters.get('cut')?.child.stderr?.destroy(),
      end: async () => {},
    },
  };
}

function crowding(exporter: Exporter | undefined): Fault {
  let sockets: readonly Socket[] = [];
  return {
    befalls: ['narrow'],
    begin: async () => {
      const { port, hostname } = exporter?.url ?? new URL('http://127.0.0.1:1');
      sockets = Array.from({ length: NARROW_FDS * 2 }, () =>
        connect(Number(port), hostname).on('error', () => {}),
      );
    },
    end: async () => {
      await Promise.all(
        sockets.map(
          (socket) => socket.destroyed || new Promise((resolve) => socket.once('close', resolve).destroy()),
        ),
      );
    },
  };
}
