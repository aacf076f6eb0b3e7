import { describeExactResume } from '../support/exact-resume.ts';
import { startTandem } from '../support/tandem.ts';

describeExactResume('files', async () => {
  const tandem = await startTandem();
  return { tandem, dispose: () => tandem.dispose() };
});
