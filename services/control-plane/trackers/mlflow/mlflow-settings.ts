import { z } from 'zod';
import { refuseUrl } from '../../../platform/address-policy.ts';

/** MLflow as this control plane uses it. What authorizes goes to the server of `trackingUri` and nowhere else. */
export interface MlflowSettings {
  /** Without a slash at its end. null: runs have to name one. */
  trackingUri: string | null;
  experiment: string;
  /** Value of the Authorization header. */
  authorization: string | null;
}

/** What is wrong with the address of a server, or null. */
export function refuseTrackingUri(text: string): string | null {
  const example = 'http://mlflow:5000';
  if (!/^https?:/.test(text)) return `must be the http or https URL of an MLflow server, such as ${example}`;
  return refuseUrl(text)?.replace('http://localhost:8000/v1', example) ?? null;
}

const secret = z.string().regex(/^[\x20-\x7e]+$/, 'must be printable ASCII');

/** What is read from the environment about MLflow; the names are those of MLflow's own clients. */
export const mlflowEnvironment = {
  MLFLOW_TRACKING_URI: z
    .string()
    .superRefine((text, { addIssue }) => {
      const refusal = refuseTrackingUri(text);
      if (refusal !== null) addIssue({ code: 'custom', message: refusal });
    })
    .optional(),
  MLFLOW_EXPERIMENT_NAME: z.string().default('tandem'),
  MLFLOW_TRACKING_USERNAME: secret.optional(),
  MLFLOW_TRACKING_PASSWORD: secret.optional(),
  MLFLOW_TRACKING_TOKEN: secret.optional(),
};

/** A user with a password goes before a token, as in MLflow. */
export function readMlflow(env: z.output<z.ZodObject<typeof mlflowEnvironment>>): MlflowSettings {
  const { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password, MLFLOW_TRACKING_TOKEN: token } = env;
  const basic =
    user !== undefined && password !== undefined ? Buffer.from(`${user}:${password}`).toString('base64') : null;
  return {
    trackingUri: env.MLFLOW_TRACKING_URI?.replace(/\/+$/, '') ?? null,
    experiment: env.MLFLOW_EXPERIMENT_NAME,
    authorization: basic !== null ? `Basic ${basic}` : token !== undefined ? `Bearer ${token}` : null,
  };
}
