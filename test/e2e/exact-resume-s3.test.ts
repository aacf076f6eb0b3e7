import { describe } from 'vitest';
import { describeExactResume } from '../support/exact-resume.ts';
import { noMinio, startTandemOnS3 } from '../support/tandem-on-s3.ts';

describe.skipIf(noMinio)(`a real object store (${noMinio ?? 'MinIO'})`, () => {
  describeExactResume('an object store', () => startTandemOnS3());
});
