import { basename, dirname, resolve } from 'node:path';
import { LogFileError, parseLog, readLogFile } from '../../services/control-plane/reports/read-log-file.ts';
import { resumesOf } from '../../services/control-plane/reports/resumes.ts';
import type { Resume } from '../../services/control-plane/reports/run-plots.ts';
import type { Row, TrainingLog } from '../../services/control-plane/reports/training-log.ts';
import { flatten } from '../../services/control-plane/runs/flatten.ts';
import { createRedactor } from '../../services/platform/redaction.ts';
import { type Client, RefusedError } from '../quickstart/client.ts';
import { EXIT, ReportError } from './exit-codes.ts';

/** A log, and what is known of it besides. */
export interface Source {
  /** What a person calls the run. */
  title: string;
  log: TrainingLog;
  /** What it was set to: by run id everything, of a file its config. */
  settings: Row;
  resumes: readonly Resume[];
  /** What is wrong with a file that could be read all the same; null when nothing is. */
  damage: string | null;
}

const RUN_ID = /^run-[a-z0-9]{8}$/;

/** Whether a run is asked for, and not a file. */
export function isRunId(log: string): boolean {
  return RUN_ID.test(log);
}

/** Reads a log from a file, or by a run's id from the control plane. @throws ReportError */
export async function readSource(log: string, connect: () => Promise<Client>): Promise<Source> {
  try {
    return isRunId(log) ? await readRun(log, connect) : await readFile(log);
  } catch (error) {
    if (error instanceof LogFileError)
      throw new ReportError(error.message, error.isMissing ? EXIT.noInput : EXIT.data, { cause: error });
    throw error;
  }
}

async function readFile(path: string): Promise<Source> {
  const { log, damage } = await readLogFile(path);
  return { title: titleOf(log, path), log, settings: log.config, resumes: [], damage: damage && `${path} ${damage}` };
}

async function readRun(id: string, connect: () => Promise<Client>): Promise<Source> {
  const path = `/runs/${id}/training-log`;
  const { run, text, baseUrl } = await ask(id, path, connect);
  const { log } = parseLog(text, `${baseUrl}${path}`);
  // Reports are sent to others.
  const redactor = createRedactor({});
  return {
    title: run.name === null ? id : `${id} ${redactor.text(run.name)}`,
    log,
    settings: flatten(redactor.value(run.spec)),
    resumes: resumesOf(id, run.attempts),
    damage: null,
  };
}

/** @throws ReportError when there is no such run, or nobody tells */
async function ask(id: string, path: string, connect: () => Promise<Client>) {
  try {
    const client = await connect();
    const [run, text] = await Promise.all([client.run(id), client.text(path)]);
    return { run, text, baseUrl: client.baseUrl };
  } catch (error) {
    const isMissing = error instanceof RefusedError && error.status === 404;
    throw new ReportError((error as Error).message, isMissing ? EXIT.noInput : EXIT.unavailable, { cause: error });
  }
}

/** A run's tree names it; where a log lies elsewhere, the directory it lies in. */
function titleOf({ config }: TrainingLog, path: string): string {
  const directory = basename(dirname(resolve(path)));
  const output = config['output_dir'];
  return typeof output === 'string' && output !== '' ? basename(output) : directory;
}
