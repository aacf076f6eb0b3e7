#!/usr/bin/env bash
# Builds the images that compose and the Docker runtime start. Nothing is fetched inside a build: packages and programs are brought.
#   ./scripts/build-image.sh                      tandem:<version> on node:22-bookworm-slim, or on what TANDEM_BASE_IMAGE names
#   ./scripts/build-image.sh --base IMAGE         on another base, such as one from ./scripts/base-image.sh
#   ./scripts/build-image.sh --base IMAGE minio   tandem-minio:<release> (needs Go); several names build several
#   ./scripts/build-image.sh --engine cpu         with TensorFlow for trainers: cpu or cuda (scripts/install-tensorflow.sh); TANDEM_ENGINE says the same
# TANDEM_IMAGE and TANDEM_MINIO_IMAGE name them otherwise. An image that was made of the same things is used again.
set -euo pipefail
cd "$(dirname "$0")/.."

base="${TANDEM_BASE_IMAGE:-node:22-bookworm-slim}"
engine="${TANDEM_ENGINE:-wasm}"
names=()

main() {
  while [[ $# -gt 0 ]]; do
    case "$1" in
      --base) base="${2:?build-image.sh: --base needs an image}"; shift 2 ;;
      --engine) engine="${2:?build-image.sh: --engine needs wasm, cpu or cuda}"; shift 2 ;;
      tandem | minio) names+=("$1"); shift ;;
      *) echo "build-image.sh: unknown argument $1; it takes --base IMAGE, --engine wasm|cpu|cuda, tandem, minio" >&2; exit 64 ;;
    esac
  done
  if ! docker info >/dev/null 2>&1; then
    echo "build-image.sh: no Docker daemon answers at ${DOCKER_HOST:-unix:///var/run/docker.sock}; start it, or set DOCKER_HOST" >&2; exit 69
  fi
  if [[ ${#names[@]} -eq 0 ]]; then names=(tandem); fi
  local name
  for name in "${names[@]}"; do "build_$name"; done
}

build_tandem() {
  local version image
  version="$(node -p 'require("./package.json").version')"
  image="${TANDEM_IMAGE:-tandem:$version}"
  ./scripts/install.sh
  # Whoever else builds at the same time would change what is packed here.
  exec 9>dist/.image-lock
  flock 9
  local fingerprint
  local tensorflow=''
  if [[ "$engine" != wasm ]]; then
    ./scripts/install-tensorflow.sh "--$engine"
    tensorflow="$(realpath "${TANDEM_TENSORFLOW_HOME:-$HOME/.cache/tandem/tensorflow}/$engine")"
  fi
  fingerprint="$(fingerprint dist/.built package.json package-lock.json compose/images/tandem/* gpu-profiles/* openapi/* ${tensorflow:+"$tensorflow/.installed"})"
  if is_current "$image" "$fingerprint"; then exec 9>&-; return; fi
  mkdir -p dist/image
  compose/images/tandem/assemble.sh dist/image --built
  rm -rf dist/image/tensorflow
  if [[ -n "$tensorflow" ]]; then
    mkdir dist/image/tensorflow
    cp -r "$tensorflow" "dist/image/tensorflow/$engine"
  fi
  without_build_stage compose/images/tandem/Dockerfile >dist/image.Dockerfile
  if grep -q -e '--from=build' dist/image.Dockerfile; then
    echo 'build-image.sh: compose/images/tandem/Dockerfile has a COPY --from=build of another form than without_build_stage here knows; adapt that' >&2; exit 70
  fi
  tar -C dist -c image --transform='s/^image.Dockerfile$/Dockerfile/' image.Dockerfile \
    | build "$image" "$fingerprint" --build-arg PYTHON=none --label "org.opencontainers.image.version=$version"
  exec 9>&-
}

build_minio() {
  local version image binary
  version="$(sed -n 's/^ARG MINIO_VERSION=//p' compose/images/minio/Dockerfile)"
  image="${TANDEM_MINIO_IMAGE:-tandem-minio:2025-09-07}"
  local fingerprint
  fingerprint="$(fingerprint compose/images/minio/*)"
  if is_current "$image" "$fingerprint"; then return; fi
  binary="${TANDEM_MINIO:-${TANDEM_TEST_CACHE:-$HOME/.cache/tandem-test}/minio/minio}"
  # One that is named is taken as it is.
  if [[ -z "${TANDEM_MINIO:-}" && "$(go version -m "$binary" 2>/dev/null)" != *"$version"* ]]; then
    if ! command -v go >/dev/null; then
      echo 'build-image.sh: MinIO is built from source, and there is no Go here; install it, or let `docker compose build minio` do it in a container' >&2; exit 69
    fi
    echo 'Building MinIO from source (about three minutes on two cores) ...'
    GOBIN="$(dirname "$binary")" CGO_ENABLED=0 go install "github.com/minio/minio@$version"
  fi
  tar -C "$(dirname "$binary")" -c "$(basename "$binary")" -C "$PWD/compose/images/minio" start.mjs health.mjs | with_dockerfile compose/images/minio/Dockerfile \
    | build "$image" "$fingerprint" --build-arg "BUILD_IMAGE=$base" --label "org.opencontainers.image.version=$version"
}

# What the first stage would make is brought, as `image`: copying it into a stage and out again is most of the time of a build.
without_build_stage() {
  # shellcheck disable=SC2016 # the Dockerfile's variable
  sed -e '/^FROM .* AS build$/,/^FROM /{/^FROM ${BASE_IMAGE}$/!d}' -e 's#^COPY --from=build \(.*\)/src/image#COPY \1image#' "$1"
}

# Adds the Dockerfile to a tar that comes by standard input: the two are one context.
with_dockerfile() {
  local context; context="$(mktemp)"
  cat >"$context"
  tar --append -f "$context" -C "$(dirname "$1")" Dockerfile
  cat "$context"
  rm -f "$context"
}

# Reads the context from standard input. The classic builder is enough, and the only one where buildx is not installed.
build() {
  local image="$1" fingerprint="$2" output; shift 2
  output="$(mktemp)"
  echo "Building the image $image on $base ..."
  if ! DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}" docker build --network none --build-arg "BASE_IMAGE=$base" --label "dev.tandem.fingerprint=$fingerprint" "$@" -t "$image" - >"$output" 2>&1; then
    tail -n 20 "$output" >&2; rm -f "$output"; exit 1
  fi
  rm -f "$output"
  echo "$image: $(docker image inspect -f '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

is_current() {
  [[ "$(docker image inspect -f '{{index .Config.Labels "dev.tandem.fingerprint"}}' "$1" 2>/dev/null)" == "$2" ]] || return 1
  echo "$1 is up to date"
}

# Of what an image is made of: files, and the base that is here.
fingerprint() {
  { docker image inspect -f '{{.Id}}' "$base" 2>/dev/null || echo "$base"; cat "$@"; } | sha256sum | cut -c1-32
}

main "$@"
