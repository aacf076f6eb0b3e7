import type { RunSpec } from '../../contracts/run-spec.ts';
import type { RoleSpec, Runtime } from './runtime.ts';

/** The programs of the two roles, as absolute paths of built files where the roles run. */
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

type Place = Pick<Runtime, 'workspace' | 'sharedDirectory' | 'seenAt' | 'listenAt'>;
interface PlannedRun {
  id: string;
  spec: RunSpec;
  model_directory: string;
  base_adapter_directory: string | null;
  train_data: string | null;
  val_data: string | null;
}

/** What a role gets of the machine. */
export interface RoleShare {
  gpus: readonly string[];
  epoch: number | null;
  shmGib: number;
}

/** How the inference server of a run is started; argument names are vLLM's where it has them. */
export function inferenceRole(params: {
  run: PlannedRun;
  attempt: number;
  start: number;
  share: RoleShare;
  runtime: Place;
  programs: Programs;
}): RoleSpec {
  const { run, attempt, start, share, runtime, programs } = params;
  const { spec } = run;
  const { host, port } = runtime.listenAt;
  const identity = { run: run.id, attempt, role: 'inference', start } as const;
  const lora = ['--enable-lora', '--max-lora-rank', `${spec.model.lora.r}`, '--max-loras', `${LOADED_ADAPTERS}`];
  return {
    identity,
    command: [
      ...[programs.node, programs.inference],
      ...['--model', runtime.seenAt(run.model_directory)],
      ...['--served-model-name', run.id],
      ...['--host', host, '--port', `${port}`],
      ...['--max-model-len', `${spec.model.max_seq_length}`],
      ...(spec.model.use_lora ? lora : []),
      ...['--adapters-root', runtime.sharedDirectory({ run: run.id, attempt })],
      ...['--ready-file', `${runtime.workspace(identity)}/${READY_FILE}`],
    ],
    env: {},
    files: {},
    image: null,
    inputs: [run.model_directory],
    ...share,
    health: [programs.node, '-e', probe(`http://127.0.0.1:${port}/health`)],
  };
}

/** How the trainer of a run is started. Everything else it asks the agent API for. */
export function trainerRole(params: {
  run: PlannedRun;
  attempt: number;
  token: string;
  agentUrl: string;
  share: RoleShare;
  /** A folder outside the store that it starts from. */
  startDirectory: string | null;
  runtime: Place;
  programs: Programs;
}): RoleSpec {
  const { run, attempt, token, agentUrl, share, startDirectory, runtime, programs } = params;
  const { spec } = run;
  const identity = { run: run.id, attempt, role: 'trainer', start: 1 } as const;
  const workspace = runtime.workspace(identity);
  return {
    identity,
    command: spec.trainer === 'image' ? [] : [programs.node, programs.trainer],
    env: {
      TANDEM_AGENT_URL: agentUrl,
      TANDEM_ATTEMPT_ID: `${run.id}.a${attempt}`,
      TANDEM_TOKEN_FILE: `${workspace}/${TOKEN_FILE}`,
      TANDEM_WORKSPACE: workspace,
    },
    files: { [TOKEN_FILE]: token },
    image: spec.trainer === 'image' ? spec.trainer_image : null,
    inputs: [run.model_directory, run.base_adapter_directory, run.train_data, run.val_data, startDirectory].filter(
      (path) => path !== null,
    ),
    ...share,
    health: null,
  };
}

/** A program of one line that fails unless the URL is answered with success. */
function probe(url: string): string {
  return `fetch('${url}').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
}
