import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs/minimal.js';
import { unframe } from './tf-record.ts';

export interface ShownPoint {
  wallTime: number;
  step: number;
  value: number | string;
}

/** For tests: what TensorBoard (plugin_event_accumulator.py) shows of a directory, by tag. Tensors are taken for texts. */
export function readBoard(directory: string): Map<string, ShownPoint[]> {
  let hasStarted = false;
  let points: (ShownPoint & { tag: string })[] = [];
  for (const name of readdirSync(directory).sort()) {
    const bytes = readFileSync(join(directory, name));
    const { records, end } = unframe(bytes);
    if (end !== bytes.length) throw new Error(`${name} ends in half an event`);
    for (const { data } of records) {
      const event = readMessage(data);
      const step = Number(String(event.get(2)?.[0] ?? 0));
      // The first restart is the start.
      if (event.has(7) && hasStarted) points = points.filter((point) => point.step < step);
      hasStarted ||= event.has(7);
      for (const value of event.has(5) ? (readMessage(event.get(5)?.[0] as Uint8Array).get(1) ?? []) : []) {
        const fields = readMessage(value as Uint8Array);
        const scalar = fields.get(2)?.[0];
        const text = readMessage((fields.get(8)?.[0] ?? new Uint8Array()) as Uint8Array).get(8)?.[0];
        points.push({
          tag: String(Buffer.from(fields.get(1)?.[0] as Uint8Array)),
          wallTime: event.get(1)?.[0] as number,
          step,
          value: scalar === undefined ? String(Buffer.from((text ?? new Uint8Array()) as Uint8Array)) : Number(scalar),
        });
      }
    }
  }
  const byTag = new Map<string, ShownPoint[]>();
  for (const { tag, ...point } of points) byTag.set(tag, [...(byTag.get(tag) ?? []), point]);
  return byTag;
}

/** Fields by number; 64 bits are a double unless they are a varint. */
function readMessage(bytes: Uint8Array): Map<number, unknown[]> {
  const reader = protobuf.Reader.create(bytes);
  const fields = new Map<number, unknown[]>();
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    const read = [() => reader.int64(), () => reader.double(), () => reader.bytes(), null, null, () => reader.float()][
      key & 7
    ];
    if (!read) throw new Error(`wire type ${key & 7}`);
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), read()]);
  }
  return fields;
}
