/** So many steps without a group to learn from are no chance any more. */
const MANY = 10;

/** Watches for a policy that has nothing to learn any more; says so once. @returns the warning, at the step where it is due */
export function createIdleWatch(): (step: number, groupsKept: number) => string | null {
  let idle = 0;
  let told = false;
  return (step, groupsKept) => {
    idle = groupsKept === 0 ? idle + 1 : 0;
    if (told || idle < MANY) return null;
    told = true;
    return (
      `Steps ${step - MANY + 1} to ${step} learned nothing: in every group all completions got the same reward. ` +
      'Raise rollout.temperature or rollout.num_rollouts if they are all alike; if they became so while it trained, resume from an earlier checkpoint with a lower training.learning_rate; ' +
      'if they are not, look whether the reward tells good from bad, or take tasks that are neither too easy nor too hard.'
    );
  };
}
