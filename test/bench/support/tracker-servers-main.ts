import { startFakeMlflow } from '../../../services/control-plane/trackers/mlflow/mlflow-server.fixture.ts';
import { startWandbServer } from '../../support/wandb-server.ts';

/* Forked: servers that take what trackers send, where neither they nor the control plane share a process with the other. Says where they are. */
const [wandb, mlflow] = await Promise.all([startWandbServer(), startFakeMlflow()]);
process.on('disconnect', () => process.exit(0));
process.send?.({ wandb: wandb.url, wandbKey: wandb.apiKey, mlflow: mlflow.uri });
