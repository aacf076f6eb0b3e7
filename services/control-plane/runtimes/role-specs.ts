import type { RunSpec } from '../../contracts/run-spec.ts';
import type { RoleSpec, Runtime } from './runtime.ts';

/** The programs of the two roles, as absolute paths of built files. */
export interface Programs {
  node: string;
  inference: string;
  trainer: string;
}

export const READY_FILE = 'ready.json';
export const TOKEN_FILE = 'token';
export const SPOOL_FILE = 'spool.jsonl';
/** The adapter in use and the one that replaces it. */
const LOADED_ADAPTERS = 2;

type Place = Pick<Runtime, 'workspace' | 'sharedDirectory'>;
interface PlannedRun {
  id: string;
  spec: RunSpec;
  model_directory: string;
}

/** How the inference server of a run is started; argument names are vLLM's where it has them. */
export function inferenceRole(params: {
  run: PlannedRun;
  attempt: number;
  start: number;
  runtime: Place;
  programs: Programs;
}): RoleSpec {
  const { run, attempt, start, runtime, programs } = params;
  const { spec } = run;
  const identity = { run: run.id, attempt, role: 'inference', start } as const;
  const lora = ['--enable-lora', '--max-lora-rank', `${spec.model.lora.r}`, '--max-loras', `${LOADED_ADAPTERS}`];
  return {
    identity,
    command: [
      ...[programs.node, programs.inference],
      ...['--model', run.model_directory],
      ...['--served-model-name', run.id],
      ...['--host', '127.0.0.1', '--port', '0'],
      ...['--max-model-len', `${spec.model.max_seq_length}`],
      ...(spec.model.use_lora ? lora : []),
      ...['--adapters-root', runtime.sharedDirectory({ run: run.id, attempt })],
      ...['--ready-file', `${runtime.workspace(identity)}/${READY_FILE}`],
    ],
    env: {},
    files: {},
  };
}

/** How the trainer of a run is started. Everything else it asks the agent API for. */
export function trainerRole(params: {
  run: PlannedRun;
  attempt: number;
  token: string;
  agentUrl: string;
  runtime: Place;
  programs: Programs;
}): RoleSpec {
  const { run, attempt, token, agentUrl, runtime, programs } = params;
  const identity = { run: run.id, attempt, role: 'trainer', start: 1 } as const;
  const workspace = runtime.workspace(identity);
  return {
    identity,
    command: [programs.node, programs.trainer],
    env: {
      TANDEM_AGENT_URL: agentUrl,
      TANDEM_ATTEMPT_ID: `${run.id}.a${attempt}`,
      TANDEM_TOKEN_FILE: `${workspace}/${TOKEN_FILE}`,
      TANDEM_WORKSPACE: workspace,
    },
    files: { [TOKEN_FILE]: token },
  };
}
