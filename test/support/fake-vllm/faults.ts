/** What is wrong with this vLLM, or with what stands before it. Each was reported of a real one; the trainer has to notice, or not to be hit. */
export interface Faults {
  /** An adapter is said to be loaded, and the base model answers under its name. */
  servesBase: boolean;
  /** The same for adapters that were loaded well before, from one moment to the next. */
  losesAdapters: boolean;
  /** An adapter is said to be loaded, and its name is not known afterwards. */
  halfLoads: boolean;
  /** Blocks of the prefix cache are found by the adapter's name: a name that is loaded again answers known prompts with the adapter that it had before. */
  staleCache: boolean;
  /** After waking up, every adapter that was loaded before is listed and the base model answers under its name. */
  losesAdaptersInSleep: boolean;
  /** This endpoint is never answered. */
  hangsAt: string | null;
  /** It is answered and stays awake. */
  ignoresSleep: boolean;
  /** The engine is dead: `/health` answers 503. */
  dead: boolean;
  /** The engine has requests running and none of them gets on. */
  stuck: boolean;
  /** Milliseconds for which it goes on drawing before it answers a request for completions. */
  slowMs: number;
  /** What is wrong with the next answers to requests for completions. */
  garbles: Garbled | null;
  /** What comes in place of the next answers to requests for completions. */
  front: FrontFault | null;
  /** How many requests for completions meet `garbles` and `front`. */
  times: number;
}

/** An answer of vLLM's shape that is none to the request. */
export type Garbled =
  | 'swapped order'
  | 'too few choices'
  | 'a choice twice'
  | 'logprobs -9999'
  | 'logprobs null'
  | 'a positive logprob'
  | 'fewer logprobs'
  | 'tokens beyond the vocabulary'
  | 'too many tokens'
  | 'another prompt'
  | 'another model'
  | 'another request'
  | 'an aborted choice';

/** What a proxy, a server that starts, or a bad network does. */
export type FrontFault =
  | 'a page'
  | 'a page with 502'
  | '503'
  | '429'
  | 'a reset'
  | 'half a body'
  | 'a body that breaks off'
  | 'an endless body'
  | 'a slow drip'
  | 'silence';

export const noFaults: Faults = {
  servesBase: false,
  losesAdapters: false,
  halfLoads: false,
  staleCache: false,
  losesAdaptersInSleep: false,
  hangsAt: null,
  ignoresSleep: false,
  dead: false,
  stuck: false,
  slowMs: 0,
  garbles: null,
  front: null,
  times: Number.POSITIVE_INFINITY,
};

/** Whether the fault strikes this time; counts it. */
export function strikes(faults: Faults, fault: 'garbles' | 'front'): boolean {
  if (faults[fault] === null || faults.times <= 0) return false;
  faults.times -= 1;
  return true;
}
