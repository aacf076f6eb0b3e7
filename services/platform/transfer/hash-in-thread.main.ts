import { parentPort, workerData } from 'node:worker_threads';
import { type HashOrder, hashOrder } from './hash-in-thread.ts';

/** The thread that hashes a large file for `hashInThread`. What goes wrong ends it, and is thrown there. */
if (parentPort === null) throw new Error('this program is started as a thread by hash-in-thread.ts');
parentPort.postMessage(await hashOrder(workerData as HashOrder));
