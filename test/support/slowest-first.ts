import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes a minute and more alone, the slowest first. */
const SLOW = [
  'e2e/docker-life',
  'faults/s3-faults',
  'e2e/other-trainer',
  'e2e/own-server-docker',
  'e2e/steering',
  'faults/s3-multipart',
  'faults/s3-kills',
  'e2e/s3-life',
  'faults/docker-storm',
  'faults/control-plane-killed',
  'faults/signals',
  'e2e/run-life',
  'e2e/exact-resume',
  'faults/gpu-storm',
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
