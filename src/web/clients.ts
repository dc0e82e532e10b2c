/** Identifies a client: its printable address, and the network that counts as one client. */
import ipaddr from 'ipaddr.js';

/** A mapped IPv4 address (`::ffff:10.0.0.1`) as IPv4. */
export function addressOf(remoteAddress: string | undefined): string {
  return remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
}

/** @returns the key of a client: an IPv4 address, or the /64 of an IPv6 address, because a client has all of it */
export function networkOf(remoteAddress: string | undefined): string {
  const [address = ''] = remoteAddress?.split('%') ?? [];
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray().slice(0, 8).join('.') : '';
}
