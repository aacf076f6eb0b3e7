import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The compose program of this host, run at the root of the repository. */
export interface Compose {
  /** How a person calls it. */
  shown: string;
  /** Runs it and shows what it says. @throws Error when it fails */
  show(args: readonly string[]): Promise<void>;
  /** Runs it and gives what it prints; null when it fails. */
  ask(args: readonly string[]): string | null;
}

/** Why this host has none, or the program; version 2 before 1.29. */
export function findCompose(root: string, environment: Environment): Compose | string {
  const env = composeEnvironment(root, environment, existsSync('/dev/nvidiactl'));
  const run = (program: readonly string[], args: readonly string[]) =>
    spawnSync(program[0] as string, [...program.slice(1), ...args], { cwd: root, env, encoding: 'utf8' });
  if (run(['docker'], ['info']).status !== 0) {
    return `no Docker daemon answers at ${env['DOCKER_HOST'] || 'unix:///var/run/docker.sock'}`;
  }
  const program = [['docker', 'compose'], ['docker-compose']].find((each) => run(each, ['version']).status === 0);
  if (program === undefined) return 'neither `docker compose` nor `docker-compose` is installed';
  return {
    shown: program.join(' '),
    show: (args) => runShown([...program, ...args], root, env),
    ask: (args) => {
      const { status, stdout } = run(program, args);
      return status === 0 ? stdout.trim() : null;
    },
  };
}

/** What compose reads, also where there is no .env: its files, its project, and the socket of the daemon that is asked. */
export function composeEnvironment(root: string, environment: Environment, hasGpus: boolean): Record<string, string> {
  const given = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const files = ['compose/compose.yaml', ...(hasGpus ? ['compose/compose.gpu.yaml'] : [])];
  const socket = /^unix:\/\/(.+)$/.exec(given['DOCKER_HOST'] ?? '')?.[1];
  return {
    COMPOSE_FILE: files.map((file) => join(root, file)).join(':'),
    COMPOSE_PROJECT_NAME: 'tandem',
    ...(socket === undefined ? {} : { DOCKER_SOCKET: socket }),
    ...given,
    PWD: root,
  };
}

/** Runs a program whose output people see. @throws Error when it fails */
export function runShown(command: readonly string[], cwd: string, environment: Environment): Promise<void> {
  const [program, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    // In a group of its own: Ctrl-C is this script's to answer.
    const child = spawn(program, args, {
      cwd,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`\`${command.join(' ')}\` ended with ${code}`)),
    );
  });
}
