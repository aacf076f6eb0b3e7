import path from 'node:path';
import { type TestTask, testAttempt, testSpec, writeTestTask } from './attempt.ts';
import { live, modelOf } from './lives.ts';

/** Additions of digits, and a model that has imitated some of them: it answers with digits, a part of them right, so that rewards of a group differ. */
export async function writeImitatedTask(
  directory: string,
  size: { readonly train: number; readonly validation: number },
): Promise<TestTask> {
  const random = await writeTestTask(path.join(directory, 'task'), { ...size, limit: 5 });
  const imitate = { batch_size: 20, max_steps: 8, learning_rate: 5e-3, eval_steps: 0, run_baseline_eval: false };
  const spec = testSpec(random, { method: 'sft', model: { use_lora: false }, training: imitate });
  const imitated = await live(testAttempt({ spec, task: random, directory }), path.join(directory, 'sft'));
  return { ...random, model: await modelOf(imitated, path.join(directory, 'model')) };
}
