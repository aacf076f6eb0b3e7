import { resolve } from 'node:path';
import { readSettings } from '../../services/control-plane/settings.ts';
import { startControlPlane } from '../../services/control-plane/start-control-plane.ts';

const root = resolve(import.meta.dirname, '../../..');

/** A control plane as `npm start` runs it, whose trainers are `services/contracts/plain_trainer.py`. It knows no inference servers. */
await startControlPlane({
  settings: readSettings(process.env, process.cwd()),
  environment: process.env,
  cwd: process.cwd(),
  version: '0.0.0',
  programs: { node: 'python3', trainer: resolve(root, 'services/contracts/plain_trainer.py'), inference: '/nowhere' },
  gpuProfiles: resolve(root, 'gpu-profiles'),
});
