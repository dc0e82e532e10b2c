/** Parses the files of /proc: proc(5). Pure; undefined for an unexpected text. */

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** The name of the program, cut at 15 bytes. */
  readonly comm: string;
  /** `Z` is a zombie. */
  readonly state: string;
  /** Ticks since boot. Together with the pid, which can be reused, identifies the process. */
  readonly startTicks: number;
  /** Current RAM, including shared pages. */
  readonly residentPages: number;
}

/** A process can choose its name, with parentheses and spaces: it ends at the last parenthesis. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const [state = ''] = fields;
  const stat = {
    pid: Number.parseInt(text, 10),
    parent: Number(fields[1]),
    comm: text.slice(open + 1, close),
    state,
    // Field 22, counted from 1; the state is the third.
    startTicks: Number(fields[19]),
    residentPages: Number(fields[21]),
  };
  const numbers = [stat.pid, stat.parent, stat.startTicks, stat.residentPages];
  return open > 0 && close > open && numbers.every(Number.isSafeInteger) ? stat : undefined;
}

/** @param text `/proc/PID/status` @returns the effective user id */
export function parseUid(text: string): number | undefined {
  const [, uid] = /^Uid:\t\d+\t(\d+)/m.exec(text) ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** AT_PAGESZ of getauxval(3). */
const PAGE_SIZE = 6n;

/** @param vector `/proc/self/auxv` of a 64-bit machine @returns bytes of a page */
export function parsePageSize(vector: Buffer): number | undefined {
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readBigUInt64LE(offset) === PAGE_SIZE) {
      return Number(vector.readBigUInt64LE(offset + 8));
    }
  }
  return undefined;
}

/** A listening TCP socket. */
export interface ListeningSocket {
  /** In the format of {@link addressKey}. */
  readonly address: string;
  readonly port: number;
  /** The user that opened it. */
  readonly uid: number;
  readonly inode: number;
}

const LISTEN = '0A';

/** @param text `/proc/net/tcp` or `tcp6` */
export function parseSockets(text: string): readonly ListeningSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , uid, , inode] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    return state === LISTEN && /^([0-9A-F]{8}|[0-9A-F]{32})$/.test(address)
      ? [{ address: keyOf(address), port: Number.parseInt(port, 16), uid: Number(uid), inode: Number(inode) }]
      : [];
  });
}

/** An IPv4-mapped IPv6 address. */
const MAPPED = '00000000000000000000ffff';

/** The kernel prints words of 4 bytes as numbers; all platforms of Ollama are little-endian. */
function keyOf(words: string): string {
  const bytes = words.replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1').toLowerCase();
  return bytes.startsWith(MAPPED) ? bytes.slice(MAPPED.length) : bytes;
}

/** Bytes of an address → 8 or 32 hexadecimal digits, as in {@link ListeningSocket}. */
export function addressKey(bytes: readonly number[]): string {
  const key = Buffer.from(bytes).toString('hex');
  return key.startsWith(MAPPED) ? key.slice(MAPPED.length) : key;
}

/** The id that a user namespace shows for every unmapped id. */
const OVERFLOW_UID = 65_534;

/** @param uidMap `/proc/self/uid_map`: first id here, first id outside, number of ids */
export function isRealUid(uid: number, uidMap: string): boolean {
  return (
    uid !== OVERFLOW_UID ||
    uidMap.split('\n').some((line) => {
      const [first = Number.NaN, , count = Number.NaN] = line.trim().split(/\s+/).map(Number);
      return first <= uid && uid < first + count;
    })
  );
}
