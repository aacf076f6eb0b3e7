import protobuf from 'protobufjs/minimal.js';

/* The parts of tensorboard/compat/proto/{event,summary,tensor}.proto that are written here, by their field numbers. */

/** A value under a tag: a scalar, a text (Markdown), or what the hparams plugin reads. */
export type EventValue =
  | { tag: string; scalar: number }
  | { tag: string; text: string }
  | { tag: string; hparams: Uint8Array };

export interface BoardEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step: number;
  /** Only in the first event of a file. */
  isFirst?: boolean;
  /** Everything shown so far from `step` on is void. */
  restarts?: boolean;
  values?: readonly EventValue[];
  /** Ours: what the writer needs to go on; readers skip fields that they do not know. */
  note?: string;
}

const FILE_VERSION = 'brain.Event:2';
const SESSION_START = 1;
const NOTE = 1000;
const DATA_CLASS_TENSOR = 2;
const DT_STRING = 7;
const DT_FLOAT = 1;

export function encodeEvent({ wallTime, step, isFirst, restarts, values = [], note }: BoardEvent): Uint8Array {
  const event = protobuf.Writer.create();
  event.uint32(tag(1, FIXED64)).double(wallTime).uint32(tag(2, VARINT)).int64(step);
  if (isFirst) event.uint32(tag(3, BYTES)).string(FILE_VERSION);
  if (values.length > 0) {
    event.uint32(tag(5, BYTES)).fork();
    for (const value of values) event.uint32(tag(1, BYTES)).bytes(encodeValue(value));
    event.ldelim();
  }
  if (restarts) event.uint32(tag(7, BYTES)).fork().uint32(tag(1, VARINT)).int32(SESSION_START).ldelim();
  if (note !== undefined) event.uint32(tag(NOTE, BYTES)).string(note);
  return event.finish();
}

/** What the writer reads again of its own events: the note, the step, and the tags that have a value there. */
export function decodeEvent(bytes: Uint8Array): { step: number; note: string | null; tags: string[] } {
  const reader = protobuf.Reader.create(bytes);
  const event = { step: 0, note: null as string | null, tags: [] as string[] };
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    if (key === tag(2, VARINT)) event.step = Number(String(reader.int64()));
    else if (key === tag(NOTE, BYTES)) event.note = reader.string();
    else if (key === tag(5, BYTES)) event.tags = decodeTags(reader.bytes());
    else reader.skipType(key & 7);
  }
  return event;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

function encodeValue(value: EventValue): Uint8Array {
  const writer = protobuf.Writer.create().uint32(tag(1, BYTES)).string(value.tag);
  if ('scalar' in value) return writer.uint32(tag(2, FIXED32)).float(value.scalar).finish();
  const plugin =
    'text' in value ? { name: 'text', content: new Uint8Array() } : { name: 'hparams', content: value.hparams };
  writer.uint32(tag(9, BYTES)).fork();
  writer.uint32(tag(1, BYTES)).fork();
  writer.uint32(tag(1, BYTES)).string(plugin.name).uint32(tag(2, BYTES)).bytes(plugin.content).ldelim();
  writer.uint32(tag(4, VARINT)).int32(DATA_CLASS_TENSOR).ldelim();
  return writer.uint32(tag(8, BYTES)).bytes(encodeTensor(value)).finish();
}

/** A string of no dimensions; for hparams, whose content is in the metadata, a float that says nothing. */
function encodeTensor(value: { text: string } | { hparams: Uint8Array }): Uint8Array {
  const writer = protobuf.Writer.create();
  const isText = 'text' in value;
  writer
    .uint32(tag(1, VARINT))
    .int32(isText ? DT_STRING : DT_FLOAT)
    .uint32(tag(2, BYTES))
    .fork()
    .ldelim();
  if (isText) writer.uint32(tag(8, BYTES)).bytes(Buffer.from(value.text));
  else writer.uint32(tag(5, BYTES)).fork().float(0).ldelim();
  return writer.finish();
}

function decodeTags(summary: Uint8Array): string[] {
  const reader = protobuf.Reader.create(summary);
  const tags: string[] = [];
  while (reader.pos < reader.len) {
    const value = reader.uint32() === tag(1, BYTES) ? protobuf.Reader.create(reader.bytes()) : null;
    if (value !== null && value.uint32() === tag(1, BYTES)) tags.push(value.string());
  }
  return tags;
}
