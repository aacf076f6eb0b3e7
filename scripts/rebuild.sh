#!/usr/bin/env bash
# Makes a lost or broken TANDEM_HOME/tandem.db anew from the object store, the records and the run trees. Stop the control plane first.
#   ./scripts/rebuild.sh             refuses when the database that is there can be read
#   ./scripts/rebuild.sh --replace   does it all the same; the old database is kept beside the new one
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
"$here/install.sh"
exec node "$here/../dist/scripts/rebuild.js" "$@"
