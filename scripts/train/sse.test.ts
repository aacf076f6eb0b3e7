import { expect, it } from 'vitest';
import { readEvents, type SentEvent } from './sse.ts';

async function* chunksOf(text: string, size: number) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const text =
  'retry: 2000\n\n: heartbeat\n\nid: 1:7\nevent: log\ndata: {"m":"4 × 4"}\n\ndata: a\ndata: b\n\nevent: end\ndata: {}\n\nid: 9\ndata: cut o';

it.each([1, 2, 3, 7, 1000])('reads events however they are cut, here into %i bytes', async (size) => {
  const events: SentEvent[] = [];
  for await (const event of readEvents(chunksOf(text, size))) events.push(event);
  expect(events).toEqual([
    { id: '1:7', name: 'log', data: '{"m":"4 × 4"}' },
    { id: null, name: 'message', data: 'a\nb' },
    { id: null, name: 'end', data: '{}' },
  ]);
});
