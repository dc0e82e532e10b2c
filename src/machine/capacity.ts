/** The capacities from the options, as currently known: `auto` may take a while. */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import type { Capacity } from '../scrape/snapshot.ts';
import { type Auto, type Detect, startAuto } from './auto.ts';
import type { Machine } from './machine.ts';
import { detectMemoryBytes } from './memory.ts';
import { createVramDetection } from './vram.ts';

/** Bytes; `auto` detects it, which is correct only on Ollama's machine; undefined stays unknown. */
export interface CapacityOptions {
  readonly vramCapacity: number | 'auto' | undefined;
  readonly memoryCapacity: number | 'auto' | undefined;
}

export interface CapacityOfMachine {
  readonly now: () => Capacity;
  /** Adds the metric for whether `auto` has detected each capacity. */
  readonly registerMetrics: (registry: Registry) => void;
  /** Stops retrying. */
  readonly close: () => void;
}

/** Resolves after the first attempt of `auto`, even if it failed: no output of a driver is an error. */
export async function startCapacity(
  { vramCapacity, memoryCapacity }: CapacityOptions,
  machine: Machine,
  log: Logger,
): Promise<CapacityOfMachine> {
  const autos = new Map<string, Auto>();
  const start = async (resource: string, option: number | 'auto' | undefined, detect: Detect) => {
    if (option !== 'auto') {
      return () => option;
    }
    const auto = await startAuto(resource, detect, machine.retryMs, log);
    autos.set(resource, auto);
    return auto.bytes;
  };
  const vramBytes = await start('vram', vramCapacity, createVramDetection(machine));
  const memoryBytes = await start('memory', memoryCapacity, async () => ({
    bytes: detectMemoryBytes(machine.root),
    problem: undefined,
  }));
  return {
    now: () => ({ vramBytes: vramBytes(), memoryBytes: memoryBytes() }),
    registerMetrics: (registry) => registerDetected(registry, autos),
    close: () => {
      for (const auto of autos.values()) {
        auto.close();
      }
    },
  };
}

function registerDetected(registry: Registry, autos: ReadonlyMap<string, Auto>): void {
  if (autos.size === 0) {
    return;
  }
  new Gauge({
    name: 'ollama_exporter_capacity_detected',
    help: 'Whether the capacity of the machine was detected, for options set to auto.',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      for (const [resource, auto] of autos) {
        this.set({ resource }, Number(auto.bytes() !== undefined));
      }
    },
  });
}
