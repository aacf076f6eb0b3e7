import type { Xid } from '../../contracts/gpu.ts';
import { oneLine } from './one-line.ts';
import { pciAddress } from './pci-address.ts';

const XID = /NVRM: Xid \(PCI:([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-9a-f])?)\): (\d{1,5})(?:, ([^\n]*))?/i;
const LONGEST = 300;

/** The Xid errors of each GPU in a kernel log, by PCI address and in the order of their codes. Takes records of `/dev/kmsg` and lines of `dmesg`. */
export function readKernelLog(text: string): Map<string, Xid[]> {
  const found = new Map<string, Map<number, Xid>>();
  for (const line of text.split('\n')) {
    const [, place = '', number, words = ''] = XID.exec(line) ?? [];
    const address = pciAddress(place);
    if (address === null) continue;
    const code = Number(number);
    const ofGpu = found.get(address) ?? new Map<number, Xid>();
    found.set(address, ofGpu);
    const last = oneLine(words, LONGEST);
    ofGpu.set(code, { code, times: (ofGpu.get(code)?.times ?? 0) + 1, last });
  }
  return new Map([...found].map(([address, xids]) => [address, [...xids.values()].sort((a, b) => a.code - b.code)]));
}
