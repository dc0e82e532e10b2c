/** Turns ways to write an IP address into one that can be compared. */
import { isIPv4, isIPv6 } from 'node:net';

/** @returns undefined where the text is no address; an IPv4 address that is mapped into IPv6 as IPv4, as in Go */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) {
    return text;
  }
  const groups = ipv6Groups(text);
  if (groups === undefined) {
    return undefined;
  }
  const [high = 0, low = 0] = groups.slice(6);
  return isMapped(groups)
    ? [high >> 8, high & 255, low >> 8, low & 255].join('.')
    : groups.map((group) => group.toString(16)).join(':');
}

/** @returns what stands for one client: an IPv4 address, or the /64 of an IPv6 one, since a client has all of it */
export function clientOf(remoteAddress: string | undefined): string {
  const address = canonicalIp(remoteAddress ?? '') ?? '';
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address;
}

function ipv6Groups(text: string): readonly number[] | undefined {
  const [address = ''] = text.split('%');
  if (!isIPv6(address)) {
    return undefined;
  }
  // The URL parser writes it in its shortest form, without dots.
  const [before = '', after = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const head = hexGroups(before);
  const tail = hexGroups(after);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function hexGroups(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function isMapped(groups: readonly number[]): boolean {
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
}
