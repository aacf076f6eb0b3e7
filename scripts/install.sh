#!/usr/bin/env bash
# Installs the packages of the lockfile and builds, each only when something has changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
  check_machine
  local lock; lock="$(sha256sum package-lock.json | cut -d' ' -f1)-$(node -p 'process.versions.modules')"
  if [[ "$(cat node_modules/.tandem-lock 2>/dev/null || true)" != "$lock" ]]; then
    echo 'Installing packages (about half a minute) ...'
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    echo "$lock" > node_modules/.tandem-lock
  fi
  local sources; sources="$(find services scripts test -name '*.ts' -print0 | sort -z | xargs -0 cat tsconfig.json package-lock.json | sha256sum | cut -d' ' -f1)"
  if [[ "$(cat dist/.built 2>/dev/null || true)" != "$sources" ]]; then
    echo 'Building ...'
    npm run --silent build
    echo "$sources" > dist/.built
  fi
}

check_machine() {
  if [[ "$(uname -s)" != Linux ]]; then
    echo "Tandem runs on Linux (x64, arm64); this is $(uname -s). Use a Linux machine, a container or WSL 2." >&2; exit 69
  fi
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo 'Tandem needs Node.js 22 (or 20.19 and newer) with npm; install it from your distribution or nodejs.org.' >&2; exit 69
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || a >= 22 ? 0 : 1)'; then
    echo "Tandem needs Node.js 22 (or 20.19 and newer); this is $(node --version)." >&2; exit 69
  fi
}

main
