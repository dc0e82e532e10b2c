/** Parses CIDRs into address ranges, and lists those of the exporter's own machine and of cloud metadata services. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

export interface AddressRange {
  readonly contains: (address: string) => boolean;
}

export interface AllowedRange extends AddressRange {
  readonly isOneAddress: boolean;
}

export const NOT_A_RANGE = 'write a range as CIDR, such as 10.20.0.0/16, or give one address';

/**
 * @param text `10.20.0.0/16`, `fd00::/8`, or one address
 * @throws Error that states what was expected
 */
export function parseAddressRange(text: string): AllowedRange {
  const [, address = '', length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const bits = isIPv4(address) ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (isIP(address) === 0 || address.includes('%') || prefix > bits) {
    throw new Error(NOT_A_RANGE);
  }
  return { ...rangesOf([[address, prefix]]), isOneAddress: prefix === bits };
}

type Subnet = readonly [address: string, prefix: number];

/** IPv4-mapped IPv6 addresses (`::ffff:10.0.0.1`). */
const MAPPED = new BlockList();
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6');

/** Matched as the IPv4 address, and not by a range of IPv6 addresses such as `::/0`. */
function rangesOf(subnets: readonly Subnet[]): AddressRange {
  const [ipv4, ipv6] = [new BlockList(), new BlockList()];
  for (const [address, prefix] of subnets) {
    const isIPv4Range = isIPv4Address(address) && (isIPv4(address) || prefix >= 96);
    (isIPv4Range ? ipv4 : ipv6).addSubnet(address, prefix, familyOf(address));
  }
  return {
    contains: (address) => {
      const [unzoned = ''] = address.split('%');
      const list = isIPv4Address(unzoned) ? ipv4 : ipv6;
      return isIP(unzoned) > 0 && list.check(unzoned, familyOf(unzoned));
    },
  };
}

function isIPv4Address(address: string): boolean {
  return isIPv4(address) || (isIPv6(address) && MAPPED.check(address, 'ipv6'));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

const METADATA_IPV4: readonly Subnet[] = [
  ['169.254.169.254', 32], // most clouds
  ['169.254.170.2', 32], // AWS: credentials of containers
  ['169.254.170.23', 32], // AWS: credentials of pods
  ['169.254.0.23', 32], // Tencent Cloud
  ['169.254.42.42', 32], // Scaleway
  ['100.100.100.200', 32], // Alibaba Cloud
  ['168.63.129.16', 32], // Azure: host agent
  ['192.0.0.192', 32], // Oracle Cloud
];

const METADATA_IPV6: readonly Subnet[] = [
  ['fd00:ec2::', 32], // AWS, and its credentials of pods
  ['fd20:ce::254', 128], // Google Cloud
  ['fd00:c1::a9fe:a9fe', 128], // Oracle Cloud
  ['fd00:42::42', 128], // Scaleway
];

const LOCAL_IPV4: readonly Subnet[] = [
  ['0.0.0.0', 8], // "this host": Linux connects to loopback
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // RFC 3927, link-local
  ...METADATA_IPV4,
];

/** The same behind NAT64 (RFC 6052, and RFC 8215 for local use) and in SIIT (RFC 7915). */
function alsoEmbedded(subnets: readonly Subnet[]): readonly Subnet[] {
  const embedded = ['64:ff9b::', '64:ff9b:1::', '::ffff:0:'].flatMap((head) =>
    subnets.map(([address, prefix]) => [`${head}${address}`, 96 + prefix] as const),
  );
  return [...subnets, ...embedded];
}

/** Cloud metadata services, which serve credentials: only allowed by an entry for exactly this address. */
export const METADATA_ADDRESSES: AddressRange = rangesOf([...alsoEmbedded(METADATA_IPV4), ...METADATA_IPV6]);

/**
 * Others control the DNS of names that match a pattern, so these must not resolve to the exporter's own machine or to
 * cloud metadata services, unless a range allows it.
 */
export const LOCAL_ADDRESSES: AddressRange = rangesOf([
  ...alsoEmbedded(LOCAL_IPV4),
  ['::', 96], // `::`, `::1`, and the obsolete `::127.0.0.1`
  ['2001::', 32], // Teredo (RFC 4380) and …
  ['2002::', 16], // … 6to4, deprecated by RFC 7526: both embed IPv4 addresses
  ['64:ff9b:1::', 48], // RFC 8215: the network defines the position of the IPv4 address
  ['fe80::', 10],
  ['fec0::', 10], // site-local, deprecated by RFC 3879
  ...METADATA_IPV6,
]);
