#!/usr/bin/env bash
# Says which system packages are missing before pip fails in the middle of a compilation.
set -u
python=${1:-python3}
missing=()
command -v "$python" >/dev/null || missing+=(python3)
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null ||
	{ echo "Python 3.11 or 3.12 is needed; found: $("$python" --version 2>&1). Use: make PYTHON=python3.11" >&2; exit 1; }
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v gcc >/dev/null && command -v make >/dev/null || missing+=(build-essential)
printf '#include <ffi.h>\n' | gcc -E - >/dev/null 2>&1 || missing+=(libffi-dev)
if [ ${#missing[@]} -gt 0 ]; then
	echo "System packages are missing: ${missing[*]}. TextWorld's engine (jericho) is compiled from source." >&2
	echo "On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
