import { attemptIdPattern } from '../../contracts/agent-operations.ts';
import type { Failure } from '../../contracts/reason.ts';
import type { Role } from '../../contracts/run.ts';

/** One start of a role. `start` counts from 1 within the attempt: an inference server that was restarted has a second one. */
export interface RoleIdentity {
  run: string;
  attempt: number;
  role: Role;
  start: number;
}

export interface RoleSpec {
  identity: RoleIdentity;
  /** Program and arguments; empty: what the image starts by itself. */
  command: readonly string[];
  /** Variables the program needs besides what every program gets. */
  env: Readonly<Record<string, string>>;
  /** Variables that name directories for what the program compiles; a runtime that can keeps them from run to run. */
  caches?: readonly string[];
  /** Secrets put into the workspace before the start, readable by the role alone. */
  files: Readonly<Record<string, string>>;
  /** Container image; null: that of Tandem's own programs. A runtime without images ignores it. */
  image: string | null;
  /** Files and directories of this machine that the role reads; it finds them where `Runtime.seenAt` says. */
  inputs: readonly string[];
  /** UUIDs of the GPUs that are leased for the role; it sees no others. */
  gpus: readonly string[];
  /** Epoch of that lease; null without one. */
  epoch: number | null;
  /** Size of /dev/shm, in GiB, where the role gets one of its own. */
  shmGib: number;
  /** What it shares is seen by programs outside of the pair as well, under the same path. */
  sharesWithHost?: boolean;
  /** For a role that serves: a command that succeeds, run beside it, while it answers its health check. */
  health: readonly string[] | null;
}

/** How a start that takes long is watched and ended. */
export interface Starting {
  /** Aborted when the start is no longer wanted; it then throws, and may be taken up again. */
  signal: AbortSignal;
  /** Told what is going on, in words for people. */
  tell: (message: string) => void;
}

export interface ObservedRole {
  identity: RoleIdentity;
  /** `lost`: it is gone and left no exit code. `created`: its place was made and it was not started; a start goes on from there. */
  state: 'created' | 'starting' | 'running' | 'exited' | 'lost';
  exitCode: number | null;
  pid: number | null;
  /** For `lost`: the machine was started anew since, so nothing can have survived. */
  rebooted: boolean;
  /** For `exited` by SIGKILL: the kernel did it, because memory had run out. */
  outOfMemory?: boolean;
}

/** Where what a role prints can be read in this process (`readPrinted`). */
export interface RoleOutput {
  identity: RoleIdentity;
  path: string;
  /** Nothing more will come. */
  ended: boolean;
}

/** A role that cannot be started, and will not be by trying again soon. */
export class RoleRefusedError extends Error {
  override readonly name = 'RoleRefusedError';
  readonly reason: Failure;

  constructor(reason: Failure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export const signals = ['TERM', 'KILL'] as const;
export type RoleSignal = (typeof signals)[number];

/**
 * Starts programs and tells what became of them. Whatever it knows it reads from the machine each time, so a control plane that was killed takes
 * over where it stopped. Every method may be repeated: a second start of the same identity does nothing, a signal to what has ended neither.
 */
export interface Runtime {
  /** Every role of ours that was started and not removed, and nothing else. */
  observe(): Promise<ObservedRole[]>;
  start(spec: RoleSpec, starting?: Starting): Promise<void>;
  /** Sends the signal to all processes of a role that was observed as running; nothing happens to one that still starts. */
  signal(identity: RoleIdentity, signal: RoleSignal): Promise<void>;
  /** Forgets an ended role and its workspace; what it printed is kept. Throws for a running one. */
  remove(identity: RoleIdentity): Promise<void>;
  /** The role's own directory, as the role sees it. */
  workspace(identity: RoleIdentity): string;
  /** A directory that all roles of an attempt see; created with the first start. `withHost`: the one of roles that share with other programs too. */
  sharedDirectory(attempt: Pick<RoleIdentity, 'run' | 'attempt'>, withHost?: boolean): string;
  /** Removes what the roles of an attempt shared, once they are removed. */
  removeShared(attempt: Pick<RoleIdentity, 'run' | 'attempt'>): Promise<void>;
  /** The attempts whose roles share something, also when the roles are gone. */
  listShared(): Promise<Pick<RoleIdentity, 'run' | 'attempt'>[]>;
  /** Where a role finds a path that is among its inputs. */
  seenAt(path: string): string;
  /** Where an inference server is told to listen. Port 0: a free one, which it tells in its ready file. */
  listenAt: { host: string; port: number };
  /** Base URL, ending in /v1, of an inference server that answers its health check now, as its trainer reaches it; null while it does not answer. */
  serving(identity: RoleIdentity): Promise<string | null>;
  /** Removes what the removed roles of a run have printed. */
  forgetOutput(run: string): Promise<void>;
  /** Path at which this process can read a file of the workspace, null where there is none. Holds until the role is removed. */
  fetchFile(identity: RoleIdentity, path: string): Promise<string | null>;
  /** A small file of the workspace, or null where there is none. */
  readFile(identity: RoleIdentity, path: string): Promise<string | null>;
  /** What the roles of a run print or have printed, of all attempts, in no order. */
  outputs(run: string): Promise<RoleOutput[]>;
  /** The last `bytes` of what the role printed, also after it was removed. Of endless output the beginning and the end are kept. */
  output(identity: RoleIdentity, bytes: number): Promise<string>;
}

/** `run-7k3m9q2d.a1.trainer`, or `run-7k3m9q2d.a1.inference.2` for its second start: unique for ever, and parsed back by `parseRoleName`. */
export function roleName({ run, attempt, role, start }: RoleIdentity): string {
  return `${run}.a${attempt}.${role}${start === 1 ? '' : `.${start}`}`;
}

/** The identity that a name stands for; null for a name that is not ours. */
export function parseRoleName(name: string): RoleIdentity | null {
  const [run, attempt, role, start, ...rest] = name.split('.');
  if (rest.length > 0 || (role !== 'inference' && role !== 'trainer')) return null;
  const found = attemptIdPattern.exec(`${run}.${attempt}`);
  if (found === null || (start !== undefined && !/^([2-9]|[1-9]\d+)$/.test(start))) return null;
  return { run: found[1] as string, attempt: Number(found[2]), role, start: start === undefined ? 1 : Number(start) };
}
