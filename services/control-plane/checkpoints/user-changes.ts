import type { Manifest } from '../../contracts/checkpoint.ts';
import type { Database } from '../../platform/database.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { serialByKey } from '../../platform/serial-by-key.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { EventStore } from '../events/event.store.ts';
import { checkpointLabel, pinKey } from './checkpoint-keys.ts';
import type { PinIndex } from './pin-index.ts';

const PIN_SCHEMA = 'tandem.pin/1';

/** What users do with single checkpoints. `name` is one that `run` can resolve; what a fork has inherited is its parent's. */
export interface UserChanges {
  /** Keeps a checkpoint from retention. Repeating it does nothing. Throws not-found. */
  pin(run: string, name: string): Promise<Manifest>;
  /** Leaves it to retention again. Repeating it does nothing. Throws not-found. */
  unpin(run: string, name: string): Promise<Manifest>;
  /**
   * Deletes one of the run's own checkpoints. `refuse` is asked right before, and throws for one that is needed. Throws not-found, and conflict for
   * one that is pinned or of another run.
   */
  discard(run: string, name: string, refuse: (manifest: Manifest) => void): Promise<void>;
}

export interface UserChangeOptions {
  db: Database;
  store: Pick<ObjectStore, 'put' | 'delete'>;
  pins: PinIndex;
  events: Pick<EventStore, 'append'>;
  now: () => number;
  serial: ReturnType<typeof serialByKey>;
  resolve: (run: string, name: string) => Manifest | undefined;
  erase: (manifest: Manifest, why: string, actor: 'user') => Promise<void>;
}

/**
 * The object `pinned.json` is written before the index says that a checkpoint is pinned, and removed before it says that it is not: what was answered
 * survives the database.
 */
export function createUserChanges(options: UserChangeOptions): UserChanges {
  const { db, store, pins, events, now, serial, resolve, erase } = options;

  /** Runs `work` with what the name means once everything that was asked of its run before is done. */
  const withCheckpoint = async (
    run: string,
    name: string,
    work: (manifest: Manifest) => Promise<void>,
  ): Promise<Manifest> => {
    const { run: owner, attempt, step } = requireNamed(run, name);
    const exact = `a${attempt}/checkpoint-${step}`;
    return await serial(owner, async () => {
      const manifest = requireNamed(owner, exact);
      await work(manifest);
      return manifest;
    });
  };
  const requireNamed = (run: string, name: string): Manifest => {
    const manifest = resolve(run, name);
    if (manifest !== undefined) return manifest;
    throw noCheckpoint(run, name);
  };
  const tell = (name: 'checkpoint_pinned' | 'checkpoint_unpinned', { run, attempt, step }: Manifest) => {
    const checkpoint = `a${attempt}/checkpoint-${step}`;
    const message =
      name === 'checkpoint_pinned'
        ? `Checkpoint pinned: ${checkpoint}; retention leaves it alone.`
        : `Checkpoint unpinned: ${checkpoint}; retention decides about it again.`;
    events.append({ run, attempt, name, actor: 'user', message, data: { checkpoint, step } });
  };

  return {
    pin: (run, name) =>
      withCheckpoint(run, name, async (manifest) => {
        const pin = {
          schema: PIN_SCHEMA,
          checkpoint: checkpointLabel(manifest),
          pinned_at: new Date(now()).toISOString(),
        };
        await store.put(pinKey(manifest), Buffer.from(`${JSON.stringify(pin, null, 2)}\n`));
        db.transaction(() => {
          if (pins.has(manifest)) return;
          pins.put(manifest);
          tell('checkpoint_pinned', manifest);
        });
      }),

    unpin: (run, name) =>
      withCheckpoint(run, name, async (manifest) => {
        await store.delete(pinKey(manifest));
        db.transaction(() => {
          if (!pins.has(manifest)) return;
          pins.delete(manifest);
          tell('checkpoint_unpinned', manifest);
        });
      }),

    discard: async (run, name, refuse) => {
      await withCheckpoint(run, name, async (manifest) => {
        const { run: owner, attempt, name: own } = manifest;
        const label = `a${attempt}/${own}`;
        const path = `/runs/${owner}/checkpoints/a${attempt}%2F${own}`;
        if (owner !== run) {
          throw new ProblemError(
            'conflict',
            `${name} of ${run} is inherited from ${owner}; delete it there (DELETE ${path}).`,
          );
        }
        if (pins.has(manifest)) {
          throw new ProblemError('conflict', `${label} of ${owner} is pinned; unpin it first (DELETE ${path}/pin).`);
        }
        refuse(manifest);
        await erase(manifest, 'on request', 'user');
      });
    },
  };
}

export function noCheckpoint(run: string, name: string): ProblemError {
  return new ProblemError(
    'not-found',
    `${run} has no checkpoint ${name}; GET /runs/${run}/checkpoints lists those there are.`,
  );
}
