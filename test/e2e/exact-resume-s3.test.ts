import { describe } from 'vitest';
import { describeExactResume } from '../support/exact-resume.ts';
import { noMinio, startTandemOnS3 } from '../support/tandem-on-s3.ts';

describe.skipIf(noMinio)(`a real object store (${noMinio ?? 'MinIO'})`, () => {
  describeExactResume('an object store', process.env['TANDEM_TEST_FULL'] ? 12 : 1, () => startTandemOnS3());
});
