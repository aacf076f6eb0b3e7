import type { TrackerWords } from '../tracker-error.ts';
import type { TrackerServer } from '../tracker-request.ts';

const IDLE_MS = 30_000;

const signIn =
  'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in .env, and start the control plane again; ' +
  'they are sent to the server of MLFLOW_TRACKING_URI alone';

const words: TrackerWords = {
  unknown: `it does not know who asks; ${signIn}`,
  forbidden: `it does not permit it; ${signIn}`,
  refused: 'look at the experiment and the run there; monitoring.mlflow_experiment names another one',
  unreachable:
    'look whether it runs and whether this machine may reach it, or set MLFLOW_TRACKING_URI; nothing is lost until then',
  notJson: 'look whether it is an MLflow server',
};

/** An MLflow server. `authorization` is the value of the header; `uri` has no slash at its end. */
export function mlflowServer({
  uri,
  authorization,
  now,
}: {
  uri: string;
  authorization: string | null;
  now: () => number;
}): TrackerServer {
  return {
    ...{ url: uri, authorization, idleMs: IDLE_MS, words, now },
    secret: authorization?.replace(/^\w+ /, '') ?? null,
    maxAnswer: 16 * 2 ** 20,
    empty: {},
    saidIn: (answer) => {
      const { error_code: code, message } = (answer ?? {}) as { error_code?: unknown; message?: unknown };
      return { said: typeof message === 'string' ? message : '', code: typeof code === 'string' ? code : null };
    },
  };
}
