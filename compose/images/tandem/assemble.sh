#!/bin/sh
# Puts what the image holds into a directory: compiled sources, the packages that run, and data files. Run at the root of the sources.
#   assemble.sh DIR          installs packages and builds there first, which needs npm and the registry
#   assemble.sh DIR --built  takes dist/ as it is, and packages from the npm registry only when the lockfile has changed
set -eu
target="$1"
npm_ci='npm ci --ignore-scripts --no-audit --no-fund --loglevel=error'

main() {
  if [ "${2:-}" != --built ]; then
    $npm_ci
    npm run --silent build
  fi
  mkdir -p "$target/empty"
  packages
  rm -rf "$target/dist" "$target/openapi" "$target/gpu-profiles"
  mkdir -p "$target/dist"
  cp -r openapi gpu-profiles package.json LICENSE "$target/"
  cp -r dist/services dist/scripts "$target/dist/"
  find "$target/dist" \( -name '*.map' -o -name '*.test.js' -o -name '*.contract.js' \) -type f -exec rm -f {} +
}

packages() {
  lock="$(sha256sum package-lock.json "$0" | sha256sum)"
  if [ "$(cat "$target/node_modules/.tandem-lock" 2>/dev/null || true)" = "$lock" ]; then return; fi
  cp package.json package-lock.json "$target/"
  (cd "$target" && $npm_ci --omit=dev && rm package-lock.json)
  prune
  echo "$lock" >"$target/node_modules/.tandem-lock"
}

# Two thirds of the packages are source maps, types, and builds for browsers, which Node never loads.
prune() {
  modules="$target/node_modules"
  find "$modules" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.tsbuildinfo' \) -exec rm -f {} +
  find "$modules"/@tensorflow/*/dist -maxdepth 1 -type f \
    \( -name 'tf*.es2017*' -o -name 'tf*.fesm*' -o -name 'tf*.min.js*' -o -name '*.html' -o -name 'tf.js' \) -exec rm -f {} +
  rm -rf "$modules"/@tensorflow/*/src "$modules/@photostructure/sqlite/src"
}

main "$@"
