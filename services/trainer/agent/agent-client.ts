import {
  type AttemptSpec,
  attemptSpecSchema,
  type RecordsReply,
  recordsReplySchema,
  type UploadReply,
  uploadReplySchema,
} from '../../contracts/agent-operations.ts';
import {
  type CheckpointCommit,
  type CheckpointFile,
  type Manifest,
  manifestSchema,
} from '../../contracts/checkpoint.ts';
import type { Problem } from '../../contracts/problem.ts';
import { withDeadline } from '../deadline.ts';

/**
 * How a call to the control plane went wrong. `unreachable` may pass (no connection, a timeout, 5xx, 429); `closed` (410) means stop at once
 * without saving; `gap` means records are missing there; `refused` will not change by itself.
 */
export type AgentErrorKind = 'unreachable' | 'closed' | 'gap' | 'refused';

export class AgentError extends Error {
  readonly kind: AgentErrorKind;
  readonly status: number | undefined;

  constructor(kind: AgentErrorKind, message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AgentError';
    this.kind = kind;
    this.status = status;
  }
}

/** The agent API of one attempt. Each call is made once; who calls decides about retries. */
export interface AgentClient {
  spec(signal?: AbortSignal): Promise<AttemptSpec>;
  /** @param ndjson complete lines; empty is a heartbeat. */
  postRecords(ndjson: string, signal?: AbortSignal): Promise<RecordsReply>;
  requestUpload(
    request: { readonly step: number; readonly files: readonly CheckpointFile[] },
    signal?: AbortSignal,
  ): Promise<UploadReply>;
  commit(commit: CheckpointCommit, signal?: AbortSignal): Promise<Manifest>;
}

const TIMEOUT_MS = 15_000;
/** The control plane asks its object store about every file and part of a checkpoint before it answers. */
const CHECKPOINT_TIMEOUT_MS = 120_000;

/** Where the agent API of an attempt is, and what it is asked with. */
export interface AgentConnection {
  /** Base URL. */
  readonly url: string;
  /** `run-7k3m9q2d.a1` */
  readonly attempt: string;
  readonly token: string;
}

export function createAgentClient(params: AgentConnection): AgentClient {
  const base = `${params.url.replace(/\/+$/, '')}/agent/attempts/${params.attempt}`;

  async function call(path: string, init: RequestInit, timeoutMs: number, signal?: AbortSignal): Promise<unknown> {
    const headers = { ...init.headers, authorization: `Bearer ${params.token}`, accept: 'application/json' };
    try {
      return await withDeadline(timeoutMs, signal, async (limit) => {
        const response = await fetch(`${base}/${path}`, { ...init, headers, signal: limit });
        const text = await response.text();
        if (!response.ok) throw refusal(path, response.status, text);
        return JSON.parse(text) as unknown;
      });
    } catch (error) {
      if (error instanceof AgentError) throw error;
      throw new AgentError('unreachable', `the control plane at ${params.url} does not answer (${path})`, undefined, {
        cause: error,
      });
    }
  }

  const post = (path: string, body: unknown, timeoutMs: number, signal?: AbortSignal) =>
    call(
      path,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      timeoutMs,
      signal,
    );

  return {
    spec: async (signal) => read(attemptSpecSchema, 'spec', await call('spec', { method: 'GET' }, TIMEOUT_MS, signal)),
    postRecords: async (ndjson, signal) => {
      const init = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: ndjson };
      return read(recordsReplySchema, 'records', await call('records', init, TIMEOUT_MS, signal));
    },
    requestUpload: async (request, signal) =>
      read(uploadReplySchema, 'uploads', await post('uploads', request, CHECKPOINT_TIMEOUT_MS, signal)),
    commit: async (commit, signal) =>
      read(manifestSchema, 'checkpoints', await post('checkpoints', commit, CHECKPOINT_TIMEOUT_MS, signal)),
  };
}

function refusal(path: string, status: number, text: string): AgentError {
  const problem = parseProblem(text);
  const detail = `the control plane answered ${status} to ${path}: ${problem?.detail ?? text.slice(0, 200)}`;
  if (status === 410) return new AgentError('closed', detail, status);
  if (status === 409 && problem?.type?.endsWith('record-gap')) return new AgentError('gap', detail, status);
  // Somebody has to change the store first: the save fails, and training goes on.
  if (problem?.type?.endsWith('store-refused')) return new AgentError('refused', detail, status);
  const passes = status >= 500 || status === 429 || status === 408;
  return new AgentError(passes ? 'unreachable' : 'refused', detail, status);
}

function parseProblem(text: string): Partial<Problem> | undefined {
  try {
    return JSON.parse(text) as Partial<Problem>;
  } catch {
    return undefined;
  }
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { message: string } };
}

function read<T>(schema: Schema<T>, path: string, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AgentError('refused', `the answer to ${path} is not what the agent API promises: ${parsed.error.message}`);
}
