import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import { goldenBase } from './base.ts';

/** Writes the model that `make_golden.py` trains. */
const directory = process.argv[2];
if (directory === undefined) throw new Error('Name the directory to write to: node dist/test/golden/hf-trainer/make-base.js <directory>');
await makeTinyModel(directory, goldenBase);
