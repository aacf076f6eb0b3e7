/** What is wrong with this vLLM. Each was reported of a real one; the trainer has to notice, or not to be hit. */
export interface Faults {
  /** An adapter is said to be loaded, and the base model answers under its name. */
  servesBase: boolean;
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
}

export const noFaults: Faults = {
  servesBase: false,
  staleCache: false,
  losesAdaptersInSleep: false,
  hangsAt: null,
  ignoresSleep: false,
  dead: false,
};
