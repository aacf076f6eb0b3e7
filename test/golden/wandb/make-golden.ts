import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { recorded, trackBySdk, trackByTandem } from '../../support/wandb-sdk.ts';

/** `node dist/test/golden/wandb/make-golden.js <python with wandb>`: what the SDK makes of the run, into `sdk.json`. */
const [python = 'python3'] = process.argv.slice(2);
const version = execFileSync(python, ['-c', 'import wandb, sys; print(wandb.__version__, sys.version.split()[0])'], { encoding: 'utf8' });
const [wandb, pythonVersion] = version.trim().split(' ');
const held = recorded(await trackBySdk(python, await trackByTandem()));
writeFileSync('test/golden/wandb/sdk.json', `${JSON.stringify({ wandb, python: pythonVersion, held }, null, 1)}\n`);
