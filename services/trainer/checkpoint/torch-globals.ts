import type { PyDict, PyValue } from './pickle-value.ts';

export const storageTypes = {
  FloatStorage: { dtype: 'float32', bytes: 4 },
  DoubleStorage: { dtype: 'float64', bytes: 8 },
  HalfStorage: { dtype: 'float16', bytes: 2 },
  BFloat16Storage: { dtype: 'bfloat16', bytes: 2 },
  LongStorage: { dtype: 'int64', bytes: 8 },
  IntStorage: { dtype: 'int32', bytes: 4 },
  ByteStorage: { dtype: 'uint8', bytes: 1 },
  BoolStorage: { dtype: 'bool', bytes: 1 },
} as const;
export type TorchType = (typeof storageTypes)[keyof typeof storageTypes]['dtype'];

/** A tensor of a file that is being read: a view of the storage `data/<key>`, in elements. */
export interface StoredTensor {
  readonly kind: 'stored';
  readonly dtype: TorchType;
  readonly key: string;
  /** Elements of the storage. */
  readonly elements: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** What a pickle may hold while it is being read: values, and the few names it may use to build them. */
export interface PyStorage {
  readonly kind: 'storage';
  readonly dtype: TorchType;
  readonly key: string;
  readonly elements: number;
}
export interface PyGlobal {
  readonly kind: 'global';
  readonly name: string;
}
export type Parsed = PyValue<StoredTensor | PyStorage | PyGlobal>;

const CONSTRUCTORS = new Set([
  'collections.OrderedDict',
  'torch.Size',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
]);

/**
 * A GLOBAL of a pickle. torch files need these few; every other name could run code in Python and means nothing here, so it is refused.
 * @throws Error naming it.
 */
export function resolveGlobal(module: string, name: string): PyGlobal {
  const full = `${module}.${name}`;
  if (CONSTRUCTORS.has(full) || (module === 'torch' && Object.hasOwn(storageTypes, name)))
    return { kind: 'global', name: full };
  throw new Error(`refers to ${JSON.stringify(full)}, which is not a part of a tensor file; it is not loaded`);
}

/** `('storage', <storage class>, key, location, elements)`. @throws Error when it is something else. */
export function resolveStorage(id: Parsed): PyStorage {
  if (isTagged(id, 'tuple') && id.items.length === 5) {
    const [tag, type, key, , elements] = id.items;
    const storage = isTagged(type, 'global')
      ? storageTypes[type.name.replace('torch.', '') as keyof typeof storageTypes]
      : undefined;
    if (tag === 'storage' && storage && typeof key === 'string' && /^\d+$/.test(key) && isCount(elements)) {
      return { kind: 'storage', dtype: storage.dtype, key, elements };
    }
  }
  throw new Error('holds a reference that is not a tensor storage');
}

/** Calls one of the allowed constructors. @throws Error for arguments it does not take. */
export function construct(callable: Parsed, args: Parsed): Parsed {
  if (!isTagged(callable, 'global') || !isTagged(args, 'tuple'))
    throw new Error('calls something that is not a constructor');
  switch (callable.name) {
    case 'collections.OrderedDict':
      if (args.items.length === 0) return new Map();
      break;
    case 'torch.Size':
      if (args.items.length === 1 && isTagged(args.items[0], 'tuple')) return args.items[0];
      break;
    case 'torch._utils._rebuild_parameter':
      if (isTagged(args.items[0], 'stored')) return args.items[0];
      break;
    case 'torch._utils._rebuild_tensor_v2':
      return rebuildTensor(args.items);
  }
  throw new Error(`calls ${callable.name} with arguments it does not take`);
}

function rebuildTensor([storage, offset, shape, strides]: readonly Parsed[]): StoredTensor {
  const [sizes, steps] = [shape, strides].map((value) => (isTagged(value, 'tuple') ? value.items : []));
  const valid = isTagged(storage, 'storage') && isCount(offset) && sizes!.every(isCount) && steps!.every(isCount);
  if (!valid || sizes!.length !== steps!.length || !isTagged(shape, 'tuple')) throw new Error('holds a damaged tensor');
  const tensor = { ...storage, kind: 'stored' as const, offset, shape: sizes as number[], strides: steps as number[] };
  checkView(tensor);
  return tensor;
}

/** A view may not reach beyond its storage, nor repeat it: a shape of a billion over one value is a bomb. */
function checkView({ key, elements, offset, shape, strides }: StoredTensor): void {
  const count = shape.reduce((product, size) => product * size, 1);
  const last = count === 0 ? 0 : shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset) + 1;
  if (count > elements || last > elements) {
    throw new Error(`holds a tensor of shape [${shape}] that does not fit its storage ${key} of ${elements} elements`);
  }
}

export function isTagged<K extends 'tuple' | 'global' | 'storage' | 'stored' | 'float'>(
  value: Parsed | undefined,
  kind: K,
): value is Extract<Parsed, { kind: K }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

export function isDict(value: Parsed | undefined): value is PyDict<StoredTensor | PyStorage | PyGlobal> {
  return value instanceof Map;
}

function isCount(value: Parsed | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}
