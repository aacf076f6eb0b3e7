import { describeObjectStore } from '../object-store.contract.ts';
import { describeObjectTransfers } from '../object-transfers.contract.ts';
import { openMemoryStore } from './memory-store.ts';

describeObjectStore('memory', openMemoryStore);
describeObjectTransfers('memory', openMemoryStore);
