import { beforeEach, describe, expect, test } from 'vitest';
import { amdVramBytes } from '../../src/machine/amd.ts';
import { createFakeHost, type FakeHost, GIB, MIB } from '../fake-host.ts';

let machine: FakeHost;

beforeEach(() => {
  machine = createFakeHost();
});

const vramBytes = () => amdVramBytes(machine.root);

interface CardFiles {
  readonly vram?: number;
  readonly gtt?: number;
  readonly renderNode?: number;
  readonly vendor?: string;
  readonly board?: boolean;
}

function addCard(card: number, { vram, gtt, renderNode, vendor, board }: CardFiles): void {
  const files = {
    mem_info_vram_total: vram,
    mem_info_gtt_total: gtt,
    mem_info_vram_vendor: vendor,
    board_info: board ? 'type : cem' : undefined,
    [`drm/renderD${renderNode}/dev`]: renderNode && `226:${renderNode}`,
  };
  for (const [file, content] of Object.entries(files)) {
    if (content !== undefined) {
      machine.write(`sys/class/drm/card${card}/device/${file}`, `${content}\n`);
    }
  }
}

type Properties = Readonly<Record<string, number>>;

function addNode(number: number, properties: Properties, banks: readonly Properties[] = []): void {
  const folder = `sys/class/kfd/kfd/topology/nodes/${number}`;
  for (const [index, bank] of banks.entries()) {
    machine.write(`${folder}/mem_banks/${index}/properties`, lines(bank));
  }
  machine.write(`${folder}/properties`, lines(properties));
}

function lines(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

const CPU = { cpu_cores_count: 32, simd_count: 0, drm_render_minor: 0 };
const RAM = [{ heap_type: 0, size_in_bytes: 125 * GIB, flags: 0 }];

function gpu(drm_render_minor: number): Properties {
  return { cpu_cores_count: 0, simd_count: 80, vendor_id: 4098, drm_render_minor };
}

function frameBuffer(size_in_bytes: number, heap_type = 1): readonly Properties[] {
  return [{ heap_type, size_in_bytes, flags: 0, width: 256, mem_clk_max: 1_000 }];
}

test('VRAM is 0 without an AMD card', () => {
  addNode(0, CPU, RAM);
  expect(vramBytes()).toBe(0);
  machine.write('sys/class/drm/card2/device/vendor', '0x8086\n');
  machine.write('sys/class/drm/version', 'drm 1.1.0\n');
  expect(vramBytes()).toBe(0);
});

describe('discrete cards', () => {
  test('are added up, each once', () => {
    addCard(0, { vram: 16 * GIB });
    addCard(1, { vram: 8 * GIB });
    machine.write('sys/class/drm/card0-HDMI-A-1/device/mem_info_vram_total', `${16 * GIB}\n`);
    expect(vramBytes()).toBe(24 * GIB);
  });

  test.each([
    ['with resizable BAR', frameBuffer(8 * GIB)],
    ['without resizable BAR', frameBuffer(8 * GIB, 2)],
    ['with unreadable memory banks', []],
  ])('are counted without GTT, which is spill memory: %s', (_, banks) => {
    addCard(1, { vram: 8 * GIB, gtt: 62 * GIB, renderNode: 128, vendor: 'samsung', board: true });
    addNode(0, CPU, RAM);
    addNode(1, gpu(128), banks);
    expect(vramBytes()).toBe(8 * GIB);
  });

  test.each([8 * GIB, 24 * GIB])('are counted without GTT if KFD does not list them: %d', (vram) => {
    addCard(0, { vram, gtt: 62 * GIB });
    expect(vramBytes()).toBe(vram);
  });

  test("are all counted if KFD nodes can't be mapped to cards", () => {
    addCard(0, { vram: 8 * GIB, gtt: 62 * GIB });
    addCard(1, { vram: 24 * GIB, gtt: 62 * GIB });
    addNode(1, gpu(128), frameBuffer(8 * GIB));
    addNode(2, gpu(129), frameBuffer(24 * GIB));
    expect(vramBytes()).toBe(32 * GIB);
  });

  test.each([{ vendor: 'hynix' }, { board: true }])(
    'are distinguished from an APU by vendor or board information, even if small: %j',
    (files) => {
      addCard(0, { vram: 2 * GIB, gtt: 31 * GIB, ...files });
      expect(vramBytes()).toBe(2 * GIB);
    },
  );

  test('are counted as a whole if partitioned', () => {
    addCard(0, { vram: 192 * GIB, gtt: 500 * GIB, renderNode: 128 });
    addNode(0, CPU, RAM);
    addNode(1, gpu(128), frameBuffer(24 * GIB));
    addNode(2, gpu(129), frameBuffer(24 * GIB));
    expect(vramBytes()).toBe(192 * GIB);
  });
});

describe('an APU counts the BIOS carve-out and GTT', () => {
  test('if APU and CPU are one node', () => {
    addCard(0, { vram: 16 * GIB, gtt: 24 * GIB, renderNode: 128 });
    addNode(0, { cpu_cores_count: 8, simd_count: 44, drm_render_minor: 128 }, RAM);
    expect(vramBytes()).toBe(40 * GIB);
  });

  test('if the carve-out is larger than GTT', () => {
    addCard(0, { vram: 96 * GIB, gtt: 16 * GIB });
    addNode(0, { cpu_cores_count: 8, simd_count: 44 });
    expect(vramBytes()).toBe(112 * GIB);
  });

  test('if it has its own node with more memory than the carve-out', () => {
    addCard(1, { vram: 8 * GIB, gtt: 124 * GIB, renderNode: 128 });
    addNode(0, CPU, RAM);
    addNode(1, gpu(128), frameBuffer(124 * GIB));
    expect(vramBytes()).toBe(132 * GIB);
  });

  test("if the node can't be mapped, but there is only one card", () => {
    addCard(1, { vram: 8 * GIB, gtt: 120 * GIB });
    machine.write(
      'sys/class/kfd/kfd/topology/nodes/1/mem_banks/0/properties',
      lines({ heap_type: 1, size_in_bytes: 120 * GIB }),
    );
    expect(vramBytes()).toBe(128 * GIB);
  });

  test('if there is no carve-out', () => {
    addCard(1, { gtt: 120 * GIB, renderNode: 128 });
    addNode(1, gpu(128), frameBuffer(120 * GIB));
    expect(vramBytes()).toBe(120 * GIB);
  });

  test.each([{}, { vendor: 'unknown' }])(
    'if KFD is unreadable or lists only the carve-out, and the card is small and has no board: %j',
    (files) => {
      addCard(0, { vram: 512 * MIB, gtt: 15 * GIB, renderNode: 128, ...files });
      expect(vramBytes()).toBe(15.5 * GIB);
      addNode(0, CPU, RAM);
      addNode(1, gpu(128), frameBuffer(512 * MIB));
      expect(vramBytes()).toBe(15.5 * GIB);
    },
  );
});

describe('an APU next to a discrete card is ignored', () => {
  const DISCRETE = { vram: 16 * GIB, gtt: 31 * GIB, renderNode: 128, vendor: 'samsung', board: true };

  test('if it has its own node', () => {
    addCard(0, DISCRETE);
    addCard(1, { vram: 8 * GIB, gtt: 31 * GIB, renderNode: 129 });
    addNode(0, CPU, RAM);
    addNode(1, gpu(128), frameBuffer(16 * GIB));
    addNode(2, gpu(129), frameBuffer(31 * GIB));
    expect(vramBytes()).toBe(16 * GIB);
  });

  test('if its carve-out is larger than the card', () => {
    addCard(0, DISCRETE);
    addCard(1, { vram: 32 * GIB, gtt: 90 * GIB, renderNode: 129 });
    addNode(0, CPU, RAM);
    addNode(1, gpu(128), frameBuffer(16 * GIB));
    addNode(2, gpu(129), frameBuffer(90 * GIB));
    expect(vramBytes()).toBe(16 * GIB);
  });

  test('if APU and CPU are one node', () => {
    addCard(0, { vram: 2 * GIB, gtt: 31 * GIB, renderNode: 129 });
    addCard(1, DISCRETE);
    addNode(0, { cpu_cores_count: 8, simd_count: 44, drm_render_minor: 129 }, RAM);
    addNode(1, gpu(128), frameBuffer(16 * GIB));
    expect(vramBytes()).toBe(16 * GIB);
  });

  test("as the smallest card, if its node can't be mapped", () => {
    addCard(0, { vram: 8 * GIB, gtt: 31 * GIB });
    addCard(1, { vram: 16 * GIB, gtt: 31 * GIB });
    addCard(2, { vram: 24 * GIB, gtt: 31 * GIB });
    addNode(0, { cpu_cores_count: 8, simd_count: 44 });
    expect(vramBytes()).toBe(40 * GIB);
  });

  test('if KFD lists nothing', () => {
    addCard(0, DISCRETE);
    addCard(1, { vram: 512 * MIB, gtt: 31 * GIB, renderNode: 129 });
    expect(vramBytes()).toBe(16 * GIB);
  });
});

test('files that contain no number are ignored', () => {
  addCard(0, { vram: 16 * GIB });
  machine.write('sys/class/drm/card1/device/mem_info_vram_total', 'broken\n');
  machine.write('sys/class/drm/card2/device/mem_info_vram_total', '');
  machine.write('sys/class/kfd/kfd/topology/nodes/0/properties', 'simd_count many\ncpu_cores_count\n\0');
  machine.write('sys/class/kfd/kfd/topology/nodes/1/mem_banks', 'a file');
  expect(vramBytes()).toBe(16 * GIB);
});
