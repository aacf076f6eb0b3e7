import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { locate } from './archive.ts';
import { type CreateBody, type DaemonState, type FakeContainer, type Launch, Refusal } from './state.ts';

/** What a container does in place of its command. Times are milliseconds after its start. */
export interface Behaviour {
  prints?: readonly { text: string; after?: number; to?: 'stdout' | 'stderr' }[];
  /** Ends by itself; it runs until it is killed when both are absent. */
  exitCode?: number;
  after?: number;
  /** Ends because its memory is used up, with 137. */
  outOfMemory?: boolean;
  /** What TERM does: 143 at once when absent. `ignored`, or a code of its own after a while. */
  onTerm?: 'ignored' | { exitCode: number; after?: number };
  /** When its health checks begin to succeed; never when null, from the start when absent. */
  healthyAfter?: number | null;
  /** Written at its start, by path in the container. */
  files?: Readonly<Record<string, string>>;
  /** The start fails with this status and message. */
  startError?: { status: number; message: string };
  /** Gets control, for what happens later. */
  control?: (control: ScriptControl) => void;
}

/** Acts as the program of a running container. */
export interface ScriptControl {
  print(text: string, to?: 'stdout' | 'stderr'): void;
  exit(code: number, outOfMemory?: boolean): void;
  setHealthy(isHealthy: boolean): void;
}

/** Null lets the container's command run as a process where the fake may do so, and do nothing until it is killed elsewhere. */
export type Behaviours = (body: CreateBody, name: string) => Behaviour | null;

const signalNumbers: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, TERM: 15 };
let lastPid = 4_200_000;

/** Above what the kernel gives, so that no process of this machine is meant. */
const newPid = (): number => {
  lastPid += 1;
  return lastPid;
};

export function launchScripted(state: DaemonState, behaviour: Behaviour): Launch {
  return (container, { print, exit }) => {
    if (behaviour.startError !== undefined)
      throw new Refusal(behaviour.startError.status, behaviour.startError.message);
    writeFiles(state, container, behaviour.files ?? {});
    const startedAt = Date.now();
    const timers = new Set<NodeJS.Timeout>();
    const later = (action: () => void, after = 0) => timers.add(setTimeout(action, after));
    let isHealthy: boolean | null = null;
    let isOver = false;
    function end(code: number, outOfMemory = false) {
      if (isOver) return;
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
      exit(code, outOfMemory);
    }
    const say = (text: string, to: 'stdout' | 'stderr' = 'stdout') => {
      if (!isOver) print(to === 'stdout' ? 1 : 2, Buffer.from(text));
    };
    for (const { text, after, to } of behaviour.prints ?? []) later(() => say(text, to), after);
    const { exitCode, after, outOfMemory = false } = behaviour;
    if (exitCode !== undefined || after !== undefined || outOfMemory) {
      later(() => end(outOfMemory ? 137 : (exitCode ?? 0), outOfMemory), after);
    }
    behaviour.control?.({
      print: say,
      exit: end,
      setHealthy: (value) => {
        isHealthy = value;
      },
    });
    return {
      pid: newPid(),
      signal(name) {
        const onTerm = behaviour.onTerm;
        if (name !== 'TERM' || onTerm === undefined) end(128 + (signalNumbers[name] ?? 15));
        else if (onTerm !== 'ignored') later(() => end(onTerm.exitCode), onTerm.after);
      },
      check: async () => {
        const { healthyAfter = 0 } = behaviour;
        return isHealthy ?? (healthyAfter !== null && Date.now() - startedAt >= healthyAfter);
      },
    };
  };
}

function writeFiles(state: DaemonState, container: FakeContainer, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const place = locate(state, container, path).path;
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
  }
}
