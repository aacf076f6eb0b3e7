import { describeExactResume } from '../support/exact-resume.ts';
import { startTandem } from '../support/tandem.ts';

describeExactResume('files', { kills: process.env['TANDEM_TEST_FULL'] ? 12 : 1 }, async () => {
  // As many threads as there are cores, which is what users have; other tests have one.
  const tandem = await startTandem({ TANDEM_THREADS: '' });
  return { tandem, dispose: () => tandem.dispose() };
});
