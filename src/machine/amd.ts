/** Adds up the memory of AMD GPUs, from the kernel driver's files: DRM (graphics) and KFD (compute). */
import { join } from 'node:path';
import { namesIn, readNumber, readProperties, readText, sum } from './files.ts';

const GIB = 1024 ** 3;

interface Card {
  /** https://docs.kernel.org/gpu/amdgpu/driver-misc.html#mem-info-vram-total, for an APU what the BIOS reserves. */
  readonly vramBytes: number;
  /** RAM that the GPU may use. */
  readonly gttBytes: number;
  /** Has a file that only discrete cards have. */
  readonly isBoard: boolean;
  /** `card1`, `renderD128` */
  readonly devices: readonly string[];
}

/**
 * The VRAM of all discrete cards. If there are none, the VRAM and GTT of the APU, both of which Ollama uses as VRAM.
 * (An APU next to a discrete card would add memory that Ollama does not use.)
 *
 * @returns bytes; 0 if there is no GPU
 */
export function amdVramBytes(root: string): number {
  const cards = readCards(root);
  const apus = new Set([...cards.filter(looksIntegrated), ...apusOfTopology(root, cards)]);
  const discrete = cards.filter((card) => !apus.has(card));
  return (
    sum(discrete.map(({ vramBytes }) => vramBytes)) ||
    sum([...apus].flatMap(({ vramBytes, gttBytes }) => [vramBytes, gttBytes]))
  );
}

function readCards(root: string): readonly Card[] {
  const drm = join(root, 'sys/class/drm');
  return namesIn(drm)
    .filter((name) => /^card\d+$/.test(name))
    .map((card) => {
      const device = join(drm, card, 'device');
      return {
        vramBytes: sum([readNumber(join(device, 'mem_info_vram_total'))]),
        gttBytes: sum([readNumber(join(device, 'mem_info_gtt_total'))]),
        isBoard: ['board_info', 'mem_info_vram_vendor'].some((file) =>
          /^(?!unknown$)./.test(readText(join(device, file)).trim()),
        ),
        devices: namesIn(join(device, 'drm')),
      };
    })
    .filter(({ vramBytes, gttBytes }) => vramBytes + gttBytes > 0);
}

/** Similar to Ollama (discover/amd.go): older kernels do not expose it in KFD, and a sandbox may hide KFD. */
function looksIntegrated({ vramBytes, gttBytes, isBoard }: Card): boolean {
  return !isBoard && vramBytes <= 4 * GIB && gttBytes >= 4 * vramBytes;
}

interface Node {
  readonly hasCpuAndGpu: boolean;
  /** Memory that a program can allocate as VRAM; bytes. */
  readonly vramBytes: number;
  readonly device: string;
}

/**
 * An APU is a node with both CPU and GPU. Newer kernels have separate nodes for them, as for a processor and a card;
 * the node of the GPU then has more memory than its card, since Linux 6.10 takes it from the GTT if that is larger.
 */
function apusOfTopology(root: string, cards: readonly Card[]): readonly Card[] {
  return readNodes(root).flatMap(({ hasCpuAndGpu, vramBytes, device }) => {
    const own = cards.filter(({ devices }) => devices.includes(device));
    const candidates = own.length > 0 ? own : cards;
    return hasCpuAndGpu || candidates.every((card) => vramBytes > card.vramBytes)
      ? candidates.toSorted((a, b) => a.vramBytes - b.vramBytes).slice(0, 1)
      : [];
  });
}

/** HSA_MEM_HEAP_TYPE_FB_PUBLIC of the kernel; without resizable BAR, it is private. */
const FRAME_BUFFER = 1;

function readNodes(root: string): readonly Node[] {
  const folder = join(root, 'sys/class/kfd/kfd/topology/nodes');
  return namesIn(folder).map((name) => {
    const properties = readProperties(join(folder, name, 'properties'));
    const banks = namesIn(join(folder, name, 'mem_banks')).map((bank) =>
      readProperties(join(folder, name, 'mem_banks', bank, 'properties')),
    );
    const frameBuffers = banks.filter((bank) => bank.get('heap_type') === FRAME_BUFFER);
    return {
      hasCpuAndGpu: ['cpu_cores_count', 'simd_count'].every((count) => (properties.get(count) ?? 0) > 0),
      vramBytes: sum(frameBuffers.map((bank) => bank.get('size_in_bytes') ?? 0)),
      device: `renderD${properties.get('drm_render_minor')}`,
    };
  });
}
