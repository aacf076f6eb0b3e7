import { describe } from 'vitest';
import { startEngine } from '../../services/model/backend.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { describeGolden } from '../../services/model/golden.contract.ts';
import { createKernels } from '../../services/model/kernels/create-kernels.ts';
import { describeKernels } from '../../services/model/kernels/kernels.contract.ts';
import { describeRandomModels } from '../../services/model/random-models.contract.ts';

const here = findAddons(process.env).cpu !== null;
const start = async () => createKernels(await startEngine({ engine: 'node' }));

describe.skipIf(!here)('TensorFlow on cores (needs ./scripts/install-tensorflow.sh)', () => {
  describeKernels('node', start);
  describeGolden('node', start);
  describeRandomModels('node', start);
});
