/** Parses `--web.listen-address`. */

export interface ListenAddress {
  /** undefined: every address of the machine, IPv4 and IPv6. */
  readonly host: string | undefined;
  /** 0 lets the system choose a free port. */
  readonly port: number;
  /** As written. */
  readonly text: string;
}

const ADDRESS = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[^:[\]\s]*)):(?<port>\d{1,5})$/;

/** @throws Error that states what was expected */
export function parseListenAddresses(text: string): readonly ListenAddress[] {
  return text.split(',').map((part) => parseListenAddress(part.trim()));
}

function parseListenAddress(text: string): ListenAddress {
  const { v6, name, port } = ADDRESS.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > 65535) {
    throw new Error('expected an address such as :10434, 127.0.0.1:10434 or [::1]:10434');
  }
  return { host: v6 ?? (name || undefined), port: Number(port), text };
}
