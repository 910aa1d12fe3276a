#!/usr/bin/env bash
# `snakemake --lint`, less two findings that do not apply:
# * a conda environment or container for each rule. The one environment of the project is pinned by the lock file and
#   installed before the workflow starts (docs/install.md);
# * a variable in a shell command, where it is OPERATIONAL. The operational parameters are kept out of `params` on purpose:
#   what is there reruns jobs when it changes.
set -u
found=$(snakemake --lint 2>&1)
if ! grep -q '^Lints for\|Congratulations' <<<"$found"; then
	echo "$found"
	exit 1
fi
expected='Specify a conda environment or container for each rule|directly uses variable OPERATIONAL from outside of the rule'
if grep '^    \* ' <<<"$found" | grep -vE "$expected"; then
	echo "snakemake --lint has more to say about these" >&2
	exit 1
fi
