import { describeGolden } from './golden.contract.ts';
import { startKernels } from './testing/support.ts';

describeGolden('wasm', startKernels);
