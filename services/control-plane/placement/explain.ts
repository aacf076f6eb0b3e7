import { LINK_CLASS, type LinkClass, type PlaceableGpu, type TakenGpus } from './gpu-map.ts';
import type { Score } from './score.ts';
import { countOf, fixedOf, type GpuShape, gpusOf } from './shape.ts';

const LINK_WORDS: Readonly<Record<LinkClass, string>> = {
  [LINK_CLASS.nvlink]: 'NVLink',
  [LINK_CLASS.pcieSwitch]: 'a PCIe switch',
  [LINK_CLASS.node]: 'the host bridge of one NUMA node',
  [LINK_CLASS.sockets]: 'the link between sockets',
};

/** Why a run goes where it goes: the links it gets, what it leaves, and out of how many placements. */
export function explainPlacement(
  { trainer, groups }: { trainer: readonly PlaceableGpu[]; groups: readonly (readonly PlaceableGpu[])[] },
  score: Score,
  { compared, complete }: { compared: number; complete: boolean },
): string {
  const roles = [
    ...(groups.length === 0
      ? []
      : [`server on ${groups.map(showIndices).join(' and ')}${over(groups[0]!, score.groupLink)}`]),
    ...(trainer.length === 0 ? [] : [`trainer on ${showIndices(trainer)}${over(trainer, score.trainerLink)}`]),
  ];
  const left = score.nodesLeft.reduce((total, each) => total + each, 0);
  const whole = [
    ...showSizes('NVLink cliques', score.nvlinkLeft),
    ...showSizes('PCIe switches', score.nvlinkLeft.some((size) => size > 1) ? [] : score.switchLeft),
    ...showSizes('NUMA nodes', score.nodesLeft),
  ];
  const leaves = `leaves ${left === 0 ? 'none' : left} free${whole.length === 0 ? '' : ` (${whole.join(', ')})`}`;
  const scope = complete ? `best of ${compared}` : `best of the ${compared} that were compared`;
  return `${roles.join(', ')}; ${leaves}; ${scope}`;
}

/** Why a shape has no place now, in numbers. */
export function explainNoFit(shape: GpuShape, gpus: readonly PlaceableGpu[], taken: TakenGpus): string {
  const fixed = fixedOf(shape);
  const missing = fixed.flatMap((index) => {
    const gpu = gpus.find((each) => each.index === index);
    if (gpu === undefined) return [`${index} is not there`];
    const state = stateOf(gpu, taken);
    if (state !== 'free') return [`${index} is ${state}`];
    return gpu.memoryMiB < shape.memoryMiB ? [`${index} has ${showGiB(gpu.memoryMiB)}`] : [];
  });
  if (missing.length > 0) return `cannot fit: needs GPUs ${showList(fixed)}${memory(shape)}; ${missing.join(', ')}`;
  const free = gpus.filter((gpu) => stateOf(gpu, taken) === 'free');
  const small = free.filter(({ memoryMiB }) => memoryMiB < shape.memoryMiB).length;
  const others = ['leased', 'busy', 'quarantined', 'unhealthy'].flatMap((state) => {
    const count = gpus.filter((gpu) => stateOf(gpu, taken) === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  const reasons = [...(small === 0 ? [] : [`${small} with less memory`]), ...others].map((each) => `, ${each}`);
  return `cannot fit: needs ${gpusOf(shape)}${memory(shape)}, free ${free.length - small}${reasons.join('')}`;
}

/**
 * What no lease that ends would change: GPUs or memory that there are not. Null where the shape fits an idle host.
 * @param have the words before how many there are
 */
export function explainNeverFits(
  shape: GpuShape,
  gpus: readonly PlaceableGpu[],
  have = 'this host has',
): string | null {
  const needs = `needs ${gpusOf(shape)} GPU${gpusOf(shape) === 1 ? '' : 's'}${memory(shape)}${showShares(shape)}`;
  const absent = fixedOf(shape).filter((fixed) => gpus.every(({ index }) => index !== fixed));
  if (absent.length > 0) {
    const known = gpus.length === 0 ? 'none' : showList(gpus.map(({ index }) => index));
    return `needs the GPUs ${showList(fixedOf(shape))}, ${have} ${known}`;
  }
  const large = gpus.filter(({ memoryMiB }) => memoryMiB >= shape.memoryMiB);
  const small = fixedOf(shape).filter((fixed) => large.every(({ index }) => index !== fixed));
  if (large.length >= gpusOf(shape) && small.length === 0) return null;
  if (gpus.length < gpusOf(shape)) return `${needs}, ${have} ${gpus.length}`;
  const largest = showGiB(Math.max(...gpus.map(({ memoryMiB }) => memoryMiB)));
  return `${needs}, ${have} ${gpus.length}, ${large.length} of them with so much (the largest has ${largest})`;
}

function stateOf(gpu: PlaceableGpu, taken: TakenGpus): string {
  return taken.get(gpu.uuid) ?? (gpu.healthy ? 'free' : 'unhealthy');
}

function memory({ memoryMiB }: GpuShape): string {
  return memoryMiB === 0 ? '' : ` of ${showGiB(memoryMiB)} or more`;
}

function showShares({ mode, trainer, inference }: GpuShape): string {
  if (mode === 'shared') return ' (shared by both roles)';
  if (countOf(inference) === 0) return ' (for the trainer alone)';
  return ` (${countOf(inference)} for inference, ${countOf(trainer)} for the trainer)`;
}

function over(gpus: readonly PlaceableGpu[], link: LinkClass): string {
  return gpus.length < 2 ? '' : ` over ${LINK_WORDS[link]}`;
}

/** Sets of one GPU are not worth a word. */
function showSizes(what: string, sizes: readonly number[]): string[] {
  const large = sizes.filter((size) => size > 1);
  return large.length === 0 ? [] : [`${what} of ${large.join(' + ')}`];
}

function showIndices(gpus: readonly PlaceableGpu[]): string {
  return showList(gpus.map(({ index }) => index));
}

function showList(indices: readonly number[]): string {
  return indices.join(',');
}

function showGiB(mib: number): string {
  return `${Math.round((mib / 1024) * 10) / 10} GiB`;
}
