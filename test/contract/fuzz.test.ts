import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { agentOperations } from '../../services/contracts/agent-operations.ts';
import type { Operation } from '../../services/contracts/operation.ts';
import { operations } from '../../services/contracts/operations.ts';
import { createListener } from '../../services/control-plane/api/listener.ts';
import { createLeaseStore } from '../../services/control-plane/leases/lease.store.ts';
import { metricsRecord } from '../../services/control-plane/records/record.fixtures.ts';
import { TOKEN_FILE } from '../../services/control-plane/runtimes/role-specs.ts';
import { createTestBench, reconcileUntil, type TestBench } from '../../services/control-plane/testing.ts';
import { faultOf } from '../support/fuzz/check-answer.ts';
import type { Schema } from '../support/fuzz/from-schema.ts';
import { createRandom } from '../support/fuzz/random.ts';
import { type DocumentedOperation, makeRequest } from '../support/fuzz/requests.ts';
import { type FuzzAnswer, send } from '../support/fuzz/send.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const seed = Number(process.env['TANDEM_FUZZ_SEED'] ?? (full ? Math.floor(Math.random() * 2 ** 31) : 20_261_120));
const perOperation = full ? 1500 : 30;
const timeout = full ? 240_000 : 20_000;

const document = parse(readFileSync('openapi/openapi.yaml', 'utf8')) as {
  paths: Record<string, Record<string, unknown>>;
};
const documented = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => ['get', 'post', 'patch', 'delete'].includes(method))
    .map(([method, operation]) => ({ ...(operation as object), method, path }) as DocumentedOperation),
);
/** These end what the others are tried on, so they come last. */
const endings = ['deleteCheckpoint', 'pauseRun', 'cancelRun', 'resumeRun', 'deleteRun'];
documented.sort((a, b) => endings.indexOf(a.operationId) - endings.indexOf(b.operationId));
const table: Record<string, Operation> = { ...operations, ...agentOperations };

let bench: TestBench;
let wiring: Awaited<ReturnType<TestBench['open']>>;
let servers: Server[];
let ids: string[];
let token: string;

beforeAll(async () => {
  bench = await createTestBench();
  bench.script('trainer', 'exec sleep 600');
  wiring = await bench.open();
  await wiring.adopt();
  servers = [wiring.publicApp, wiring.agentApp].map((app) => createListener(app));
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  ids = [];
  for (let i = 0; i < 4; i++) ids.push((await wiring.service.submit(bench.spec(), () => undefined)).body.id);
  const live = ids[0] as string;
  await reconcileUntil(wiring, () => wiring.service.get(live).attempts.at(-1)?.roles[0]?.pid != null);
  const identity = { run: live, attempt: 1, role: 'trainer', start: 1 } as const;
  token = ((await wiring.runtime.readFile(identity, TOKEN_FILE)) ?? '').trim();
  const leases = createLeaseStore({ db: wiring.db });
  leases.grant({ run: live, attempt: 1, granted_at: 0 }, { inference: [], trainer: suspects });
  leases.suspect({ run: live, attempt: 1 }, 'trainer', 'NVRM: Xid 79');
  // A step to draw.
  const values = { 'train/loss': 0.5, 'train/avg_reward': 0.5, 'train/kl': 0, 'train/learning_rate': 1e-5 };
  await wiring.records.ingest(live, 1, [metricsRecord(1, 10, values)]);
  mkdirSync(join(bench.root, 'old-run'));
  writeFileSync(join(bench.root, 'old-run/adapter_model.safetensors'), '\x02\0\0\0\0\0\0\0{}');
  writeFileSync(join(bench.root, 'old-run/adapter_config.json'), '{"r": 4, "lora_alpha": 8}');
  // The newest one is needed by the run; the older ones can be deleted.
  for (const step of [3, 4, 5]) {
    const directory = join(bench.root, `.tandem/objects/runs/${live}/checkpoints/a1/checkpoint-${step}`);
    mkdirSync(join(directory, 'model'), { recursive: true });
    for (const { path } of checkpoint.files) writeFileSync(join(directory, path), content);
    const request = {
      operation: 'postCheckpoint',
      method: 'POST',
      target: `/agent/attempts/${live}.a1/checkpoints`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ ...checkpoint, step })),
    };
    expect(await send((servers[1]?.address() as AddressInfo).port, request)).toMatchObject({ status: 200 });
  }
});

afterAll(async () => {
  for (const server of servers ?? []) {
    server.closeAllConnections();
    server.close();
  }
  await bench?.remove();
});

/** GPUs that a program called broken. */
const suspects = ['GPU-0', 'GPU-1', 'GPU-2'];
const content = '0123456789';
const checkpoint = {
  step: 5,
  purposes: ['step', 'best', 'final'],
  policy_version: 5,
  record: 0,
  epoch: 0,
  best_metric: null,
  metrics: {},
  inputs: {},
  files: ['optimizer.pt', 'model/model.safetensors'].map((path) => {
    return { path, size: 10, sha256: createHash('sha256').update(content).digest('hex') };
  }),
};

/** Values with a meaning on this server. */
function known(parameter: string): readonly string[] {
  if (parameter === 'name')
    return [
      'latest',
      'best',
      'final',
      'checkpoint-3',
      'checkpoint-4',
      'checkpoint-5',
      'a1/checkpoint-5',
      'checkpoint-99',
    ];
  if (parameter === 'uuid') return suspects;
  if (parameter === 'runs') return [`${ids[0]},${ids[1]}`, `${ids[1]}, ${ids[0]}`, `${ids[0]},${ids[0]}`];
  if (parameter === 'path') return ['optimizer.pt', 'manifest.json'];
  if (parameter === 'range') return ['bytes=0-3', 'bytes=-2', 'bytes=3-', 'bytes=9-1', 'bytes=99-', 'lines=1-2'];
  if (parameter === 'last-event-id') return ['1', '1:1', '0:0', '1:999', '99'];
  if (parameter === 'if-none-match') return ['*', '"x"', `W/"${'a'.repeat(64)}"`];
  return [];
}

function sensible(operation: string): Record<string, unknown> | null {
  const common = { model: { name: 'model' }, data: { train_data: 'train.jsonl' } };
  if (operation === 'createRun') return common;
  if (operation === 'createEvaluation') return { model: 'model', method: 'sft', data: 'train.jsonl' };
  if (operation === 'importCheckpoints') return { path: 'old-run', spec: { method: 'sft', ...common } };
  if (operation === 'resumeRun') return { from: 'latest', overrides: {} };
  const files = [{ path: 'optimizer.pt', size: 10 }];
  if (operation === 'postUploads') return { step: 6, files };
  if (operation === 'postCheckpoint') return checkpoint;
  return null;
}

const schemaOf = (reference: string): Schema =>
  reference
    .replace('#/', '')
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document) as Schema;

test.each(documented.map((operation) => [operation.operationId, operation] as const))(
  `%s answers whatever it is sent as documented (TANDEM_FUZZ_SEED=${seed})`,
  { timeout },
  async (name, operation) => {
    const random = createRandom(seed + [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7));
    const agent = operation.path.startsWith('/agent/');
    const port = (servers[agent ? 1 : 0]?.address() as AddressInfo).port;
    const names = agent ? [`${ids[0]}.a1`, `${ids[0]}.a1`, `${ids[0]}.a2`] : [...ids, 'run-00000000'];
    const options = {
      random,
      resolve: schemaOf,
      sensible,
      known: (parameter: string) => (parameter === 'id' ? names : known(parameter)),
    };
    // Only what has ended can be resumed or deleted.
    if (name === 'resumeRun' || name === 'deleteRun') for (const id of ids.slice(1)) wiring.service.cancel(id);
    const statuses = new Map<number, number>();
    const faults: unknown[] = [];
    for (let i = 0; i < perOperation; i++) {
      const request = makeRequest(operation, options);
      if (agent && random.chance(0.95)) request.headers['authorization'] = `Bearer ${token}`;
      // The live run is what the others are tried on.
      if (name === 'deleteRun' && request.target.includes(ids[0] as string)) continue;
      const answer = await send(port, request).catch((error: Error) => error);
      if (!(answer instanceof Error)) statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const fault = answer instanceof Error ? answer.message : faultOrElsewhere(name, answer);
      if (fault !== null)
        faults.push({ fault, request: { ...request, body: request.body?.toString().slice(0, 2000) } });
    }
    expect(faults).toEqual([]);
    // Not everything is refused, or the rest would never be reached.
    expect(Math.min(...statuses.keys()), JSON.stringify([...statuses])).toBeLessThan(400);
  },
);

test('it is still the same control plane afterwards, and its runs are there', async () => {
  const { runs } = wiring.service.list({ limit: 1000 });
  expect(runs.map(({ id }) => id)).toContain(ids[0]);
  expect(wiring.service.get(ids[0] as string).attempts).toHaveLength(1);
});

/** A hostile path parameter may lead to another operation, or to none; what that answers is its own matter, as long as it answers. */
function faultOrElsewhere(name: string, answer: FuzzAnswer): string | null {
  const operation = table[name] as Operation;
  const elsewhere = answer.status === 404 || answer.status === 405;
  if (elsewhere && /urn:tandem:problem:(not-found|method-not-allowed)/.test(answer.body)) return null;
  return faultOf(operation, answer);
}
