import { parseRoleName, type RoleIdentity, roleName } from '../runtime.ts';

type AttemptKey = Pick<RoleIdentity, 'run' | 'attempt'>;

const PREFIX = 'dev.tandem.';
/** Enough of the installation's id to keep the names of two control planes on one host apart; the labels hold all of it. */
const SHORT_ID = 8;

/** What is written on everything that Tandem makes in Docker, and found by. */
export const label = {
  installation: `${PREFIX}installation`,
  role: `${PREFIX}role`,
  attempt: `${PREFIX}attempt`,
  epoch: `${PREFIX}epoch`,
  input: `${PREFIX}input`,
  adapters: `${PREFIX}adapters`,
} as const;

/**
 * Names of what one installation makes in Docker. Each is a function of what it is for, so that a name which is taken means that an earlier try, or an
 * earlier control plane, has made it already.
 */
export interface Names {
  /** Of a role's container, and of the volume with its workspace. */
  role(identity: RoleIdentity): string;
  /** Of the pair's network, and of the volume that its roles share. */
  attempt(attempt: AttemptKey): string;
  /** Of the container that removes what an attempt has left on the host. */
  cleaner(attempt: AttemptKey): string;
  agents: string;
  /** Of the volume that holds an input, and of the container that has filled it. */
  input(key: string): string;
  /** Of the volume where inference servers keep what they have compiled. */
  compileCache: string;
  labels: {
    installation: Record<string, string>;
    role(identity: RoleIdentity, epoch: number | null): Record<string, string>;
    attempt(attempt: AttemptKey): Record<string, string>;
    input(key: string): Record<string, string>;
  };
}

export function createNames(installation: string): Names {
  const prefix = `tandem-${installation.slice(0, SHORT_ID)}`;
  const attemptName = ({ run, attempt }: AttemptKey) => `${run}.a${attempt}`;
  const ours = { [label.installation]: installation };
  return {
    role: (identity) => `${prefix}-${roleName(identity)}`,
    attempt: (attempt) => `${prefix}-${attemptName(attempt)}`,
    cleaner: (attempt) => `${prefix}-${attemptName(attempt)}.cleaner`,
    agents: `${prefix}-agents`,
    input: (key) => `${prefix}-input-${key}`,
    compileCache: `${prefix}-compile-cache`,
    labels: {
      installation: ours,
      role: (identity, epoch) => ({
        ...ours,
        [label.role]: roleName(identity),
        [label.attempt]: attemptName(identity),
        ...(epoch === null ? {} : { [label.epoch]: `${epoch}` }),
      }),
      attempt: (attempt) => ({ ...ours, [label.attempt]: attemptName(attempt) }),
      input: (key) => ({ ...ours, [label.input]: key }),
    },
  };
}

/** The role that a container with these labels is; null for one that is none. */
export function roleOf(labels: Readonly<Record<string, string>> | undefined): RoleIdentity | null {
  return parseRoleName(labels?.[label.role] ?? '');
}

/** The attempt that a volume or network with these labels belongs to; null for one that belongs to none. */
export function attemptOf(labels: Readonly<Record<string, string>> | null | undefined): AttemptKey | null {
  const identity = parseRoleName(`${labels?.[label.attempt] ?? ''}.trainer`);
  return identity && { run: identity.run, attempt: identity.attempt };
}
