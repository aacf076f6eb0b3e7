#!/usr/bin/env bash
# Trains by GRPO: on the shipped example, or by your own config with --config F. Takes what train.sh takes.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../train.sh" --method grpo "$@"
