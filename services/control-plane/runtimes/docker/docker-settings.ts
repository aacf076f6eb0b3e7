import { posix } from 'node:path';
import { z } from 'zod';
import { parseEnvironment, SettingsError } from '../../../platform/settings.ts';
import { VLLM_IMAGE } from '../vllm-image.ts';
import { parseSubnet, type Subnet } from './subnets.ts';

/** How containers are started. */
export interface DockerSettings {
  socketPath: string;
  /** Image of Tandem's own programs; null: `tandem:<version>`. */
  image: string | null;
  vllmImage: string;
  /** Images that a run may name as its trainer. */
  trainerImages: readonly string[];
  /** Where the networks of pairs get their subnets. */
  pool: Subnet;
  /** Network by which trainers reach the agent API and the object store; null: one of the installation's own, made when it is missing. */
  agentNetwork: string | null;
  /** The agent API as trainers reach it; null: the gateway of that network. */
  agentUrl: string | null;
  /** Directory of the host in which trainers leave adapters for a server of the user's own, which finds it under the same path; null: there is none. */
  adapters: string | null;
}

const SOCKET = 'unix:///var/run/docker.sock';

const environmentSchema = z.object({
  DOCKER_HOST: z
    .string()
    .regex(
      /^unix:\/\/\/.+$/,
      `must be a local socket, such as ${SOCKET}: containers, their volumes and the GPUs are those of this host`,
    )
    .default(SOCKET),
  TANDEM_IMAGE: z.string().min(1).optional(),
  TANDEM_VLLM_IMAGE: z.string().min(1).default(VLLM_IMAGE),
  TANDEM_TRAINER_IMAGES: z.string().default(''),
  TANDEM_NETWORK_POOL: z.string().default('10.213.0.0/16'),
  TANDEM_AGENT_NETWORK: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must be the name of a Docker network')
    .optional(),
  TANDEM_AGENT_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL such as http://control-plane:8081' })
    .optional(),
  TANDEM_ADAPTERS_DIR: z
    .string()
    .refine(
      (path) => /^\/[^:]+$/.test(path) && posix.normalize(path) === path,
      'must be the full path of a directory of the host, without a colon, such as /srv/tandem-adapters',
    )
    .optional(),
});

/** What is read from the environment. */
export const dockerVariables: readonly string[] = Object.keys(environmentSchema.shape);

/** From the variables of the Docker runtime, which are read only where it is chosen. @throws SettingsError */
export function readDockerSettings(environment: Readonly<Record<string, string | undefined>>): DockerSettings {
  const env = parseEnvironment(environmentSchema, environment);
  const pool = parseSubnet(env.TANDEM_NETWORK_POOL);
  if (pool === null || pool.prefix > 28 || pool.prefix < 8) {
    throw new SettingsError(
      `TANDEM_NETWORK_POOL: ${env.TANDEM_NETWORK_POOL} is not a block of private addresses from /8 to /28, such as 10.213.0.0/16`,
    );
  }
  return {
    socketPath: env.DOCKER_HOST.slice('unix://'.length),
    image: env.TANDEM_IMAGE ?? null,
    vllmImage: env.TANDEM_VLLM_IMAGE,
    trainerImages: env.TANDEM_TRAINER_IMAGES.split(/[\s,]+/).filter((image) => image !== ''),
    pool,
    agentNetwork: env.TANDEM_AGENT_NETWORK ?? null,
    agentUrl: env.TANDEM_AGENT_URL ?? null,
    adapters: env.TANDEM_ADAPTERS_DIR?.replace(/\/$/, '') ?? null,
  };
}
