/** Who a client is: its address as people write it, and the network that is one client's. */
import ipaddr from 'ipaddr.js';

/** IPv4 as such, where a listener of both families has `::ffff:10.0.0.1`. */
export function addressOf(remoteAddress: string | undefined): string {
  return remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
}

/** @returns the key of a client: an IPv4 address, or the /64 of an IPv6 address, because a client has all of it */
export function networkOf(remoteAddress: string | undefined): string {
  const [address = ''] = remoteAddress?.split('%') ?? [];
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray().slice(0, 8).join('.') : '';
}
