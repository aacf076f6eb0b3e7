import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes a minute and more, the slowest first. */
const SLOW = [
  'e2e/docker-life',
  'e2e/other-trainer',
  'e2e/exact-resume',
  'e2e/steering',
  'faults/s3-faults',
  'faults/recovery',
  'faults/s3-multipart',
  'faults/rebuild',
  'e2e/exact-resume-s3',
  'e2e/run-life',
  'faults/s3-kills',
  'faults/signals',
  'e2e/managed-vllm',
  'faults/full-disk',
  'integration/docker-api',
  'faults/gpu-storm',
  'faults/docker-storm',
  'e2e/docker-fake',
  'faults/s3-full-disk',
  'e2e/gpu-preemption',
  'faults/control-plane-killed',
];

/** Starts the slowest files first, so that none of them runs alone at the end. Vitest knows durations of the last run only, which a clean clone has not had. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = SLOW.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return at === -1 ? SLOW.length : at;
}
