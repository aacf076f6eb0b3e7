import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Gives the thread that calls it the lowest priority: training takes the processors it can use, a save what is left, and when training waits for the save it
 * gets them all. On Linux a priority belongs to a thread (setpriority(2), notes); elsewhere nothing happens.
 */
export function yieldToTraining(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, constants.priority.PRIORITY_LOW);
  } catch {
    // Without /proc a save shares the processors evenly.
  }
}
