import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { startFakeVllm } from './start-fake-vllm.ts';

/**
 * The fake as a program, for images and processes that stand for vLLM: `node main.js vllm serve <model> …`.
 * `FAKE_VLLM_START_SECONDS` delays its port as loading does, `FAKE_VLLM_FAULTS` is a JSON object of faults.
 */
const environment = z
  .object({
    FAKE_VLLM_START_SECONDS: z.coerce.number().default(0),
    FAKE_VLLM_FAULTS: z.string().default('{}'),
  })
  .parse(process.env);

await sleep(environment.FAKE_VLLM_START_SECONDS * 1000);
const fake = await startFakeVllm({
  command: process.argv.slice(2),
  env: process.env,
  faults: JSON.parse(environment.FAKE_VLLM_FAULTS) as object,
  tell: (line) => void process.stdout.write(`(APIServer pid=1) INFO ${line}\n`),
});
process.stdout.write(`INFO:     Uvicorn running on ${fake.origin} (Press CTRL+C to quit)\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => void fake.close().then(() => process.exit(0)));
}
