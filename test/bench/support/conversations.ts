import { median, timedInTurns } from './measure.ts';
import type { RolloutServer } from './rollout-server.ts';

/** Four conversations at a time: each turn goes on from all that was said, with words of its own and an answer to them. */
const CONVERSATIONS = 4;
const TURNS = 4;
const FIRST_TOKENS = 128;
const LATER_TOKENS = 64;
const ANSWER_TOKENS = 32;
const REPEATS = 3;

/** Context that the conversations need. */
export const conversationTokens = FIRST_TOKENS + (TURNS - 1) * (LATER_TOKENS + ANSWER_TOKENS) + ANSWER_TOKENS;

export interface ReuseFigures {
  /** Time of a round of conversations that find no earlier turn, over that of a round that does. */
  readonly gain: number;
  /** Share of the prompt tokens that were not computed again. */
  readonly hits: number;
}

/** The same conversations with and without the keys of their earlier turns, in turns. The server forgets by a salt that is never used again. */
export async function measureReuse(server: RolloutServer): Promise<ReuseFigures> {
  let salts = 0;
  const fresh = () => `salt-${++salts}`;
  const withReuse = () => everyone(server, fresh(), (salt) => salt);
  const without = () => everyone(server, fresh(), fresh);
  const [first, second] = [await withReuse(), await without()];
  if (first !== second) throw new Error('the server answers otherwise when it finds earlier turns again');
  const counted = await hitsOf(server, withReuse);
  const times = await timedInTurns({ withReuse, without }, { count: REPEATS, warmup: 0 });
  return { gain: median(times.without) / median(times.withReuse), hits: counted };
}

async function hitsOf(server: RolloutServer, work: () => Promise<unknown>): Promise<number> {
  const names = ['vllm:prefix_cache_queries_total', 'vllm:prefix_cache_hits_total'];
  const read = () => Promise.all(names.map((name) => server.metric(name)));
  const before = await read();
  await work();
  const [queries, hits] = (await read()).map((value, i) => value - before[i]!);
  return hits! / queries!;
}

/** @returns all that was answered, as text */
async function everyone(server: RolloutServer, salt: string, saltOf: (salt: string) => string): Promise<string> {
  const talks = Array.from({ length: CONVERSATIONS }, async (_, talk) => {
    let prompt = words(FIRST_TOKENS, talk);
    for (let turn = 0; turn < TURNS; turn++) {
      if (turn > 0) prompt = [...prompt, ...words(LATER_TOKENS, talk + 31 * turn)];
      const [answer] = await server.complete({
        ...{ prompt, n: 1, tokens: ANSWER_TOKENS, seed: talk, cacheSalt: saltOf(`${salt}-${talk}`) },
      });
      prompt = [...prompt, ...answer!];
    }
    return prompt.join();
  });
  return (await Promise.all(talks)).join('\n');
}

function words(count: number, from: number): number[] {
  return Array.from({ length: count }, (_, i) => 3 + ((from * 7 + i * 5) % 200));
}
