import { setTimeout as sleep } from 'node:timers/promises';
import { renderLine } from '../../services/control-plane/sinks/render-line.ts';
import { type Client, type LogLine, RefusedError, type Run } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { describe, ended } from '../quickstart/watch.ts';
import { readEvents } from './sse.ts';

const POLL_MS = 400;
const RECONNECT_MS = 2000;

/** Shows a run until it has ended: its log lines as they come, and its progress. A control plane that is away for a while is waited for. */
export async function follow(client: Client, id: string): Promise<Run> {
  const closing = new AbortController();
  const lines = showLog(client, id, closing.signal);
  try {
    let tenth = -1;
    for (; ; await sleep(POLL_MS)) {
      const run = await unlessAway(() => client.run(id));
      if (run === null) {
        screen.progress('  the control plane does not answer; the run goes on without it, waiting ...', tenth !== -2);
        tenth = -2;
        continue;
      }
      if (ended.includes(run.status)) {
        // The log may be behind by a line or two.
        await Promise.race([lines, sleep(RECONNECT_MS)]);
        return run;
      }
      const now = describe(run);
      screen.progress(now.text, now.tenth !== tenth);
      tenth = now.tenth;
    }
  } finally {
    closing.abort();
  }
}

async function showLog(client: Client, id: string, signal: AbortSignal): Promise<void> {
  let last: string | null = null;
  while (!signal.aborted) {
    try {
      const answer = await client.stream(`/runs/${id}/logs?follow=true&level=INFO&tail=0`, { last, signal });
      if (answer.status === 204 || answer.body === null) return;
      for await (const event of readEvents(answer.body)) {
        last = event.id ?? last;
        if (event.name === 'end') return;
        if (event.name === 'log') show(JSON.parse(event.data) as LogLine);
      }
    } catch {
      // Away, or over; the next connection goes on after the last line.
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Rollouts and performance have files of their own, with a line for each turn and step. */
function show(line: LogLine): void {
  if (line.component === 'rollout' || line.component === 'performance') return;
  for (const text of renderLine(line).split('\n')) screen.line(`  ${text}`);
}

async function unlessAway<T>(work: () => Promise<T>): Promise<T | null> {
  return work().catch((error: unknown) => {
    if (error instanceof RefusedError && error.status < 500) throw error;
    return null;
  });
}
