#!/usr/bin/env bash
# `snakemake --lint`, less one finding that does not apply: a conda environment or container for each rule. The one
# environment of the project is pinned by the lock file and installed before the workflow starts (docs/install.md).
set -u
found=$(snakemake --lint 2>&1)
if ! grep -q '^Lints for\|Congratulations' <<<"$found"; then
	echo "$found"
	exit 1
fi
if grep '^    \* ' <<<"$found" | grep -v 'Specify a conda environment or container for each rule'; then
	echo "snakemake --lint has more to say about these" >&2
	exit 1
fi
