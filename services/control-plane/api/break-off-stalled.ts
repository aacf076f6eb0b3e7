import type { ServerResponse } from 'node:http';

/** How long a reader may take nothing, in milliseconds. */
export const STALL_MS = 60_000;

/** Breaks a long answer off once its reader has taken nothing for so long: it holds a place, a file and a connection that others wait for. */
export function breakOffStalled(response: ServerResponse, stallMs: number): void {
  response.setTimeout(stallMs, () => response.destroy());
}
