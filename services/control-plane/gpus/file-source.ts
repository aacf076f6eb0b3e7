import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type Gpu, type GpuLink, gpuProcessSchema, healthVerdictSchema, linkKindSchema } from '../../contracts/gpu.ts';
import { type GpuReading, type GpuSource, GpuSourceError } from './gpu-source.ts';

const LINK = /^NV([1-9]\d{0,2})$/;
const fileSchema = z.strictObject({
  gpus: z
    .array(
      z.strictObject({
        uuid: z
          .string()
          .regex(/^GPU-[0-9A-Za-z-]+$/, 'must be a UUID as nvidia-smi -L has it, such as GPU-5f1c9d7e-0b0a'),
        name: z.string().default('described in a file'),
        memory_mib: z.int().min(1),
        compute_capability: z
          .string('must be text in quotes, such as "9.0"')
          .regex(/^\d+\.\d+$/, 'must be two numbers, such as "9.0"')
          .optional(),
        numa_node: z.int().min(0).optional(),
        health: z.strictObject({ verdict: healthVerdictSchema, why: z.string().min(1).optional() }).optional(),
        foreign_processes: z
          .array(gpuProcessSchema.partial({ name: true, memory_mib: true, container: true }))
          .default([]),
      }),
    )
    .max(64),
  links: z
    .array(
      z.strictObject({
        gpus: z.array(z.int().min(0)).min(2),
        kind: z
          .string()
          .refine(
            (kind) => LINK.test(kind) || linkKindSchema.exclude(['NV']).safeParse(kind).success,
            `must be NV and a count, such as NV18, or one of ${linkKindSchema.exclude(['NV']).options.join(', ')}`,
          ),
      }),
    )
    .default([]),
});
type GpuFile = z.output<typeof fileSchema>;

/** GPUs that a YAML file describes, so that hosts without any can be planned for. Read anew each time. */
export function createFileSource(path: string): GpuSource {
  return {
    kind: 'file',
    read: async () => {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw new GpuSourceError(`${path} cannot be read (${code}); name a file that describes GPUs.`, {
          cause: error,
        });
      }
      return readGpuFile(text, path);
    },
  };
}

/**
 * Reads what a file says of GPUs: their index is their place in the list. Links that it leaves out are `NODE` within a NUMA node and `SYS` otherwise; of two
 * that name the same GPUs the later one counts.
 * @throws GpuSourceError with the place in the file
 */
export function readGpuFile(text: string, path: string): GpuReading {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'core', prettyErrors: false, stringKeys: true, lineCounter: lines });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong !== undefined) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    throw new GpuSourceError(`${path}: line ${line}, column ${col}: ${wrong.message}`);
  }
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new GpuSourceError(`${path}: its aliases cannot be resolved: ${(error as Error).message}`);
  }
  const parsed = fileSchema.safeParse(plain);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(
      (issue) => `${z.core.toDotPath(issue.path) || 'the file'}: ${issue.message}`,
    );
    throw new GpuSourceError(`${path} does not describe GPUs: ${issues.join('; ')}`);
  }
  const { gpus, links } = parsed.data;
  requireFit(parsed.data, path);
  const described = gpus.map(describe);
  return { driver_version: null, cuda_version: null, gpus: described, links: linkAll(described, links), problems: [] };
}

function requireFit({ gpus, links }: GpuFile, path: string): void {
  const twice = gpus.findIndex(({ uuid }, index) => gpus.findIndex((gpu) => gpu.uuid === uuid) < index);
  if (twice >= 0) throw new GpuSourceError(`${path}: gpus[${twice}].uuid: an earlier GPU has it already`);
  links.forEach((link, at) => {
    const unknown = link.gpus.find((index) => index >= gpus.length);
    if (unknown === undefined) return;
    throw new GpuSourceError(
      `${path}: links[${at}].gpus: there is no GPU ${unknown}; the file has ${gpus.length}, counted from 0`,
    );
  });
}

function describe(gpu: GpuFile['gpus'][number], index: number): Gpu {
  const { uuid, name, health, foreign_processes } = gpu;
  const verdict = health?.verdict ?? 'healthy';
  const why = health?.why ?? 'The file says so.';
  return {
    uuid,
    index,
    name,
    pci_bus_id: null,
    memory_total_mib: gpu.memory_mib,
    memory_used_mib: foreign_processes.reduce((sum, { memory_mib }) => sum + (memory_mib ?? 0), 0),
    compute_capability: gpu.compute_capability ?? null,
    numa_node: gpu.numa_node ?? null,
    cpus: null,
    mig: null,
    ecc: null,
    row_remapping: null,
    retired_pages_pending: null,
    recovery_action: null,
    xids: [],
    foreign_processes: foreign_processes.map(({ pid, name: program = '', memory_mib = null, container = null }) => ({
      pid,
      name: program,
      memory_mib,
      container,
    })),
    health: {
      verdict,
      findings: verdict === 'healthy' ? [] : [{ verdict, why, remedy: 'Change the file that TANDEM_GPUS names.' }],
    },
  };
}

function linkAll(gpus: readonly Gpu[], links: GpuFile['links']): GpuLink[] {
  return gpus.flatMap((a) =>
    gpus.slice(a.index + 1).map((b): GpuLink => {
      const said = links.findLast((link) => link.gpus.includes(a.index) && link.gpus.includes(b.index))?.kind;
      const near = a.numa_node !== null && a.numa_node === b.numa_node ? 'NODE' : 'SYS';
      const nvlinks = LINK.exec(said ?? '')?.[1];
      return {
        between: [a.uuid, b.uuid],
        kind: nvlinks === undefined ? linkKindSchema.parse(said ?? near) : 'NV',
        nvlinks: Number(nvlinks ?? 0),
      };
    }),
  );
}
