import { describe, expect, it } from 'vitest';
import { frame, maskedCrc32c, unframe } from './tf-record.ts';

describe('TFRecord framing', () => {
  it('has the checksum that TensorFlow computes', () => {
    expect(maskedCrc32c(Buffer.from('123456789'))).toBe(0xc78ab0e5);
  });

  it('gives back what was framed, and where each record ends', () => {
    const parts = ['first', '', 'third'].map((text) => frame(Buffer.from(text)));
    const { records, end } = unframe(Buffer.concat(parts));
    expect(records.map(({ data }) => data.toString())).toEqual(['first', '', 'third']);
    expect(records.map((record) => record.end)).toEqual([21, 37, 58]);
    expect(end).toBe(58);
  });

  it('ends before half a record at every byte, and before a damaged one', () => {
    const whole = frame(Buffer.from('whole'));
    const second = frame(Buffer.from('second'));
    for (let cut = 0; cut < second.length; cut += 1) {
      expect(unframe(Buffer.concat([whole, second.subarray(0, cut)])).end, `cut at ${cut}`).toBe(whole.length);
    }
    for (let at = 0; at < second.length; at += 1) {
      const damaged = Buffer.from(second);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x40, at);
      expect(unframe(Buffer.concat([whole, damaged])).end, `damaged at ${at}`).toBe(whole.length);
    }
  });
});
