import type { RunSpec } from '../../contracts/run-spec.ts';

/** What trackers that the spec turns on lack here. No run is refused for it: its records are kept, and sent once the key is there. */
export function trackerWarnings(
  { monitoring }: RunSpec,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const hasKey = Boolean(environment['WANDB_API_KEY'] || environment['WANDB_API_KEY_FILE']);
  return monitoring.enable_wandb && !hasKey
    ? [
        'monitoring.enable_wandb: WANDB_API_KEY is not set, so nothing is sent yet; put it into .env and start the control plane again, and everything is sent then',
      ]
    : [];
}
