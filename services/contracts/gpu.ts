import { z } from 'zod';
import { field } from './field.ts';

/**
 * What is between two GPUs, best first. `NV`: bonded NVLinks. `PIX`: at most one PCIe bridge. `PXB`: several. `PHB`: the host bridge of one socket. `NODE`:
 * several host bridges of one NUMA node. `SYS`: between NUMA nodes.
 */
export const linkKindSchema = z.enum(['NV', 'PIX', 'PXB', 'PHB', 'NODE', 'SYS']);
export type LinkKind = z.infer<typeof linkKindSchema>;

export const gpuLinkSchema = z
  .strictObject({
    between: field(z.tuple([z.string(), z.string()]), 'UUIDs of the two GPUs, the smaller index first.', [
      'GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11',
      'GPU-0b7a1f8c-6d5e-4a3b-8c2d-1e0f9a8b7c6d',
    ]),
    kind: field(
      linkKindSchema,
      'What is between them, best first: `NV` (NVLink), `PIX`, `PXB`, `PHB`, `NODE`, `SYS`, as `nvidia-smi topo -m` says it.',
      'NV',
    ),
    nvlinks: field(z.int().min(0), 'How many NVLinks are bonded; 0 without NVLink.', 18),
  })
  .meta({ id: 'GpuLink', description: 'The way between two GPUs.' });
export type GpuLink = z.infer<typeof gpuLinkSchema>;

export const healthVerdictSchema = z.enum(['healthy', 'degraded', 'unusable']);
export type HealthVerdict = z.infer<typeof healthVerdictSchema>;

const findingSchema = z
  .strictObject({
    verdict: field(z.enum(['degraded', 'unusable']), 'How bad it is.', 'degraded'),
    why: field(z.string(), 'What is wrong.', 'A memory row waits to be replaced by a spare one.'),
    remedy: field(z.string(), 'What helps.', 'Reset it at the next idle moment: nvidia-smi --gpu-reset -i 3.'),
  })
  .meta({ id: 'GpuFinding', description: 'One thing that is wrong with a GPU.' });
export type GpuFinding = z.infer<typeof findingSchema>;

export const gpuHealthSchema = z
  .strictObject({
    verdict: field(
      healthVerdictSchema,
      '`healthy`; `degraded`: works, and wants attention; `unusable`: nothing may be started on it.',
      'degraded',
    ),
    findings: field(z.array(findingSchema), 'What is wrong, worst first; empty when healthy.', []),
  })
  .meta({ id: 'GpuHealth' });
export type GpuHealth = z.infer<typeof gpuHealthSchema>;

export const gpuProcessSchema = z
  .strictObject({
    pid: field(z.int().min(1), 'Process number on the host.', 41394),
    name: field(z.string(), 'Program, as the driver knows it; empty when it does not.', '/usr/bin/python3'),
    memory_mib: field(
      z.int().min(0).nullable(),
      'GPU memory it holds, in MiB; null where the driver does not say.',
      512,
    ),
    container: field(
      z.string().nullable(),
      'Name of the container it is in, its id where no Docker daemon tells the name; null where it is in none, or where that cannot be seen.',
      'jupyter-of-anna',
    ),
  })
  .meta({ id: 'GpuProcess' });
export type GpuProcess = z.infer<typeof gpuProcessSchema>;

const migDeviceSchema = z
  .strictObject({
    index: field(z.int().min(0), 'Index within its GPU.', 0),
    uuid: field(z.string().nullable(), 'UUID; null where the driver does not list it.', 'MIG-7af93043-695c-54c5'),
    profile: field(z.string().nullable(), 'Its size; null where the driver does not say.', '3g.40gb'),
    gpu_instance: field(z.int().min(0).nullable(), 'Id of the GPU instance.', 1),
    compute_instance: field(z.int().min(0).nullable(), 'Id of the compute instance.', 0),
    memory_total_mib: field(z.int().min(0).nullable(), 'Memory, in MiB.', 40448),
    memory_used_mib: field(z.int().min(0).nullable(), 'Memory in use, in MiB.', 298),
  })
  .meta({ id: 'MigDevice', description: 'A part of a GPU in MIG mode.' });
export type MigDevice = z.infer<typeof migDeviceSchema>;

const count = z.int().min(0).nullable();
const yesNo = z.boolean().nullable();

export const gpuLeaseSchema = z
  .strictObject({
    run: field(z.string(), 'The run it is leased to.', 'run-7k3m9q2d'),
    attempt: field(z.int().min(1), 'The attempt of that run.', 2),
    role: field(
      z.enum(['inference', 'trainer', 'both']),
      'Which of the pair uses it; `both` in a shared profile.',
      'trainer',
    ),
    epoch: field(z.int().min(1), 'Number of the grant; no other grant ever has it.', 1763629200),
    since: field(z.iso.datetime(), 'When it was granted.', '2026-11-20T09:00:00.000Z'),
    state: field(
      z.enum(['held', 'quarantined']),
      '`held`: by the programs of the attempt. `quarantined`: they are gone and the GPU is not clean, or one of them called it broken; it is given to nobody until it is in order.',
      'quarantined',
    ),
    why: field(
      z.string().nullable(),
      'What is wrong: for a quarantined one the processes and the memory in use, or what was printed of it; for a held one its health.',
      'process 41394 (/usr/bin/python3, 512 MiB) is still on it; 516 MiB in use',
    ),
    processes: field(
      z.array(gpuProcessSchema),
      'Processes on it. While it is held they count as those of the run.',
      [],
    ),
  })
  .meta({ id: 'GpuLease', description: 'Whose a GPU is.' });
export type GpuLeaseView = z.infer<typeof gpuLeaseSchema>;

export const gpuSchema = z
  .strictObject({
    uuid: field(z.string().min(1), 'UUID, by which containers get it.', 'GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11'),
    index: field(z.int().min(0), 'Index, as `nvidia-smi` counts.', 0),
    name: field(z.string(), 'Product.', 'NVIDIA H100 80GB HBM3'),
    pci_bus_id: field(z.string().nullable(), 'Where it is plugged in; null in a file of GPUs.', '0000:1b:00'),
    memory_total_mib: field(count, 'Memory, in MiB; null where it cannot be read.', 81559),
    memory_used_mib: field(count, 'Memory in use, in MiB; null where it cannot be read.', 512),
    compute_capability: field(
      z.string().nullable(),
      'CUDA compute capability; null where the driver does not say.',
      '9.0',
    ),
    numa_node: field(z.int().min(0).nullable(), 'NUMA node it is next to; null where unknown.', 0),
    cpus: field(z.string().nullable(), 'Processors it is next to; null where unknown.', '0-51,104-155'),
    mig: field(
      z
        .strictObject({
          enabled: field(z.boolean(), 'Whether it is split.', true),
          pending: field(z.boolean(), 'Whether it will be after its next reset.', true),
          devices: field(z.array(migDeviceSchema), 'Its parts.', []),
        })
        .meta({ id: 'GpuMig' })
        .nullable(),
      'Multi-instance mode; null where it has none.',
      null,
    ),
    ecc: field(
      z
        .strictObject({
          enabled: field(yesNo, 'Whether memory errors are corrected.', true),
          corrected: field(count, 'Errors corrected since the driver was loaded.', 0),
          uncorrected: field(count, 'Errors that were not, since the driver was loaded.', 0),
          uncorrected_ever: field(count, 'Errors that were not, in its whole life.', 0),
          sram_threshold_exceeded: field(yesNo, 'Whether its on-chip memory has had too many.', false),
        })
        .meta({ id: 'GpuEcc' })
        .nullable(),
      'Memory errors; null where it does not count.',
      { enabled: true, corrected: 0, uncorrected: 0, uncorrected_ever: 0, sram_threshold_exceeded: false },
    ),
    row_remapping: field(
      z
        .strictObject({
          corrected: field(count, 'Rows replaced after corrected errors.', 0),
          uncorrected: field(count, 'Rows replaced after other errors.', 1),
          pending: field(yesNo, 'Whether one is replaced at the next reset.', true),
          failed: field(yesNo, 'Whether one could not be replaced.', false),
        })
        .meta({ id: 'RowRemapping' })
        .nullable(),
      'Memory rows replaced by spare ones; null where it cannot do that.',
      { corrected: 0, uncorrected: 1, pending: true, failed: false },
    ),
    retired_pages_pending: field(
      yesNo,
      'Whether memory pages are retired at the next reset; null where it does not retire pages.',
      null,
    ),
    recovery_action: field(
      z.string().nullable(),
      "The driver's own advice, in its words; null where it gives none.",
      'None',
    ),
    xids: field(
      z.array(
        z
          .strictObject({
            code: field(z.int().min(0), "Number in NVIDIA's catalog of Xid errors.", 94),
            times: field(z.int().min(1), 'How often the kernel log has it since boot.', 2),
            last: field(z.string(), 'The newest message.', 'pid=41394, name=python3, Contained: SM (0x1)'),
          })
          .meta({ id: 'GpuXid', description: 'An error that the driver wrote to the kernel log.' }),
      ),
      'Errors in the kernel log since boot; empty also where the log cannot be read.',
      [],
    ),
    foreign_processes: field(
      z.array(gpuProcessSchema),
      'Processes on a GPU that Tandem has not leased. Empty also where the process numbers of the host cannot be seen.',
      [],
    ),
    lease: field(gpuLeaseSchema.nullable(), 'Whose it is; null where it is leased to nobody.', null),
    usable: field(
      z.boolean(),
      'Whether a run could have it: healthy, whole, not quarantined, used by nobody else, and within CUDA_VISIBLE_DEVICES of the control plane.',
      true,
    ),
    health: field(gpuHealthSchema, 'Whether it can be used.', { verdict: 'healthy', findings: [] }),
  })
  .meta({ id: 'Gpu', description: 'One GPU of the host.' });
/** A GPU as it is read; whose it is, is known elsewhere. */
export type Gpu = Omit<z.infer<typeof gpuSchema>, 'lease' | 'usable'>;
export type Xid = Gpu['xids'][number];

export const gpuInventorySchema = z
  .strictObject({
    source: field(
      z.enum(['nvidia', 'file', 'none']),
      'Where it comes from: `nvidia-smi`, the file that TANDEM_GPUS names, or nowhere because the host has none.',
      'nvidia',
    ),
    used_by_runs: field(
      z.boolean(),
      'Whether runs can have any of these GPUs; false where there are none, or CUDA_VISIBLE_DEVICES of the control plane names none of them.',
      true,
    ),
    read_at: field(
      z.iso.datetime().nullable(),
      'When it was last read in full; null when that has not succeeded yet.',
      '2026-11-20T09:00:00.000Z',
    ),
    driver_version: field(z.string().nullable(), 'Version of the driver.', '570.124.06'),
    cuda_version: field(z.string().nullable(), 'Newest CUDA that the driver serves.', '12.8'),
    gpus: field(z.array(gpuSchema), 'By index.', []),
    links: field(z.array(gpuLinkSchema), 'One for each two GPUs; empty where the topology is not known.', []),
    problems: field(
      z.array(z.string()),
      'What could not be read, and the remedy. With some, the rest may be older than it seems.',
      ['nvidia-smi -q -x took longer than 30 s; see dmesg for what the driver waits for.'],
    ),
  })
  .meta({ id: 'GpuInventory', description: 'The GPUs of the host, how they are linked, and how they are.' });
export type GpuInventory = z.infer<typeof gpuInventorySchema>;
