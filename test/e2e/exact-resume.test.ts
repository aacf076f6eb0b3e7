import { describeExactResume } from '../support/exact-resume.ts';
import { startTandem } from '../support/tandem.ts';

describeExactResume('files', process.env['TANDEM_TEST_FULL'] ? 12 : 1, async () => {
  const tandem = await startTandem();
  return { tandem, dispose: () => tandem.dispose() };
});
