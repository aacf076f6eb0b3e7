#!/usr/bin/env bash
# Trains by a run config, with everything that takes: checks keys, builds images, starts what is not up, waits, submits, follows, cleans up.
#   ./scripts/train.sh --config scripts/configs/example_sft.yaml     (its model and data are made when they are missing)
#   ./scripts/train.sh --config F --resume
#   ./scripts/train.sh --config F --resume_from_checkpoint outputs/my-run/checkpoints/checkpoint-500
# With TANDEM_URL or --url it uses the control plane that runs there. --help lists the rest.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/train/main.js" "$@"
