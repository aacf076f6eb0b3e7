/** A number of GPUs, or the indices of certain ones. */
export type ProfileGpus = number | readonly number[];

interface Role {
  gpus: ProfileGpus;
  gpu_memory_utilization: number | null;
}

/** What of a profile can contradict itself. */
export interface CheckedProfile {
  mode: 'split' | 'shared' | 'none';
  inference: Role & { tensor_parallel_size: number };
  trainer: Role;
  hand_off: 'none' | 'sleep';
}

interface Issue {
  path: string[];
  message: string;
}

export function gpuCount(gpus: ProfileGpus): number {
  return typeof gpus === 'number' ? gpus : gpus.length;
}

/** What no host could make true of a profile, with the arithmetic. */
export function checkGpuProfile(profile: CheckedProfile): Issue[] {
  const { mode, inference, hand_off } = profile;
  return [
    ...checkRole('inference', inference),
    ...checkRole('trainer', profile.trainer),
    ...checkGroups(inference),
    ...(mode === 'none' ? checkNone(profile) : mode === 'split' ? checkSplit(profile) : checkShared(profile)),
    ...(hand_off !== 'none' && mode !== 'shared'
      ? [{ path: ['hand_off'], message: `is ${hand_off}, but ${mode} roles share no GPU; set it to none` }]
      : []),
  ];
}

function checkRole(name: string, { gpus, gpu_memory_utilization: share }: Role): Issue[] {
  const path = [name, 'gpu_memory_utilization'];
  const count = gpuCount(gpus);
  const twice = typeof gpus === 'number' ? [] : gpus.filter((index, at) => gpus.indexOf(index) !== at);
  return [
    ...(twice.length > 0 ? [{ path: [name, 'gpus'], message: `names GPU ${twice[0]} twice` }] : []),
    ...(count > 0 && share === null ? [{ path, message: `is null, but the role has ${count} GPUs` }] : []),
    ...(count === 0 && share !== null
      ? [{ path, message: `is ${share}, but the role has no GPU; set it to null` }]
      : []),
  ];
}

function checkGroups({ gpus, tensor_parallel_size: size }: CheckedProfile['inference']): Issue[] {
  const count = gpuCount(gpus);
  if (count === 0 || count % size === 0) return [];
  const message = `${count} GPUs are no whole number of groups of ${size}: ${count} = ${Math.floor(count / size)} × ${size} + ${count % size}`;
  return [{ path: ['inference', 'tensor_parallel_size'], message }];
}

function checkNone({ inference, trainer }: CheckedProfile): Issue[] {
  return Object.entries({ inference, trainer }).flatMap(([name, { gpus }]) =>
    gpuCount(gpus) === 0 ? [] : [{ path: [name, 'gpus'], message: 'must be 0 in mode none' }],
  );
}

function checkSplit({ inference, trainer }: CheckedProfile): Issue[] {
  const issues: Issue[] = [];
  for (const [name, { gpus }] of Object.entries({ inference, trainer })) {
    if (gpuCount(gpus) === 0)
      issues.push({ path: [name, 'gpus'], message: 'is 0, but in mode split each role has GPUs' });
  }
  const [server, own] = [inference.gpus, trainer.gpus];
  if (typeof server === 'number' || typeof own === 'number') return issues;
  const both = own.filter((index) => server.includes(index));
  if (both.length > 0) {
    const message = `names GPU ${both.join(', ')}, which inference has too; in mode split the sets are disjoint`;
    issues.push({ path: ['trainer', 'gpus'], message });
  }
  return issues;
}

function checkShared({ inference, trainer, hand_off }: CheckedProfile): Issue[] {
  const issues: Issue[] = [];
  if (show(inference.gpus) !== show(trainer.gpus) || gpuCount(trainer.gpus) === 0) {
    const message = `is ${show(trainer.gpus)}, inference has ${show(inference.gpus)}; in mode shared both have the same GPUs, one at least`;
    issues.push({ path: ['trainer', 'gpus'], message });
  }
  const [server, own] = [inference.gpu_memory_utilization ?? 0, trainer.gpu_memory_utilization ?? 0];
  const refusal = refuseBudgets(server, own, hand_off);
  if (refusal !== null) issues.push({ path: ['trainer', 'gpu_memory_utilization'], message: refusal });
  return issues;
}

/** Why two roles cannot live on the same GPUs, or null. With `sleep` only one of them holds memory at a time. */
export function refuseBudgets(server: number, trainer: number, handOff: 'none' | 'sleep'): string | null {
  const sum = Math.round((server + trainer) * 1000) / 1000;
  if (handOff === 'sleep' || sum <= 1) return null;
  return `server and trainer share the memory: ${server} + ${trainer} = ${sum}, more than 1; lower one, or hand off by sleep`;
}

function show(gpus: ProfileGpus): string {
  return typeof gpus === 'number' ? String(gpus) : `[${[...gpus].sort((a, b) => a - b).join(', ')}]`;
}
