#!/usr/bin/env bash
# Evaluates a stored checkpoint on a data set without training, with progress, and prints what came out.
#   ./scripts/evaluate.sh --checkpoint runs/run-7k3m9q2d/best --data data/test.jsonl
#   ./scripts/evaluate.sh --checkpoint runs/run-7k3m9q2d/best --data data/test.jsonl --before   (the model it was trained from as well)
#   ./scripts/evaluate.sh --model models/tiny --data data/test.jsonl --method grpo
# With TANDEM_URL or --url it uses the control plane that runs there. --help lists the rest.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/evaluate/main.js" "$@"
