import type { PyKey, PyValue } from './pickle-value.ts';
import {
  construct,
  type Parsed,
  type PyGlobal,
  type PyStorage,
  resolveGlobal,
  resolveStorage,
  type StoredTensor,
} from './torch-globals.ts';

type Mark = typeof MARK;
const MARK = Symbol('mark');

interface Machine {
  readonly stack: (Parsed | Mark)[];
  readonly memo: Map<number, Parsed>;
  readonly input: Buffer;
  at: number;
}

/** A state dict takes about 60 for each parameter; every one may make a value, which costs many times its byte. */
const MAX_OPERATIONS = 4_000_000;

/**
 * Decodes the pickle of a torch file (protocol 2), the opcodes and names that tensors and plain values need and no others. A pickle is a
 * program; this reads data only, so any other opcode or name is refused.
 *
 * @throws Error with what is wrong, to follow the file's name.
 */
export function decodePickle(bytes: Buffer): PyValue<StoredTensor> {
  const machine: Machine = { stack: [], memo: new Map(), input: bytes, at: 0 };
  try {
    for (let operations = 0; ; operations++) {
      if (operations > MAX_OPERATIONS) throw new Error(`has a pickle of more than ${MAX_OPERATIONS} operations`);
      const opcode = String.fromCharCode(take(machine, 1)[0]!);
      if (opcode === '.') return onlyValue(machine);
      const run = OPCODES[opcode];
      if (run === undefined)
        throw new Error(`uses the pickle opcode ${JSON.stringify(opcode)}, which a tensor file has no need of`);
      run(machine);
    }
  } catch (error) {
    throw error instanceof RangeError ? new Error('has a damaged pickle', { cause: error }) : error;
  }
}

const OPCODES: Readonly<Record<string, (machine: Machine) => void>> = {
  '\x80': (m) => {
    const version = take(m, 1)[0];
    if (version !== 2) throw new Error(`is a pickle of protocol ${version}; torch.save writes 2`);
  },
  N: (m) => m.stack.push(null),
  '\x88': (m) => m.stack.push(true),
  '\x89': (m) => m.stack.push(false),
  K: (m) => m.stack.push(take(m, 1).readUInt8()),
  M: (m) => m.stack.push(take(m, 2).readUInt16LE()),
  J: (m) => m.stack.push(take(m, 4).readInt32LE()),
  '\x8a': (m) => m.stack.push(longInteger(take(m, take(m, 1)[0]!))),
  G: (m) => m.stack.push({ kind: 'float', value: take(m, 8).readDoubleBE() }),
  X: (m) => m.stack.push(take(m, take(m, 4).readUInt32LE()).toString('utf8')),
  '}': (m) => m.stack.push(new Map()),
  ']': (m) => m.stack.push([]),
  ')': (m) => m.stack.push({ kind: 'tuple', items: [] }),
  '(': (m) => m.stack.push(MARK),
  t: (m) => m.stack.push({ kind: 'tuple', items: popToMark(m) }),
  '\x85': (m) => tuple(m, 1),
  '\x86': (m) => tuple(m, 2),
  '\x87': (m) => tuple(m, 3),
  a: (m) => append(m, [pop(m)]),
  e: (m) => append(m, popToMark(m)),
  s: (m) => {
    const value = pop(m);
    setItems(m, [pop(m), value]);
  },
  u: (m) => setItems(m, popToMark(m)),
  q: (m) => m.memo.set(take(m, 1)[0]!, top(m)),
  r: (m) => m.memo.set(take(m, 4).readUInt32LE(), top(m)),
  h: (m) => recall(m, take(m, 1)[0]!),
  j: (m) => recall(m, take(m, 4).readUInt32LE()),
  c: (m) => {
    const module = line(m);
    m.stack.push(resolveGlobal(module, line(m)));
  },
  Q: (m) => m.stack.push(resolveStorage(pop(m))),
  R: (m) => {
    const args = pop(m);
    m.stack.push(construct(pop(m), args));
  },
  // State of an OrderedDict: the `_metadata` of a module's state_dict, which says nothing about its values.
  b: (m) => {
    pop(m);
    if (!(top(m) instanceof Map)) throw new Error('sets the state of an object, which a tensor file has no need of');
  },
};

function take(machine: Machine, count: number): Buffer {
  const end = machine.at + count;
  if (end > machine.input.length) throw new Error('has a pickle that is cut off');
  const bytes = machine.input.subarray(machine.at, end);
  machine.at = end;
  return bytes;
}

function line(machine: Machine): string {
  const end = machine.input.indexOf(0x0a, machine.at);
  if (end < 0) throw new Error('has a pickle that is cut off');
  const text = take(machine, end - machine.at).toString('utf8');
  machine.at++;
  return text;
}

function top(machine: Machine): Parsed {
  const value = machine.stack.at(-1);
  if (value === undefined || value === MARK) throw new Error('has a damaged pickle');
  return value;
}

function pop(machine: Machine): Parsed {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

function popToMark(machine: Machine): Parsed[] {
  const mark = machine.stack.lastIndexOf(MARK);
  if (mark < 0) throw new Error('has a damaged pickle');
  return machine.stack.splice(mark).slice(1) as Parsed[];
}

function tuple(machine: Machine, count: number): void {
  const items = Array.from({ length: count }, () => pop(machine)).reverse();
  machine.stack.push({ kind: 'tuple', items });
}

function append(machine: Machine, items: readonly Parsed[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) throw new Error('appends to something that is not a list');
  for (const item of items) (list as Parsed[]).push(item);
}

function setItems(machine: Machine, items: readonly Parsed[]): void {
  const dict = top(machine);
  if (!(dict instanceof Map) || items.length % 2 !== 0) throw new Error('sets an item of something that is not a dict');
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key !== 'string' && typeof key !== 'number')
      throw new Error('has a dict key that is neither a string nor an int');
    (dict as Map<PyKey, Parsed>).set(key, items[i + 1]!);
  }
}

function recall(machine: Machine, index: number): void {
  const value = machine.memo.get(index);
  if (value === undefined) throw new Error('has a damaged pickle');
  machine.stack.push(value);
}

function longInteger(bytes: Buffer): number {
  let value = 0n;
  for (const byte of [...bytes].reverse()) value = (value << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(8 * bytes.length, value);
  if (bytes.length > 16 || signed > BigInt(Number.MAX_SAFE_INTEGER) || signed < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new Error('holds an integer beyond 2^53');
  }
  return Number(signed);
}

function onlyValue(machine: Machine): PyValue<StoredTensor> {
  const value = pop(machine);
  if (machine.stack.length > 0) throw new Error('has a damaged pickle');
  if (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    (value.kind === 'global' || value.kind === 'storage')
  ) {
    throw new Error('holds something that is neither a tensor nor a plain value');
  }
  return value as Exclude<Parsed, PyGlobal | PyStorage> as PyValue<StoredTensor>;
}
