import { describeObjectStore } from '../object-store.contract.ts';
import { openMemoryStore } from './memory-store.ts';

describeObjectStore('memory', openMemoryStore);
