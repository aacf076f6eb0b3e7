import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readKmsg } from './kernel-log.ts';
import { readKernelLog } from './read-kernel-log.ts';
import { recorded } from './recorded.fixture.ts';

describe('the kernel log', () => {
  it('gives the Xid errors of each GPU, counted and with the newest words', () => {
    const xids = readKernelLog(recorded('h100-5-broken', 'kmsg.txt'));
    expect([...xids.keys()]).toEqual(['0000:1b:00', '0000:43:00', '0000:52:00', '0000:61:00', '0000:9d:00']);
    expect(xids.get('0000:43:00')).toEqual([
      { code: 63, times: 1, last: expect.stringContaining('marked for remapping') },
      { code: 94, times: 2, last: 'pid=41394, name=python3, Ch 00000009' },
    ]);
  });

  it('is read in the form of dmesg too', () => {
    const line = '[ 1399.140323] NVRM: Xid (PCI:00000000:01:00.0): 32, Channel ID 00000009';
    expect(readKernelLog(line)).toEqual(
      new Map([['0000:01:00', [{ code: 32, times: 1, last: 'Channel ID 00000009' }]]]),
    );
  });

  it('cannot be read where there is none, which is no error', async () => {
    expect(await readKmsg('/nonexistent/kmsg')).toBeNull();
  });

  it('is read to its present end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-kmsg-'));
    const text = recorded('h100-5-broken', 'kmsg.txt').repeat(20);
    writeFileSync(join(directory, 'kmsg'), text);
    expect(await readKmsg(join(directory, 'kmsg'))).toBe(text);
    rmSync(directory, { recursive: true });
  });

  it('of this machine does not keep the reader waiting', async () => {
    const text = await readKmsg('/dev/kmsg');
    expect(text === null || typeof text === 'string').toBe(true);
  });
});
