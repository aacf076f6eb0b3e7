/** 1 when the completion, without white space around it, is the answer. */
export function exactReward(completion: string, answer: string): number {
  return completion.trim() === answer.trim() ? 1 : 0;
}
