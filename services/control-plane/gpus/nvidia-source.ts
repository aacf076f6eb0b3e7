import { assemble, tellLost } from './assemble.ts';
import { type GpuSource, GpuSourceError, NOTHING_READ } from './gpu-source.ts';
import { readKernelLog } from './read-kernel-log.ts';
import { type LostGpu, readIndices, readLostGpus, readMigList } from './read-lists.ts';
import { readSmiXml, type SmiLog } from './read-smi-xml.ts';
import { readTopology, type Topology } from './read-topology.ts';
import { type Program, type ProgramAnswer, ProgramError } from './run-program.ts';
import { quote, SmiFormatError } from './smi-format-error.ts';

const QUERY = ['-q', '-x'];
const TOPOLOGY = ['topo', '-m'];
const INDICES = ['--query-gpu=index,uuid,compute_cap', '--format=csv,noheader'];
const LIST = ['-L'];
const UNKNOWN: Topology = { links: [], near: new Map() };

export interface NvidiaSourceOptions {
  smi: Program;
  /** The text of the kernel log; null where it cannot be read. */
  kernelLog: () => Promise<string | null>;
  /** The id of the container that a process is in. */
  containerOf: (pid: number) => Promise<string | null>;
}

/** The GPUs that `nvidia-smi` lists. Only its XML is needed; what other calls fail to say is null and a problem. */
export function createNvidiaSource({ smi, kernelLog, containerOf }: NvidiaSourceOptions): GpuSource {
  return {
    kind: 'nvidia',
    read: async (signal) => {
      const problems: string[] = [];
      const optional = async <T>(args: readonly string[], parse: (answer: ProgramAnswer) => T, otherwise: T) => {
        try {
          return parse(await smi.run(args, signal));
        } catch (error) {
          problems.push(tellFailure(args, error));
          return otherwise;
        }
      };
      const [answer, topology, indices, kernel] = await Promise.all([
        smi.run(QUERY, signal).catch((error: unknown) => error as Error),
        optional(TOPOLOGY, ({ stdout }) => stdout, null),
        optional(INDICES, ({ stdout }) => readIndices(stdout), []),
        kernelLog(),
      ]);
      if (answer instanceof Error) throw new GpuSourceError(tellFailure(QUERY, answer), { cause: answer });
      if (/^No devices were found/m.test(answer.stdout + answer.stderr)) return NOTHING_READ;
      const lost = readLostGpus(`${answer.stdout.split('<?xml', 1)[0]}\n${answer.stderr}`);
      const log = readLog(answer, lost);
      const split = log.gpus.some(({ mig }) => mig?.enabled);
      return assemble({
        log,
        indices,
        migDevices: split ? await optional(LIST, ({ stdout }) => readMigList(stdout), []) : [],
        topology: topology === null ? UNKNOWN : parseTopology(topology, log, problems),
        xids: readKernelLog(kernel ?? ''),
        lost,
        problems,
        containers: await findContainers(log, containerOf),
      });
    },
  };
}

async function findContainers({ gpus }: SmiLog, containerOf: NvidiaSourceOptions['containerOf']) {
  const pids = [...new Set(gpus.flatMap(({ processes }) => processes.map(({ pid }) => pid)))];
  return new Map(await Promise.all(pids.map(async (pid) => [pid, await containerOf(pid)] as const)));
}

function readLog({ code, stdout, stderr }: ProgramAnswer, lost: readonly LostGpu[]): SmiLog {
  try {
    return readSmiXml(stdout);
  } catch (error) {
    if (!(error instanceof SmiFormatError)) throw error;
    if (lost.length > 0) throw new GpuSourceError(lost.map(tellLost).join(' '), { lost, cause: error });
    if (code === 0) throw new GpuSourceError(tellFailure(QUERY, error), { cause: error });
    const said = quote(stderr.trim() === '' ? stdout : stderr);
    throw new GpuSourceError(
      `nvidia-smi ended with ${code ?? 'a signal'} and said ${said}; see dmesg, and whether the driver is loaded.`,
    );
  }
}

/** A single GPU has no links, and nothing is lost when its affinities are not known. */
function parseTopology(text: string, log: SmiLog, problems: string[]): Topology {
  try {
    return readTopology(text);
  } catch (error) {
    if (log.gpus.length > 1) problems.push(tellFailure(TOPOLOGY, error));
    return UNKNOWN;
  }
}

function tellFailure(args: readonly string[], error: unknown): string {
  const call = `nvidia-smi ${args.join(' ')}`;
  if (error instanceof ProgramError) return `${call} ${error.message}.`;
  if (error instanceof SmiFormatError) return `${call}: ${error.message}; run it by hand to see more.`;
  throw error;
}
