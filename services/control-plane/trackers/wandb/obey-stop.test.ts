import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { metricsRecord } from '../../records/record.fixtures.ts';
import { createTestBench, reconcileUntil, type TestBench } from '../../testing.ts';

/** In whose pages somebody has pressed stop. */
const server = createServer((request, response) => {
  request.resume();
  const project = { name: 'cua-grpo', entity: { name: 'tester' } };
  const made = { data: { upsertBucket: { bucket: { project } } } };
  response.end(JSON.stringify(request.url === '/graphql' ? made : { stopped: true }));
});
let bench: TestBench;
let url: string;
beforeEach(async () => {
  bench = await createTestBench();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await bench.remove();
  server.closeAllConnections();
  server.close();
});

it('a run whose stop is pressed in W&B is cancelled, its trainer ends, and it is said who did it', async () => {
  bench.script('trainer', "trap 'exit 0' TERM; while :; do sleep 0.02; done");
  const environment = { WANDB_API_KEY: 'k'.repeat(40), WANDB_BASE_URL: url, TANDEM_STOP_DEADLINE: '1' };
  const wiring = await bench.open({ environment });
  const spec = bench.spec({ monitoring: { enable_wandb: true } });
  const { id } = (await wiring.service.submit(spec, () => undefined)).body;
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts[0]?.roles[0]?.pid != null);
  await wiring.records.ingest(id, 1, [metricsRecord(1, 1, { 'train/loss': 0.5 })]);
  await reconcileUntil(wiring, () => wiring.service.get(id).status === 'cancelled');
  await reconcileUntil(wiring, async () => (await wiring.runtime.observe()).length === 0);
  const events = wiring.db.all<{ actor: string; message: string }>(
    "SELECT actor, message FROM events WHERE name = 'warning' AND actor = 'user'",
  );
  expect(events).toEqual([
    { actor: 'user', message: `Stopped in W&B by somebody at ${url}/tester/cua-grpo/runs/${id}.` },
  ]);
});
