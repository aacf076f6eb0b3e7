import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { createAgentClient } from '../agent/agent-client.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { explainFailure } from '../failure.ts';
import { saveCheckpoint } from './save-checkpoint.ts';
import type { SaveReply, SaveRequest, SaveWorkerData } from './save-messages.ts';
import { yieldToTraining } from './yield-to-training.ts';

/** The thread that writes, hashes and sends checkpoints, so that the one that trains does nothing of it. */
if (parentPort === null) throw new Error('this program is started as a thread by save-worker.ts');
const port = parentPort;
yieldToTraining();
const client = createAgentClient((workerData as SaveWorkerData).agent);
const giveUp = new AbortController();
setMaxListeners(0, giveUp.signal);
let held: CheckpointSnapshot | null = null;

async function save({ directory, commit }: Extract<SaveRequest, { kind: 'save' }>): Promise<SaveReply> {
  try {
    if (held === null) throw new Error('there is no snapshot to save');
    await saveCheckpoint({ client, snapshot: held, directory, commit, signal: giveUp.signal });
    return { kind: 'saved' };
  } catch (error) {
    const { reason, message, remedy } = explainFailure(error);
    return { kind: 'failed', reason, message, remedy, details: inspect(error) };
  }
}

port.on('message', (request: SaveRequest) => {
  switch (request.kind) {
    case 'hold':
      held = request.snapshot;
      break;
    case 'save':
      void save(request).then((reply) => port.postMessage(reply));
      break;
    case 'give_up':
      giveUp.abort(new Error(request.why));
      break;
    case 'drop':
      held = null;
      break;
  }
});
