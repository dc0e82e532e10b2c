/** Stores the last result of each target scraped by /probe, for the table of the fleet. */
import { isUp, outcomes, type Snapshot } from '../scrape/snapshot.ts';

/** Per target and module; beyond it, the one probed longest ago is dropped. */
const MAX_TARGETS = 10_000;

const REMEMBERED_MS = 10 * 60_000;

/** Clients choose the path of a target: 10,000 long ones would fill the memory, and each text made from them. */
const MAX_TARGET_LENGTH = 256;

/** A longer list is built once a second: ten thousand rows take a tenth of a second. */
const FEW_ROWS = 100;
const LISTED_MS = 1_000;

/** The JSON of the response; sizes in bytes, null if unknown. */
export interface FleetRow {
  readonly target: string;
  readonly module: string;
  /** As in `Status`. */
  readonly state: 'up' | 'partial' | 'down';
  /** The reason of the first failed request. */
  readonly reason: string | null;
  readonly version: string | null;
  readonly loaded_models: number | null;
  /** Of all models; null if unknown for one of them. */
  readonly size_vram: number | null;
  readonly vram_capacity: number | null;
  /** `size_vram` divided by `vram_capacity`. */
  readonly vram_share: number | null;
  /** Models that are partly in RAM. */
  readonly spilled_models: number | null;
  /** RFC 3339, by the clock of the exporter. */
  readonly probed_at: string;
  readonly age_seconds: number;
}

/** One small object per target; the rest is derived from it. */
interface Remembered extends Omit<FleetRow, 'vram_share' | 'probed_at' | 'age_seconds'> {
  readonly probedAtMs: number;
}

export interface Fleet {
  readonly remember: (target: URL, module: string, snapshot: Snapshot) => void;
  /** Targets probed in the last ten minutes, oldest first; a long list is the same for a second. */
  readonly rows: () => readonly FleetRow[];
}

/** @param now Unix milliseconds */
export function createFleet(now: () => number = Date.now): Fleet {
  /** Oldest first. */
  const targets = new Map<string, Remembered>();
  let listed: { readonly atMs: number; readonly rows: readonly FleetRow[] } = { atMs: 0, rows: [] };
  const dropOld = () => {
    for (const [key, { probedAtMs }] of targets) {
      if (targets.size <= MAX_TARGETS && now() - probedAtMs <= REMEMBERED_MS) {
        return;
      }
      targets.delete(key);
    }
  };
  return {
    remember: ({ href }, module, snapshot) => {
      if (href.length > MAX_TARGET_LENGTH) {
        return;
      }
      const key = `${module} ${href}`;
      targets.delete(key);
      targets.set(key, { target: href, module, ...resultOf(snapshot), probedAtMs: now() });
      dropOld();
    },
    rows: () => {
      const nowMs = now();
      const ageMs = nowMs - listed.atMs;
      if (listed.rows.length <= FEW_ROWS || ageMs < 0 || ageMs >= LISTED_MS) {
        dropOld();
        listed = { atMs: nowMs, rows: [...targets.values()].map((row) => rowOf(row, nowMs)) };
      }
      return listed.rows;
    },
  };
}

function rowOf({ probedAtMs, ...row }: Remembered, nowMs: number): FleetRow {
  return {
    ...row,
    vram_share: shareOf(row),
    probed_at: new Date(probedAtMs).toISOString(),
    age_seconds: Math.max(nowMs - probedAtMs, 0) / 1_000,
  };
}

function resultOf(snapshot: Snapshot): Omit<Remembered, 'target' | 'module' | 'probedAtMs'> {
  const { capacity, ps, version } = snapshot;
  const failed = outcomes(snapshot).flatMap(([, outcome]) => (outcome.ok ? [] : [outcome.error]));
  const models = ps?.ok ? ps.value.models : [];
  const sizes = models.map(({ sizeVramBytes }) => sizeVramBytes);
  const spilled = models.filter(
    ({ sizeBytes, sizeVramBytes = 0 }) => sizeVramBytes > 0 && sizeVramBytes < sizeBytes,
  );
  return {
    state: isUp(snapshot) ? (failed.length === 0 ? 'up' : 'partial') : 'down',
    reason: failed[0]?.reason ?? null,
    version: version?.ok ? version.value : null,
    loaded_models: ps?.ok ? ps.value.rows : null,
    size_vram: ps?.ok ? totalIfKnown(sizes) : null,
    vram_capacity: capacity.vramBytes ?? null,
    spilled_models: ps?.ok ? spilled.length : null,
  };
}

function shareOf({
  size_vram,
  vram_capacity,
}: Pick<Remembered, 'size_vram' | 'vram_capacity'>): number | null {
  return size_vram === null || vram_capacity === null ? null : size_vram / vram_capacity;
}

function totalIfKnown(sizes: ReadonlyArray<number | undefined>): number | null {
  return sizes.reduce<number | null>(
    (sum, size) => (sum === null || size === undefined ? null : sum + size),
    0,
  );
}
