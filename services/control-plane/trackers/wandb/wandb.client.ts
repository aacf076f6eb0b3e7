import { postJson } from './wandb-request.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** Where a W&B run lies. */
export interface WandbPlace {
  entity: string;
  project: string;
  id: string;
}

/** What is said of a W&B run when it is made or resumed. */
export interface RunUpsert {
  entity: string | null;
  project: string;
  id: string;
  displayName: string;
  group: string;
  jobType: string;
  tags: readonly string[];
  notes: string | null;
  /** `{key: {value}}`. */
  config: Readonly<Record<string, { value: unknown }>>;
}

/** What W&B holds of a run. */
export interface HeldByWandb {
  historyLines: number;
  /** The newest row; null for none. */
  lastRow: Record<string, unknown> | null;
  summary: Record<string, unknown>;
}

/** Lines are put at `offset`, whatever is there: sending them again changes nothing. */
export interface FileLines {
  offset: number;
  content: readonly string[];
}

export interface StreamRequest {
  history?: FileLines;
  /** The whole summary, as one line. */
  summary?: string;
  /** The run has ended with this code. */
  exitcode?: number;
}

/** The part of W&B's protocol that runs need (wandb core 0.31). */
export interface WandbClient {
  viewer(signal: AbortSignal): Promise<{ username: string; entity: string }>;
  /** null: there is no such run. */
  held(at: { entity: string | null; project: string; id: string }, signal: AbortSignal): Promise<HeldByWandb | null>;
  upsert(run: RunUpsert, signal: AbortSignal): Promise<WandbPlace>;
  /** An empty request says that the run goes on. `stopped`: somebody has pressed stop in its page. */
  stream(at: WandbPlace, request: StreamRequest, signal: AbortSignal): Promise<{ stopped: boolean }>;
}

/** @param idleMs a request fails when nothing moves for so long */
export function createWandbClient({
  settings,
  now,
  idleMs = 30_000,
}: {
  settings: WandbSettings;
  now: () => number;
  idleMs?: number;
}): WandbClient {
  const graphql = async (what: string, query: string, variables: object, signal: AbortSignal): Promise<unknown> => {
    const operationName = /^(?:query|mutation) (\w+)/.exec(query)?.[1];
    const answer = await postJson(
      '/graphql',
      { query, variables, operationName },
      { settings, what, signal, now, idleMs },
    );
    return (answer as { data?: unknown }).data ?? {};
  };

  return {
    viewer: async (signal) => {
      const data = (await graphql('say whose the key is', VIEWER, {}, signal)) as {
        viewer?: { username?: string; entity?: string } | null;
      };
      return { username: data.viewer?.username ?? '', entity: data.viewer?.entity ?? '' };
    },

    held: async ({ entity, project, id }, signal) => {
      const variables = { project, entity, name: id };
      const { model } = (await graphql('look up a run', RESUME_STATUS, variables, signal)) as {
        model?: { bucket?: Record<string, unknown> | null } | null;
      };
      const bucket = model?.bucket ?? null;
      if (bucket === null) return null;
      const tail = jsonOf(bucket['historyTail']);
      const last = Array.isArray(tail) ? jsonOf(tail.at(-1)) : null;
      return {
        historyLines: Number(bucket['historyLineCount'] ?? 0),
        lastRow: objectOf(last),
        summary: objectOf(jsonOf(bucket['summaryMetrics'])) ?? {},
      };
    },

    upsert: async ({ id, config, group, ...run }, signal) => {
      const variables = { ...run, name: id, groupName: group, config: JSON.stringify(config), program: 'tandem' };
      const data = (await graphql('make a run', UPSERT, variables, signal)) as {
        upsertBucket?: { bucket?: { project?: { name?: string; entity?: { name?: string } } } };
      };
      const { project } = data.upsertBucket?.bucket ?? {};
      return { id, project: project?.name ?? run.project, entity: project?.entity?.name ?? run.entity ?? '' };
    },

    stream: async ({ entity, project, id }, { history, summary, exitcode }, signal) => {
      const files = {
        ...(history !== undefined && { 'wandb-history.jsonl': history }),
        ...(summary !== undefined && { 'wandb-summary.json': { offset: 0, content: [summary] } }),
      };
      const body = {
        ...(Object.keys(files).length > 0 && { files }),
        ...(exitcode !== undefined && { complete: true, exitcode }),
      };
      const path = ['', 'files', entity, project, id, 'file_stream'].map(encodeURIComponent).join('/');
      const answer = await postJson(path, body, { settings, what: 'take rows of a run', signal, now, idleMs });
      return { stopped: (answer as { stopped?: unknown }).stopped === true };
    },
  };
}

/** Fields that are JSON inside of JSON; rows may hold NaN, which JSON has not. */
function jsonOf(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value.replace(/(?<=[:[,]\s*)(NaN|-?Infinity)(?=\s*[,}\]])/g, '"$1"')) as unknown;
  } catch {
    return null;
  }
}

function objectOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

const VIEWER = `query Viewer { viewer { id entity username } }`;

const RESUME_STATUS = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { id name historyLineCount historyTail summaryMetrics wandbConfig(keys: ["t"]) }
  }
}`;

const UPSERT = `mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String, $displayName: String, $notes: String,
  $config: JSONString, $program: String, $jobType: String, $tags: [String!]) {
  upsertBucket(input: {name: $name, groupName: $groupName, modelName: $project, entityName: $entity, displayName: $displayName, notes: $notes,
    config: $config, jobProgram: $program, jobType: $jobType, tags: $tags}) {
    bucket { id name displayName historyLineCount project { id name entity { id name } } }
    inserted
  }
}`;
