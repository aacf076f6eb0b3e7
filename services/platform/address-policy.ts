import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const kinds = {
  'link-local, where clouds keep the keys of a machine': [
    ['169.254.0.0', 16, 'ipv4'],
    ['fe80::', 10, 'ipv6'],
    ['fd00:ec2::254', 128, 'ipv6'],
    ['fd20:ce::254', 128, 'ipv6'],
  ],
  'the address of no machine': [
    ['0.0.0.0', 8, 'ipv4'],
    ['::', 128, 'ipv6'],
    ['224.0.0.0', 3, 'ipv4'],
    ['ff00::', 8, 'ipv6'],
  ],
} as const;

const refused = Object.entries(kinds).map(([what, nets]) => {
  const list = new BlockList();
  for (const [net, prefix, family] of nets) list.addSubnet(net, prefix, family);
  return { what, list };
});
refused.push({ what: 'an IPv4 address of no public server within an IPv6 address', list: embedded() });

/** What NAT64 (64:ff9b::/96, RFC 6052) and 6to4 (2002::/16, RFC 3056) must not stand for. That of a public server is how networks without IPv4 reach it. */
function embedded(): BlockList {
  const list = new BlockList();
  const nets = [
    [[0, 0], 8],
    [[10, 0], 8],
    [[100, 64], 10],
    [[127, 0], 8],
    [[169, 254], 16],
    [[172, 16], 12],
    [[192, 168], 16],
    [[224, 0], 3],
  ] as const;
  for (const [[first, second], prefix] of nets) {
    const half = (first * 256 + second).toString(16);
    list.addSubnet(`64:ff9b::${half}:0`, 96 + prefix, 'ipv6');
    list.addSubnet(`2002:${half}::`, 16 + prefix, 'ipv6');
  }
  return list;
}

/**
 * What is wrong with the address of a server that a user names, for a message that begins with where it was named; null for one that may be called. Loopback and
 * private networks are where such servers are.
 */
export function refuseUrl(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return 'must be an http or https URL, such as http://localhost:8000/v1';
  }
  if (url.username + url.password !== '') return 'must not hold a user or a password';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment';
  return refuseAddress(url.hostname.replace(/^\[|\]$/g, ''));
}

/** The same for what a host name stands for; null for a name, which has to be looked up first. */
export function refuseAddress(address: string): string | null {
  const family = isIP(address);
  if (family === 0) return null;
  const found = refused.find(({ list }) => list.check(address, family === 4 ? 'ipv4' : 'ipv6'));
  return found === undefined ? null : `${address} is ${found.what}; name the address of the server itself`;
}

/** A host name that stands for an address which may not be called. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
}

/** `dns.lookup` for connections to servers that users name: a name that stands for an address which may not be called is an AddressRefusedError. */
export const lookupAllowed: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const found = typeof address === 'string' ? [address] : (address ?? []).map((each) => each.address);
    const refusal = found.map(refuseAddress).find((each) => each !== null);
    callback(error ?? (refusal == null ? null : new AddressRefusedError(`${hostname}: ${refusal}`)), address, family);
  });
};
