import { describe } from 'vitest';
import { describeExactResume } from '../support/exact-resume.ts';
import { noMinio, startTandemOnS3 } from '../support/tandem-on-s3.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';

describe.skipIf(noMinio)(`a real object store (${noMinio ?? 'MinIO'})`, () => {
  describeExactResume('an object store', { kills: full ? 12 : 1, all: full }, () => startTandemOnS3());
});
