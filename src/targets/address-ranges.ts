/** Turns CIDRs into ranges of addresses, and knows those that lie within the exporter's own machine or cloud. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

export interface AddressRange {
  readonly contains: (address: string) => boolean;
}

const NOT_A_RANGE = 'expected a range of addresses such as 10.20.0.0/16, or one address';

/**
 * @param text `10.20.0.0/16`, `fd00::/8`, or one address
 * @throws Error that says what was expected
 */
export function parseAddressRange(text: string): AddressRange {
  const [, address = '', length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const bits = isIPv4(address) ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (isIP(address) === 0 || address.includes('%') || prefix > bits) {
    throw new Error(NOT_A_RANGE);
  }
  return rangesOf([[address, prefix]]);
}

/** An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) lies where the IPv4 address does. */
function rangesOf(subnets: ReadonlyArray<readonly [address: string, prefix: number]>): AddressRange {
  const list = new BlockList();
  for (const [address, prefix] of subnets) {
    list.addSubnet(address, prefix, familyOf(address));
  }
  return {
    contains: (address) => {
      const [unzoned = ''] = address.split('%');
      return isIP(unzoned) > 0 && list.check(unzoned, familyOf(unzoned));
    },
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

const LOCAL_IPV4 = [
  ['0.0.0.0', 8], // "this host": Linux connects to loopback
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // RFC 3927, link-local: metadata of most clouds
  ['100.100.100.200', 32], // metadata of Alibaba Cloud
  ['168.63.129.16', 32], // Azure's agent of the host
  ['192.0.0.192', 32], // metadata of Oracle Cloud
] as const;

/** The same behind a NAT64 (RFC 6052, and RFC 8215 for local use) and in SIIT (RFC 7915). */
const EMBEDDING_IPV4 = ['64:ff9b::', '64:ff9b:1::', '::ffff:0:'];

/**
 * Where a name that a stranger's DNS answers must not lead, unless a range says so: to the exporter's own machine,
 * and to what a cloud tells its machines only.
 */
export const LOCAL_ADDRESSES: AddressRange = rangesOf([
  ...LOCAL_IPV4,
  ...EMBEDDING_IPV4.flatMap((head) =>
    LOCAL_IPV4.map(([address, prefix]) => [`${head}${address}`, 96 + prefix] as const),
  ),
  ['::', 96], // `::`, `::1`, and the obsolete `::127.0.0.1`
  ['2002::', 16], // 6to4, given up by RFC 7526: IPv4 addresses in disguise
  ['fe80::', 10],
  ['fd00:ec2::', 32], // metadata, and credentials of pods, of AWS
  ['fd20:ce::254', 128], // metadata of Google Cloud
  ['fd00:c1::a9fe:a9fe', 128], // metadata of Oracle Cloud
  ['fd00:42::42', 128], // metadata of Scaleway
]);
