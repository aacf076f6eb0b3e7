#!/bin/sh
# Puts what the image holds into a directory: compiled sources, the packages that run, and data files. Run at the root of the sources.
#   assemble.sh DIR          installs packages and builds there first, which needs npm and the registry
#   assemble.sh DIR --built  takes dist/ and node_modules/ as they are
set -eu
target="$1"

main() {
  if [ "${2:-}" != --built ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
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

# What `npm ci --omit=dev` would install is there already, among what builds and tests need. Links to its files are enough; another file system gets copies.
packages() {
  lock="$(sha256sum package-lock.json "$0" | sha256sum)"
  if [ "$(cat "$target/node_modules/.tandem-lock" 2>/dev/null || true)" = "$lock" ]; then return; fi
  paths="$(needed)"
  rm -rf "$target/node_modules"
  # shellcheck disable=SC2086 # names of packages have no spaces
  cp -al --parents $paths "$target/" 2>/dev/null || { rm -rf "$target/node_modules"; cp -a --parents $paths "$target/"; }
  prune
  echo "$lock" >"$target/node_modules/.tandem-lock"
}

# Packages that are not for development alone and not of another platform. Those within others come with them. One that an installation broke off
# or left out is an error here, not in a run.
needed() {
  node -e '
    const { existsSync, readFileSync } = require("node:fs");
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
    const libc = process.report.getReport().header.glibcVersionRuntime ? "glibc" : "musl";
    const isOfHere = (of) => (of.os ?? [process.platform]).includes(process.platform) && (of.cpu ?? [process.arch]).includes(process.arch) && (of.libc ?? [libc]).includes(libc);
    const wanted = Object.entries(packages).filter(([path, { dev }]) => path !== "" && !dev);
    const missing = wanted.filter(([path, of]) => isOfHere(of) && !existsSync(path)).map(([path]) => path);
    if (missing.length > 0) {
      console.error(`assemble.sh: not installed: ${missing.join(", ")}; run npm ci`);
      process.exit(69);
    }
    const paths = wanted.map(([path]) => path).filter((path) => existsSync(path));
    console.log(paths.filter((path) => path.lastIndexOf("node_modules/") === 0).join("\n"));
  '
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
