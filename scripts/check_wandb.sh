#!/usr/bin/env bash
# Says whether runs can be shown in Weights & Biases: asks it whose the key is, writes a small run and reads it back. Ends with 1 when something is wrong.
#   ./scripts/check_wandb.sh                       the key, the server and the project of .env
#   ./scripts/check_wandb.sh --run run-7k3m9q2d    also compares what W&B holds of that run with its records
# With TANDEM_URL or --url it asks the control plane that runs there about the run. --help says more.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/check-wandb/main.js" "$@"
