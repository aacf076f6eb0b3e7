#!/usr/bin/env bash
# From a fresh clone to a language model that got better by reinforcement learning, killed and resumed on the way.
#   ./scripts/quickstart.sh            about two minutes on two cores; needs Node and nothing else
#   ./scripts/quickstart.sh --keep     leaves the control plane running afterwards
#   ./scripts/quickstart.sh --seed 7   another model, other data
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/install.sh
exec node dist/scripts/quickstart/main.js "$@"
