#!/usr/bin/env bash
# Ends the cluster that start_slurm.sh started: stop_slurm.sh [DIRECTORY]
set -uo pipefail

dir=$(realpath -m "${1:-/tmp/teachable-slurm}")
[ -e "$dir/slurm.conf" ] || exit 0
scancel --full --state=RUNNING,PENDING --user="$(id -un)" 2>/dev/null
for file in "$dir"/slurmd-*.pid "$dir/slurmctld.pid" "$dir/munge/munged.pid"; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null
done
for file in slurm.conf gres.conf; do
    [ "$(readlink "/etc/slurm/$file")" = "$dir/$file" ] && rm "/etc/slurm/$file"
done
rm -rf "$dir"
