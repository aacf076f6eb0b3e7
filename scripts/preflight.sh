#!/usr/bin/env bash
# Says whether this host is ready, one line per check with its remedy; ends with 1 when something that is needed is missing.
#   ./scripts/preflight.sh                       for the runtime that .env or TANDEM_RUNTIME choose
#   ./scripts/preflight.sh --runtime docker      for runs as containers, whatever they say
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/preflight.js" "$@"
