import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { delimiter, resolve } from 'node:path';
import { z } from 'zod';
import { refuseUrl } from '../platform/address-policy.ts';
import { parseEnvironment, SettingsError } from '../platform/settings.ts';
import type { HubAccess } from './models/hub-request.ts';
import type { Quota } from './queue/gpu-queue.ts';
import { type DockerSettings, readDockerSettings } from './runtimes/docker/docker-settings.ts';

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
  /** Where checkpoints lie; null: as files below the home. */
  s3: S3Settings | null;
  /** How long files that no manifest makes a checkpoint are left alone. */
  sweepGraceMs: number;
  /** null: roles are processes of this machine. */
  docker: DockerSettings | null;
}

/** Where the GPUs of the host are known from; `auto` is nvidia-smi where there is one. */
export type GpusSetting = { source: 'auto' | 'nvidia' | 'none' } | { source: 'file'; path: string };

/** An S3 store. The secret comes from its variable or from the file that `..._FILE` names, and goes nowhere else. */
export interface S3Settings {
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  region: string;
  /** All keys begin with it; empty for the whole bucket. */
  prefix: string;
  /** Where people reach the store; null: they get the bytes from the API. */
  publicUrl: string | null;
  createBucket: boolean;
}

const flag = (text: string) => z.stringbool({ error: `must be true or false, as in ${text}` });
const wholeNumber = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${low} to ${high}`)
    .transform(Number)
    .refine((value) => value >= low && value <= high, `must be a whole number from ${low} to ${high}`);
const list = (separator: string) =>
  z.string().transform((text) =>
    text
      .split(separator)
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

const STORE_URL = 'must be a URL without a path, such as http://127.0.0.1:9000';
const storeUrl = z
  .url({ protocol: /^https?$/, error: STORE_URL })
  .refine((text) => {
    const { pathname, search, hash } = parseUrl(text) ?? {};
    return pathname === '/' && search === '' && hash === '';
  }, STORE_URL)
  .refine((text) => {
    const { username = '', password = '' } = parseUrl(text) ?? {};
    return username + password === '';
  }, 'must not hold a user or a password; give the keys by TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY');
const s3Environment = {
  TANDEM_S3_ENDPOINT: storeUrl.optional(),
  TANDEM_S3_BUCKET: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'must be a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens',
    )
    .default('tandem'),
  TANDEM_S3_ACCESS_KEY: z.string().optional(),
  TANDEM_S3_SECRET_KEY: z.string().optional(),
  TANDEM_S3_SECRET_KEY_FILE: z.string().optional(),
  TANDEM_S3_REGION: z.string().default('us-east-1'),
  TANDEM_S3_PREFIX: z
    .string()
    .regex(/^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/, 'must be a path that ends with a slash, such as team-a/')
    .default(''),
  TANDEM_S3_PUBLIC_URL: storeUrl.optional(),
  TANDEM_S3_CREATE_BUCKET: flag('TANDEM_S3_CREATE_BUCKET=true').default(false),
};

const hubUrl = z.string().superRefine((text, { addIssue }) => {
  const refusal = refuseUrl(text);
  if (refusal !== null)
    addIssue({ code: 'custom', message: refusal.replace('http://localhost:8000/v1', 'https://huggingface.co') });
});

const apiKey = z.string().min(16, 'must have at least 16 characters; for example: openssl rand -hex 32');

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
  HF_ENDPOINT: hubUrl.default('https://huggingface.co'),
  HF_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be a token without spaces, such as hf_...')
    .optional(),
  ...s3Environment,
});

/** What is read from the environment here; where runs are containers, `dockerVariables` as well. */
export const settingsVariables: readonly string[] = Object.keys(environmentSchema.shape);

/**
 * Settings from environment variables; relative paths are taken from `cwd`.
 * @throws SettingsError with one line that names what is wrong.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>, cwd: string): Settings {
  const env = parseEnvironment(environmentSchema, environment);
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
    hub: { endpoint: env.HF_ENDPOINT.replace(/\/+$/, ''), token: env.HF_TOKEN ?? null },
    s3: readS3(env, cwd),
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

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function readS3(env: z.output<typeof environmentSchema>, cwd: string): S3Settings | null {
  const endpoint = env.TANDEM_S3_ENDPOINT;
  if (endpoint === undefined) return null;
  const accessKey = env.TANDEM_S3_ACCESS_KEY;
  const secretKey =
    env.TANDEM_S3_SECRET_KEY ?? readSecret('TANDEM_S3_SECRET_KEY_FILE', env.TANDEM_S3_SECRET_KEY_FILE, cwd);
  if (accessKey === undefined || secretKey === undefined) {
    throw new SettingsError(
      'TANDEM_S3_ENDPOINT: needs TANDEM_S3_ACCESS_KEY, and TANDEM_S3_SECRET_KEY or TANDEM_S3_SECRET_KEY_FILE; set them, or unset TANDEM_S3_ENDPOINT to keep checkpoints as files',
    );
  }
  return {
    endpoint,
    bucket: env.TANDEM_S3_BUCKET,
    accessKey,
    secretKey,
    region: env.TANDEM_S3_REGION,
    prefix: env.TANDEM_S3_PREFIX,
    publicUrl: env.TANDEM_S3_PUBLIC_URL ?? null,
    createBucket: env.TANDEM_S3_CREATE_BUCKET,
  };
}

/** Where the key of the API lies when it is in a file of its own; null when it is given otherwise. */
export function apiKeyFile(environment: Readonly<Record<string, string | undefined>>, cwd: string): string | null {
  const { TANDEM_API_KEY: given, TANDEM_API_KEY_FILE: path } = environment;
  return given || !path ? null : resolve(cwd, path);
}

function readApiKey(path: string | undefined, cwd: string): string | undefined {
  const found = readSecret('TANDEM_API_KEY_FILE', path, cwd);
  const { error } = apiKey.optional().safeParse(found);
  if (error) throw new SettingsError(`TANDEM_API_KEY_FILE: the key in ${path} ${error.issues[0]?.message}`);
  return found;
}

function readSecret(variable: string, path: string | undefined, cwd: string): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(cwd, path), 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError(`${variable}: ${path} cannot be read (${code}); name a file that holds the key alone`);
  }
  if (text === '') throw new SettingsError(`${variable}: ${path} is empty; name a file that holds the key alone`);
  return text;
}

/** The agent API listens on this machine only where roles are its processes; containers reach it at an address of their network. */
function parseAgentAddress(
  text: string | undefined,
  docker: DockerSettings | null,
): { host: string | null; port: number } {
  if (text === undefined) return { host: docker === null ? '127.0.0.1' : null, port: 0 };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is not an address with a port, such as 127.0.0.1:0 (0: a free port, chosen once)`,
    );
  }
  if (docker === null && !isLoopback(host)) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is not a loopback address, and trainers are processes of this machine; give 127.0.0.1:0, or set TANDEM_RUNTIME=docker`,
    );
  }
  if (docker !== null && docker.agentUrl === null && (isLoopback(host) || host === '0.0.0.0' || host === '::')) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is no address that containers can call; set TANDEM_AGENT_URL to one under which they reach it, or leave both out for the gateway of their network`,
    );
  }
  return { host, port };
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
