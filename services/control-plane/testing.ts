import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openDatabase } from '../platform/database.ts';
import { openFileStore } from '../platform/file-store.ts';
import { createLogger } from '../platform/logger.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { createRedactor } from '../platform/redaction.ts';
import { removeTree } from '../platform/testing/remove-tree.ts';
import { type GpuSource, noGpus } from './gpus/gpu-source.ts';
import { readGpuProfiles } from './runs/gpu-profiles.ts';
import { createProcessRuntime } from './runtimes/process/process-runtime.ts';
import type { Runtime } from './runtimes/runtime.ts';
import { migrations } from './schema.ts';
import { readSettings } from './settings.ts';
import { type Wiring, wireControlPlane } from './wiring.ts';

/** A directory with a home, outputs, data and a model, in which control planes are opened one after another. */
export interface TestBench {
  root: string;
  spec(change?: Record<string, unknown>): Record<string, unknown>;
  /** The shell script that the trainer or the inference server of every run is. */
  script(role: 'trainer' | 'inference', text: string): void;
  open(options?: OpenOptions): Promise<Wiring & { db: Database; runtime: Runtime }>;
  read(path: string): string;
  remove(): Promise<void>;
}

export interface OpenOptions {
  environment?: Record<string, string>;
  now?: () => number;
  steady?: () => number;
  wrapDatabase?: (db: Database) => Database;
  wrapRuntime?: (runtime: Runtime) => Runtime;
  /** Files below the home by default. */
  store?: ObjectStore;
  /** None by default. */
  gpuSource?: GpuSource;
}

/** Shell functions for scripts that play a trainer: `record <json after n and time>` appends to the spool. */
export const trainerPrelude = `
n=0
record() {
  n=$((n + 1))
  printf '{"n":%s,"time":"2026-11-20T09:00:00.000Z",%s}\\n' "$n" "$1" >> spool.jsonl
}
finished='"kind":"event","name":"finished","reason":"completed","message":"All steps done."'
`;

/** `config.json` of a model that is supported, and made for any length. */
export const benchConfig = JSON.stringify({
  model_type: 'llama',
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 1_048_576,
});

/** A model directory with all that is looked at when a run is submitted; its weights hold no tensors. */
export function writeBenchModel(directory: string, config = benchConfig): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), config);
  writeFileSync(join(directory, 'tokenizer.json'), '{}');
  writeFileSync(join(directory, 'model.safetensors'), safetensorsOf({}));
}

/** A safetensors file: its header and so many bytes of data. */
export function safetensorsOf(header: object, dataBytes = 0): Buffer {
  const json = JSON.stringify(header);
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(json.length));
  bytes.write(json, 8);
  return bytes;
}

/** Nobody listens there: no test asks a model hub by mistake. */
const NO_HUB = 'http://127.0.0.1:9';

export async function createTestBench(): Promise<TestBench> {
  const root = mkdtempSync(join(tmpdir(), 'tandem-bench-'));
  const path = (name: string) => join(root, name);
  writeBenchModel(path('model'));
  writeFileSync(path('train.jsonl'), '{"prompt":"1+1=","answer":"2"}\n');
  const profiles = await readGpuProfiles(join(import.meta.dirname, '../../gpu-profiles'));
  const opened: (() => Promise<void>)[] = [];
  let runtime: Runtime | undefined;

  return {
    root,
    spec: (change = {}) => ({
      method: 'sft',
      model: { name: 'model' },
      data: { train_data: 'train.jsonl' },
      ...change,
    }),
    script: (role, text) => writeFileSync(path(`${role}.sh`), text),
    read: (name) => readFileSync(path(name), 'utf8'),
    open: async ({
      environment = {},
      now = Date.now,
      steady,
      wrapDatabase,
      wrapRuntime,
      store,
      gpuSource = noGpus,
    } = {}) => {
      const settings = readSettings({ HF_ENDPOINT: NO_HUB, ...environment }, root);
      mkdirSync(settings.home, { recursive: true });
      const db = openDatabase({ path: join(settings.home, 'tandem.db'), migrations });
      runtime = createProcessRuntime({
        work: join(settings.home, 'work'),
        kept: join(settings.home, 'output'),
        environment: process.env,
        isHealthy: async (url) => (await fetch(url)).ok,
        // It compares with the times of files.
        now: Date.now,
      });
      const usedDb = wrapDatabase?.(db) ?? db;
      const usedRuntime = wrapRuntime?.(runtime) ?? runtime;
      const wiring = wireControlPlane({
        settings,
        environment,
        cwd: root,
        version: '0.0.0',
        installation: 'bench',
        profiles,
        programs: { node: '/bin/sh', trainer: path('trainer.sh'), inference: path('inference.sh') },
        limits: {
          startTimeoutMs: settings.startTimeoutMs,
          stopDeadlineMs: settings.stopDeadlineMs,
          trainerGraceMs: 200,
          inferenceGraceMs: 200,
          inferenceRestarts: 3,
          inferenceWindowMs: 600_000,
        },
        db: usedDb,
        store: store ?? openFileStore(join(settings.home, 'objects')),
        runtime: usedRuntime,
        gpuSource,
        agentUrl: () => 'http://127.0.0.1:1',
        now,
        ...(steady && { steady }),
        redactor: createRedactor(environment),
        log: createLogger({ level: 'error', terminal: null }),
      });
      const close = async () => {
        await wiring.reconciler.close();
        await wiring.close();
        db.close();
      };
      opened.push(close);
      return {
        ...wiring,
        db: usedDb,
        runtime: usedRuntime,
        close: async () => {
          opened.splice(opened.indexOf(close), 1);
          await close();
        },
      };
    },
    remove: async () => {
      for (const close of opened.splice(0)) await close();
      for (const { identity, state } of (await runtime?.observe()) ?? []) {
        if (state === 'running' || state === 'starting') await runtime?.signal(identity, 'KILL');
      }
      await removeTree(root);
    },
  };
}

/** A server that answers every health check, for scripts that play an inference server. */
export async function serveHealth(): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, close: () => server.close() };
}

/** Takes rounds until `done`, with a short rest when there is nothing to do. */
export async function reconcileUntil(
  wiring: Pick<Wiring, 'reconciler'>,
  done: () => boolean | Promise<boolean>,
): Promise<void> {
  while (!(await done())) {
    if (!(await wiring.reconciler.round()).taken) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
