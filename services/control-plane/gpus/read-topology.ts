import { type LinkKind, linkKindSchema } from '../../contracts/gpu.ts';
import { quote, SmiFormatError } from './smi-format-error.ts';

export interface Topology {
  /** One for each two GPUs, by their indices, the smaller one first. */
  links: { between: [number, number]; kind: LinkKind; nvlinks: number }[];
  /** What each GPU is next to, by index; null where it is not known. */
  near: Map<number, { cpus: string | null; numaNode: number | null }>;
}

// The header is underlined even where no terminal is.
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/**
 * Reads the matrix of `nvidia-smi topo -m`. Rows and columns of network cards are skipped. A link of a kind that is not known counts as `SYS`, the slowest.
 * @throws SmiFormatError when there is no matrix, a row is missing or too short, or a cell is no word
 */
export function readTopology(output: string): Topology {
  const lines = output.replace(ESCAPES, '').split('\n');
  const at = lines.findIndex((line) => /^\s+GPU\d+\b/.test(line));
  if (at < 0) throw new SmiFormatError(`there is no line with GPU0 that begins a matrix: it begins ${quote(output)}`);
  const columns =
    (lines[at] ?? '')
      .split(/CPU Affinity/)[0]
      ?.trim()
      .split(/\s+/) ?? [];
  const wanted = columns.flatMap((name) => indexOf(name) ?? []);
  if (new Set(wanted).size < wanted.length) throw new SmiFormatError('two columns are of the same GPU');
  const rows = new Map(
    lines.slice(at + 1).flatMap((line): [number, string[]][] => {
      const [label = '', ...cells] = line.trim().split(/\s+/);
      const index = /^GPU\d/.test(line) ? indexOf(label) : undefined;
      return index === undefined ? [] : [[index, cells]];
    }),
  );
  const topology: Topology = { links: [], near: new Map() };
  for (const index of wanted) {
    const cells = rows.get(index);
    if (cells === undefined) throw new SmiFormatError(`the row of GPU${index} is missing: the answer is cut off`);
    if (cells.length < columns.length) throw new SmiFormatError(`the row of GPU${index} is cut off`);
    columns.forEach((name, column) => {
      const other = indexOf(name);
      if (other === undefined || other <= index) return;
      topology.links.push({ between: [index, other], ...readLink(cells[column] ?? '', `GPU${index} to ${name}`) });
    });
    topology.near.set(index, readNear(cells.slice(columns.length)));
  }
  return topology;
}

function indexOf(name: string): number | undefined {
  const match = /^GPU(\d{1,4})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function readLink(cell: string, place: string): { kind: LinkKind; nvlinks: number } {
  const nvlinks = /^NV(\d{1,3})$/.exec(cell)?.[1];
  if (nvlinks !== undefined) return { kind: 'NV', nvlinks: Number(nvlinks) };
  if (!/^[A-Z]{1,5}\d{0,3}$/.test(cell)) throw new SmiFormatError(`${place}: ${quote(cell)} is no kind of link`);
  const kind = linkKindSchema.exclude(['NV']).safeParse(cell);
  return { kind: kind.success ? kind.data : 'SYS', nvlinks: 0 };
}

/** `0-51,104-155`, then `0`, `0-1` for several nodes, or `N/A`; later columns are other things. */
function readNear([cpus, node]: readonly string[]): { cpus: string | null; numaNode: number | null } {
  return {
    cpus: cpus !== undefined && /^\d[\d,-]*$/.test(cpus) ? cpus : null,
    numaNode: node !== undefined && /^\d{1,4}$/.test(node) ? Number(node) : null,
  };
}
