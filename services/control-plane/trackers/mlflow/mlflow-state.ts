import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectory, writeFileAtomic } from '../../../platform/atomic-file.ts';

const stateSchema = z.object({
  run: z.string(),
  tracking_uri: z.string(),
  experiment_id: z.string(),
  run_id: z.string(),
  run_name: z.string(),
  /** Which records counted when it was written; where others do now, all are looked at again. */
  axis: z.array(z.object({ attempt: z.int(), upTo: z.int() })),
  /** Everything up to this record is there. */
  cursor: z.object({ attempt: z.int(), n: z.int() }),
  last_step: z.int().nullable(),
  last_sent_at: z.string().nullable(),
  /** The run's status there, as it was told last. */
  status: z.string(),
});

/** Where a run is in MLflow. It saves looking: what it says too little of is found out from the server. */
export type MlflowState = z.output<typeof stateSchema>;

/** The file in a run's tree. */
export const MLFLOW_STATE_FILE = 'mlflow_sync_state.json';

/** null where there is none for this run on this server. */
export async function readMlflowState(
  tree: string,
  { run, uri }: { run: string; uri: string },
): Promise<MlflowState | null> {
  const text = await readFile(join(tree, MLFLOW_STATE_FILE), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  const state = stateSchema.safeParse(parse(text));
  return state.success && state.data.run === run && state.data.tracking_uri === uri ? state.data : null;
}

export async function writeMlflowState(tree: string, state: MlflowState): Promise<void> {
  await makeDirectory(tree);
  await writeFileAtomic(join(tree, MLFLOW_STATE_FILE), `${JSON.stringify(state, null, 1)}\n`);
}

function parse(text: string | null): unknown {
  try {
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}
