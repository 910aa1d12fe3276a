#!/usr/bin/env bash
# Locks: uv.lock with hashes, and from it what pip installs: requirements.lock for users, requirements-dev.lock for tests.
# Needs uv (pip install uv) and a network. What is locked stays where it still fits; UPGRADE=1 takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."

# torch's CUDA libraries are left to torch: its build for CPUs has none
pins() {
	uv export --quiet --frozen --no-hashes --no-annotate --no-header --no-emit-project "$@" |
		grep -vE '^(cuda-|nvidia-|triton=)' | LC_ALL=C sort
}

uv lock --quiet ${UPGRADE:+--upgrade}
{
	echo "# Everything that the workflow runs with, pinned; made by \`make lock\` from uv.lock, which has the hashes."
	pins
} >requirements.lock.new
{
	echo "# What tests and lint need beside it, optional worlds included; made by \`make lock\`."
	echo "-r requirements.lock"
	LC_ALL=C comm -13 <(pins) <(pins --extra dev --extra pretrained --extra rocrate --extra textworld-express --extra scienceworld)
} >requirements-dev.lock.new
mv requirements.lock.new requirements.lock
mv requirements-dev.lock.new requirements-dev.lock
"${PYTHON:-python3}" scripts/lock_tools.py
