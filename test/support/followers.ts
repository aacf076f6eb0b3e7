import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface StreamEvent {
  id: string;
  event: string;
  data: unknown;
}

/** The events of a stream as they come, until it ends or breaks. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<StreamEvent> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() as string;
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      const data = fields.get('data');
      if (data !== undefined)
        yield { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) };
    }
  }
}

/** Opens a stream on a connection of its own. */
export function openStream(url: string, lastEventId?: string): Promise<IncomingMessage> {
  const headers = {
    accept: 'text/event-stream',
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  };
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, resolve).on('error', reject);
  });
}

/**
 * What an EventSource does: reads, and when the connection breaks connects again with the last id it has seen, until the stream says `end` or
 * answers 204. Returns every event with an id, in the order of arrival.
 */
export async function followToTheEnd(url: string): Promise<{ received: StreamEvent[]; connections: number }> {
  const received: StreamEvent[] = [];
  for (let connections = 1; ; connections++) {
    try {
      const response = await openStream(url, received.at(-1)?.id);
      if (response.statusCode === 204) return { received, connections };
      if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`);
      for await (const each of eventsOf(response)) {
        if (each.event === 'end') return { received, connections };
        if (each.id !== '') received.push(each);
      }
    } catch (error) {
      if (!/ECONNRE|aborted|socket hang up/.test(String(error))) throw error;
    }
    await sleep(20);
  }
}
