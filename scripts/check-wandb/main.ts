import { z } from 'zod';
import { createWandbClient, type WandbClient } from '../../services/control-plane/trackers/wandb/wandb.client.ts';
import {
  readWandb,
  type WandbSettings,
  wandbEnvironment,
} from '../../services/control-plane/trackers/wandb/wandb-settings.ts';
import { parseEnvironment } from '../../services/platform/settings.ts';
import { screen } from '../quickstart/screen.ts';
import { findControlPlane } from '../train/control-plane.ts';
import { runScript, type ScriptHost } from '../train/run-script.ts';
import { compareWithRecords } from './compare.ts';
import { type CheckOptions, readOptions, usage } from './options.ts';

const DEADLINE_MS = 60_000;
/** Always the same W&B run, so that checking leaves one behind and not many. */
const ID = 'tandem-check';
const ROWS = 3;

process.exitCode = await runScript({ name: 'check_wandb.sh', usage, readOptions, run: check });

async function check({ run, url }: CheckOptions, host: ScriptHost): Promise<number> {
  const settings = readWandb(parseEnvironment(z.object(wandbEnvironment), host.environment), host.root);
  const client = createWandbClient({ settings, now: Date.now });
  const signal = AbortSignal.timeout(DEADLINE_MS);
  await writeAndRead(client, settings, signal);
  return run === null ? 0 : await compareRun(run, { url, host, client, signal });
}

/** @throws TrackerError with the remedy */
async function writeAndRead(client: WandbClient, { baseUrl, project, entity }: WandbSettings, signal: AbortSignal) {
  const { username, entity: own } = await client.viewer(signal);
  screen.line(`  the key belongs to ${username || own} at ${baseUrl}`);
  const place = await client.upsert(
    {
      ...{ id: ID, project, entity, displayName: ID, group: ID, jobType: 'check', tags: [], notes: null },
      config: { _wandb: { value: { t: { '13': 'tandem' } } } },
    },
    signal,
  );
  const content = Array.from({ length: ROWS }, (_, step) =>
    JSON.stringify({ _step: step, _timestamp: Date.now() / 1000, 'train/step': step }),
  );
  await client.stream(place, { history: { offset: 0, content }, summary: content.at(-1) ?? '{}', exitcode: 0 }, signal);
  const held = await client.held(place, signal);
  if (held === null || held.historyLines < ROWS) {
    throw new Error(
      `${baseUrl} has taken ${ROWS} rows and shows ${held?.historyLines ?? 0}; ask again in a minute, and look whether WANDB_BASE_URL is a W&B server`,
    );
  }
  screen.line(`  ${ROWS} rows were written to ${place.entity}/${place.project}/${ID} and read back`);
}

async function compareRun(
  run: string,
  {
    url,
    host,
    client: wandb,
    signal,
  }: { url: string | null; host: ScriptHost; client: WandbClient; signal: AbortSignal },
): Promise<number> {
  const { client, cleanUp } = await findControlPlane({ ...host, url, keep: false });
  try {
    const status = (await client.trackers(run)).find(({ kind }) => kind === 'wandb');
    if (status === undefined)
      throw new Error(`${run} is not shown in W&B; set monitoring.enable_wandb: true when it is submitted or resumed`);
    const [entity = '', project = ''] = status.project?.split('/') ?? [];
    const held = status.run_id === null ? null : await wandb.held({ entity, project, id: status.run_id }, signal);
    const wrong = compareWithRecords(status, held, await client.valuesAt(run, status.last_step ?? 0));
    for (const line of wrong) screen.line(`  ${run}: ${line}`);
    if (wrong.length === 0)
      screen.line(`  ${run}: W&B is at step ${status.last_step} with the values of the records: ${status.url}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await cleanUp();
  }
}
