#!/usr/bin/env bash
# Fetches what is needed to serve a checkpoint, verifies it, and prints the vLLM command that serves it.
#   ./scripts/export.sh run-7k3m9q2d                     (its best, into exports/)
#   ./scripts/export.sh run-7k3m9q2d/checkpoint-100 /srv/adapters/mine
# With TANDEM_URL or --url it uses the control plane that runs there. --help says more.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/export/main.js" "$@"
