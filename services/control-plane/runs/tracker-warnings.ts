import type { RunSpec } from '../../contracts/run-spec.ts';

/** What trackers that the spec turns on lack here. No run is refused for it: its records are kept, and sent once it is there. */
export function trackerWarnings(
  { monitoring }: RunSpec,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const warnings: string[] = [];
  if (monitoring.enable_wandb && !environment['WANDB_API_KEY']) {
    warnings.push(
      'monitoring.enable_wandb: WANDB_API_KEY is not set, so nothing is sent yet; put it into .env and start the control plane again, and everything is sent then',
    );
  }
  if (monitoring.enable_mlflow && monitoring.mlflow_tracking_uri === null && !environment['MLFLOW_TRACKING_URI']) {
    warnings.push(
      'monitoring.enable_mlflow: no MLflow server is named, so nothing is sent yet; put MLFLOW_TRACKING_URI into .env and start the control plane again, ' +
        'and everything is sent then, or name one by monitoring.mlflow_tracking_uri',
    );
  }
  return warnings;
}
