import { join, resolve } from 'node:path';
import { readSettings } from '../../../services/control-plane/settings.ts';
import { startControlPlane } from '../../../services/control-plane/start-control-plane.ts';

/** A control plane as `npm start` runs it, whose trainers are the shell script `trainer.sh` of the working directory. */
const cwd = process.cwd();
await startControlPlane({
  settings: readSettings(process.env, cwd),
  environment: process.env,
  cwd,
  version: '0.0.0',
  programs: { node: '/bin/sh', trainer: join(cwd, 'trainer.sh'), inference: join(cwd, 'inference.sh') },
  gpuProfiles: resolve(import.meta.dirname, '../../../../gpu-profiles'),
});
