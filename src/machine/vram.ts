/** The memory of the machine's GPUs that Ollama counts as VRAM. */
import { amdVramBytes } from './amd.ts';
import type { Detect } from './auto.ts';
import type { Machine } from './machine.ts';
import { ramBytes } from './memory.ts';
import { createNvidiaSmi } from './nvidia.ts';

/**
 * The sum over all NVIDIA GPUs, or else over all AMD GPUs. (An AMD integrated GPU next to an NVIDIA card would only add
 * memory that Ollama does not use.) A GPU without dedicated memory counts only if there is no other, with the machine's
 * RAM.
 *
 * If nvidia-smi fails, this fails too: otherwise the memory of an AMD GPU would be taken for the NVIDIA card's.
 */
export function createVramDetection(machine: Machine): Detect {
  const queryNvidiaSmi = createNvidiaSmi(machine);
  return async () => {
    const { bytes, sharesRam, problems, none } = await queryNvidiaSmi();
    const problem = problems.length > 0 ? problems.join('; ') : undefined;
    const nvidia = bytes || (sharesRam ? ramBytes(machine.root) : 0);
    if (nvidia > 0) {
      return { bytes: nvidia, problem };
    }
    if (problem !== undefined) {
      throw new Error(`nvidia-smi reports ${problem}`);
    }
    const amd = amdVramBytes(machine.root);
    if (amd === 0) {
      throw new Error(`no GPU: ${none}, and there is no mem_info_vram_total under /sys/class/drm`);
    }
    return { bytes: amd, problem };
  };
}
