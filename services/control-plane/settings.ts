import { delimiter, resolve } from 'node:path';
import { z } from 'zod';
import { parseEnvironment, SettingsError } from '../platform/settings.ts';
import type { HubAccess } from './models/hub-request.ts';
import type { Quota } from './queue/gpu-queue.ts';
import { type DockerSettings, readDockerSettings } from './runtimes/docker/docker-settings.ts';
import { parseAgentAddress } from './settings/agent-address.ts';
import { apiKey, readApiKey } from './settings/api-key.ts';
import { hubEnvironment, readHub, withUpperCaseProxies } from './settings/hub.ts';
import { readS3, type S3Settings, s3Environment } from './settings/s3.ts';
import { flag, isLoopback, list, wholeNumber } from './settings/values.ts';
import { type MlflowSettings, mlflowEnvironment, readMlflow } from './trackers/mlflow/mlflow-settings.ts';
import { readWandb, type WandbSettings, wandbEnvironment } from './trackers/wandb/wandb-settings.ts';

/** How one control plane is set up; everything it reads from its environment is here. */
export interface Settings {
  port: number;
  address: string;
  apiKey: string | null;
  allowedHosts: readonly string[];
  home: string;
  outputs: string;
  /** null: the gateway of the network that trainers are in. */
  agentHost: string | null;
  /** 0: a free port, chosen once and kept in `home.json`. */
  agentPort: number;
  /** Runs at a time. */
  slots: number;
  gpus: GpusSetting;
  /** Indices or UUIDs of the GPUs that may be leased; null: all. */
  visibleGpus: readonly string[] | null;
  quotas: readonly Quota[];
  /** A run is not preempted before it has held its GPUs so long. */
  preemptAfterMs: number;
  /** Directories that paths in run specs may lie in. */
  dataRoots: readonly string[];
  runBaselineEval: boolean;
  verbose: boolean;
  startTimeoutMs: number;
  stopDeadlineMs: number;
  /** An inference server of the user's own, for all runs. */
  vllmApiBase: string | null;
  /** Where models come from that are named, not given. The token goes nowhere else. */
  hub: HubAccess;
  wandb: WandbSettings;
  /** What fetched models may take; null: no bound, and none is removed. */
  modelsMaxBytes: number | null;
  /** Where checkpoints lie; null: as files below the home. */
  s3: S3Settings | null;
  /** The MLflow server of runs that name none. */
  mlflow: MlflowSettings;
  /** How long files that no manifest makes a checkpoint are left alone. */
  sweepGraceMs: number;
  /** null: roles are processes of this machine. */
  docker: DockerSettings | null;
}

/** Where the GPUs of the host are known from; `auto` is nvidia-smi where there is one. */
export type GpusSetting = { source: 'auto' | 'nvidia' | 'none' } | { source: 'file'; path: string };

const environmentSchema = z.object({
  PORT: wholeNumber(0, 65_535).default(8080),
  TANDEM_ADDR: z.string().default('127.0.0.1'),
  TANDEM_API_KEY: apiKey.optional(),
  TANDEM_API_KEY_FILE: z.string().optional(),
  TANDEM_ALLOWED_HOSTS: list(',').default([]),
  TANDEM_HOME: z.string().default('.tandem'),
  TANDEM_OUTPUTS: z.string().default('outputs'),
  TANDEM_AGENT_ADDR: z.string().optional(),
  TANDEM_RUNTIME: z
    .enum(['process', 'docker'], { error: (issue) => `is ${String(issue.input)}; set process or docker` })
    .default('process'),
  TANDEM_SLOTS: wholeNumber(1, 1000).default(1),
  TANDEM_GPUS: z
    .string()
    .default('auto')
    .refine((value) => isGpuSource(value) || /\.ya?ml$/.test(value), {
      error: (issue) =>
        `is ${String(issue.input)}; set auto, nvidia, none, or the path of a .yaml file that describes GPUs`,
    }),
  CUDA_VISIBLE_DEVICES: list(',').optional(),
  TANDEM_PREEMPT_AFTER: wholeNumber(0, 604_800).default(600),
  TANDEM_QUOTAS: list(',')
    .pipe(
      z.array(
        z
          .string()
          .regex(
            /^[^=:]+(=[^=:]+)?:\d+$/,
            'must be label=value:gpus or label:gpus (each other value), as in team=research:4,team:2',
          )
          .transform(readQuota),
      ),
    )
    .default([]),
  TANDEM_DATA_ROOTS: list(delimiter).default([]),
  RUN_BASELINE_EVAL: flag('RUN_BASELINE_EVAL=false').default(true),
  VERBOSE: flag('VERBOSE=true').default(false),
  TANDEM_START_TIMEOUT: wholeNumber(1, 86_400).default(600),
  TANDEM_STOP_DEADLINE: wholeNumber(1, 86_400).default(120),
  VLLM_API_BASE: z.url('must be a URL such as http://host:8000/v1').optional(),
  TANDEM_SWEEP_GRACE: wholeNumber(0, 604_800).default(3600),
  ...hubEnvironment,
  TANDEM_MODELS_MAX_GB: wholeNumber(1, 1_000_000).optional(),
  ...s3Environment,
  ...mlflowEnvironment,
  ...wandbEnvironment,
});

/** What is read from the environment here; where runs are containers, `dockerVariables` as well. */
export const settingsVariables: readonly string[] = Object.keys(environmentSchema.shape);

/**
 * Settings from environment variables; relative paths are taken from `cwd`.
 * @throws SettingsError with one line that names what is wrong.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>, cwd: string): Settings {
  const env = parseEnvironment(environmentSchema, withUpperCaseProxies(environment));
  const key = env.TANDEM_API_KEY ?? readApiKey(env.TANDEM_API_KEY_FILE, cwd);
  if (key === undefined && !isLoopback(env.TANDEM_ADDR)) {
    throw new SettingsError(
      `TANDEM_ADDR: ${env.TANDEM_ADDR} can be reached from other machines, and the API may start programs here: ` +
        'set TANDEM_API_KEY as well, or listen on 127.0.0.1',
    );
  }
  const home = resolve(cwd, env.TANDEM_HOME);
  const outputs = resolve(cwd, env.TANDEM_OUTPUTS);
  const roots = env.TANDEM_DATA_ROOTS.length > 0 ? env.TANDEM_DATA_ROOTS : [cwd];
  const docker = env.TANDEM_RUNTIME === 'docker' ? readDockerSettings(environment) : null;
  const agent = parseAgentAddress(env.TANDEM_AGENT_ADDR, docker);
  return {
    port: env.PORT,
    address: env.TANDEM_ADDR,
    apiKey: key ?? null,
    allowedHosts: env.TANDEM_ALLOWED_HOSTS,
    home,
    outputs,
    agentHost: agent.host,
    agentPort: agent.port,
    slots: env.TANDEM_SLOTS,
    gpus: isGpuSource(env.TANDEM_GPUS)
      ? { source: env.TANDEM_GPUS }
      : { source: 'file', path: resolve(cwd, env.TANDEM_GPUS) },
    visibleGpus: env.CUDA_VISIBLE_DEVICES ?? null,
    quotas: env.TANDEM_QUOTAS,
    preemptAfterMs: env.TANDEM_PREEMPT_AFTER * 1000,
    dataRoots: [...new Set([...roots.map((root) => resolve(cwd, root)), home, outputs])],
    runBaselineEval: env.RUN_BASELINE_EVAL,
    verbose: env.VERBOSE,
    startTimeoutMs: env.TANDEM_START_TIMEOUT * 1000,
    stopDeadlineMs: env.TANDEM_STOP_DEADLINE * 1000,
    vllmApiBase: env.VLLM_API_BASE ?? null,
    wandb: readWandb(env, cwd),
    hub: readHub(env),
    modelsMaxBytes: env.TANDEM_MODELS_MAX_GB === undefined ? null : env.TANDEM_MODELS_MAX_GB * 1e9,
    s3: readS3(env, cwd),
    mlflow: readMlflow(env),
    sweepGraceMs: env.TANDEM_SWEEP_GRACE * 1000,
    docker,
  };
}

function readQuota(text: string): Quota {
  const [who = '', gpus] = text.split(':');
  const [label = '', value = null] = who.split('=');
  return { label, value, gpus: Number(gpus) };
}

function isGpuSource(text: string): text is 'auto' | 'nvidia' | 'none' {
  return text === 'auto' || text === 'nvidia' || text === 'none';
}
