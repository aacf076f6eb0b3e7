import { XMLParser } from 'fast-xml-parser';
import type { Gpu, GpuProcess, MigDevice } from '../../contracts/gpu.ts';
import { oneLine } from './one-line.ts';
import { pciAddress } from './pci-address.ts';
import { quote, SmiFormatError } from './smi-format-error.ts';
import {
  childAt,
  childrenOf,
  type Element,
  mebibytes,
  sumOfKnown,
  textAt,
  textsOf,
  wholeNumber,
  yesOrNo,
} from './smi-values.ts';

/** A GPU as `nvidia-smi -q -x` has it. What it does not say comes from other calls: index, compute capability, NUMA node, UUIDs of MIG devices. */
export type SmiGpu = Pick<
  Gpu,
  | 'uuid'
  | 'name'
  | 'memory_total_mib'
  | 'memory_used_mib'
  | 'mig'
  | 'ecc'
  | 'row_remapping'
  | 'retired_pages_pending'
  | 'recovery_action'
> & {
  pci_bus_id: string;
  processes: SmiProcess[];
  /** A reset is required, as drivers say it that have no recovery action yet. */
  resetRequired: boolean;
  /** What stands in the place of values when the driver has lost hold of the GPU, such as `GPU requires reset`. */
  fault: string | null;
};

export type SmiProcess = Omit<GpuProcess, 'container'>;

export interface SmiLog {
  driverVersion: string | null;
  cudaVersion: string | null;
  /** How many GPUs there are; may be more than are described. */
  attached: number | null;
  /** In the order of `nvidia-smi`. */
  gpus: SmiGpu[];
}

const ROOT = 'nvidia_smi_log';
/** 8 GPUs are 130 KB without, 1 MB with the lists of clocks. */
const CLOCKS = /<supported_clocks>[\s\S]*?<\/supported_clocks>/g;
const LONGEST_NAME = 200;
const FAULT = /\b(GPU is lost|GPU requires reset)\b/i;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  isArray: (name) => name === 'gpu' || name === 'mig_device' || name === 'process_info',
});

/**
 * Reads `nvidia-smi -q -x` (DTDs v10 to v13). Lines before the document, in which it tells of GPUs it cannot reach, are left to `readLostGpus`.
 * @throws SmiFormatError when the document is cut off, or a GPU in it has no UUID or no address
 */
export function readSmiXml(output: string): SmiLog {
  const start = output.indexOf('<?xml');
  const text = (start < 0 ? output : output.slice(start)).trim().replace(CLOCKS, '');
  if (!text.includes(`<${ROOT}>`))
    throw new SmiFormatError(`there is no <${ROOT}> in the answer: it begins ${quote(text)}`);
  if (!text.endsWith(`</${ROOT}>`))
    throw new SmiFormatError(`the answer is cut off: it ends ${quote(text.slice(-60))}`);
  let document: Element;
  try {
    document = parser.parse(text) as Element;
  } catch (error) {
    throw new SmiFormatError(`the answer is not XML: ${oneLine((error as Error).message, 120)}`, { cause: error });
  }
  const root = childAt(document, ROOT);
  const gpus = childrenOf(root, 'gpu').map(readGpu);
  const uuids = new Set(gpus.map(({ uuid }) => uuid));
  if (uuids.size < gpus.length) throw new SmiFormatError('two GPUs in the answer have the same UUID');
  return {
    driverVersion: textAt(root, 'driver_version') || null,
    cudaVersion: textAt(root, 'cuda_version') || null,
    attached: wholeNumber(textAt(root, 'attached_gpus')),
    gpus,
  };
}

function readGpu(gpu: Element, position: number): SmiGpu {
  const id = textAt(gpu, '@id') ?? '';
  const place = id === '' ? `GPU number ${position + 1}` : `GPU ${quote(id)}`;
  const uuid = textAt(gpu, 'uuid');
  if (uuid === undefined || !/^GPU-[0-9A-Za-z-]+$/.test(uuid)) {
    throw new SmiFormatError(`${place}: its uuid is ${quote(uuid ?? '')}, which is none`);
  }
  const address = pciAddress(textAt(gpu, 'pci', 'pci_bus_id') ?? id);
  if (address === null) throw new SmiFormatError(`${place}: its pci_bus_id is none`);
  return {
    uuid,
    pci_bus_id: address,
    name: textAt(gpu, 'product_name') ?? '',
    memory_total_mib: mebibytes(textAt(gpu, 'fb_memory_usage', 'total')),
    memory_used_mib: mebibytes(textAt(gpu, 'fb_memory_usage', 'used')),
    mig: readMig(gpu),
    ecc: readEcc(gpu),
    row_remapping: readRows(childAt(gpu, 'remapped_rows')),
    retired_pages_pending: yesOrNo(
      textAt(gpu, 'retired_pages', 'pending_retirement') ?? textAt(gpu, 'retired_pages', 'pending_blacklist'),
    ),
    recovery_action: known(textAt(gpu, 'gpu_recovery_action')),
    resetRequired: yesOrNo(textAt(gpu, 'gpu_reset_status', 'reset_required')) === true,
    processes: childrenOf(childAt(gpu, 'processes'), 'process_info').flatMap(readProcess),
    fault: findFault(gpu),
  };
}

function readMig(gpu: Element): Gpu['mig'] {
  const enabled = yesOrNo(textAt(gpu, 'mig_mode', 'current_mig'));
  if (enabled === null) return null;
  return {
    enabled,
    pending: yesOrNo(textAt(gpu, 'mig_mode', 'pending_mig')) ?? enabled,
    devices: childrenOf(childAt(gpu, 'mig_devices'), 'mig_device').map(
      (device, position): MigDevice => ({
        index: wholeNumber(textAt(device, 'index')) ?? position,
        uuid: null,
        profile: null,
        gpu_instance: wholeNumber(textAt(device, 'gpu_instance_id')),
        compute_instance: wholeNumber(textAt(device, 'compute_instance_id')),
        memory_total_mib: mebibytes(textAt(device, 'fb_memory_usage', 'total')),
        memory_used_mib: mebibytes(textAt(device, 'fb_memory_usage', 'used')),
      }),
    ),
  };
}

/** Counters have been renamed: one for SRAM until R550, by parity and SECDED since; `double_bit/total` on Volta and before. */
function readEcc(gpu: Element): Gpu['ecc'] {
  const counted = (lifetime: string, names: readonly string[]) =>
    sumOfKnown(names.map((name) => wholeNumber(textAt(gpu, 'ecc_errors', lifetime, ...name.split('/')))));
  const uncorrected = [
    'sram_uncorrectable',
    'sram_uncorrectable_parity',
    'sram_uncorrectable_secded',
    'dram_uncorrectable',
    'double_bit/total',
  ];
  const ecc = {
    enabled: yesOrNo(textAt(gpu, 'ecc_mode', 'current_ecc')),
    corrected: counted('volatile', ['sram_correctable', 'dram_correctable', 'single_bit/total']),
    uncorrected: counted('volatile', uncorrected),
    uncorrected_ever: counted('aggregate', uncorrected),
    sram_threshold_exceeded: yesOrNo(textAt(gpu, 'ecc_errors', 'aggregate', 'sram_threshold_exceeded')),
  };
  return Object.values(ecc).every((value) => value === null) ? null : ecc;
}

function readRows(rows: Element | undefined): Gpu['row_remapping'] {
  if (typeof rows !== 'object') return null;
  return {
    corrected: wholeNumber(textAt(rows, 'remapped_row_corr')),
    uncorrected: wholeNumber(textAt(rows, 'remapped_row_unc')),
    pending: yesOrNo(textAt(rows, 'remapped_row_pending')),
    failed: yesOrNo(textAt(rows, 'remapped_row_failure')),
  };
}

/** With MIG a process appears once for each part it uses, and without memory. */
function readProcess(process: Element): SmiProcess[] {
  const pid = wholeNumber(textAt(process, 'pid'));
  if (pid === null || pid === 0) return [];
  const name = nameOf(textAt(process, 'process_name') ?? '');
  return [{ pid, name, memory_mib: mebibytes(textAt(process, 'used_memory')) }];
}

/** The program alone: drivers give the whole command line, and arguments may hold secrets. `[Not Found]` and the like stay whole. */
function nameOf(command: string): string {
  const line = oneLine(command, LONGEST_NAME);
  return line.startsWith('[') ? line : (line.split(' ', 1)[0] ?? '');
}

function findFault(gpu: Element): string | null {
  // Names of programs are other people's text.
  const { processes: _, ...own } = typeof gpu === 'object' ? gpu : {};
  for (const text of textsOf(own)) {
    const [fault] = FAULT.exec(text) ?? [];
    if (fault !== undefined) return fault;
  }
  return null;
}

function known(text: string | undefined): string | null {
  return text === undefined || text === '' || text === 'N/A' || text.includes('deprecated')
    ? null
    : oneLine(text, LONGEST_NAME);
}
