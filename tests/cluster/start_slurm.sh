#!/usr/bin/env bash
# A real SLURM of two nodes on this one machine, for tests: start_slurm.sh [DIRECTORY]   (stop_slurm.sh ends it)
#
# node1 has two fake GPUs (character devices that are /dev/null) and is partition `gpu`; both nodes are partition `cpu`.
# Needs root and the Debian packages slurm-wlm and munge, which it installs when apt can. Exit status 77 and one
# sentence when this machine cannot do it. A machine that has a SLURM of its own is left alone.
set -euo pipefail

dir=$(realpath -m "${1:-/tmp/teachable-slurm}")
cannot() { echo "no test cluster: $1" >&2; exit 77; }

[ "$(uname -s)" = Linux ] || cannot "SLURM runs on Linux only"
[ "$(id -u)" = 0 ] || cannot "the SLURM daemons are started as root"
for file in slurm.conf gres.conf; do
    if [ -e "/etc/slurm/$file" ] && [ ! -L "/etc/slurm/$file" ]; then
        cannot "/etc/slurm/$file belongs to a SLURM of this machine"
    fi
done
if ! command -v slurmctld slurmd munged >/dev/null; then
    command -v apt-get >/dev/null || cannot "slurm-wlm and munge are not installed, and there is no apt-get"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; } >/tmp/teachable-apt.log 2>&1 \
        || cannot "apt-get could not install slurm-wlm and munge (see /tmp/teachable-apt.log)"
fi
if [ -e "$dir/slurmctld.pid" ] && kill -0 "$(cat "$dir/slurmctld.pid")" 2>/dev/null; then
    echo "already running in $dir"
    exit 0
fi

rm -rf "$dir"
mkdir -p "$dir"/{state,spool1,spool2,log,munge}
here=$(dirname "$(realpath "$0")")
cd "$dir"

# Fake GPUs: any character device will do for gres.conf.
for n in 0 1; do mknod "gpu$n" c 1 3; done

# munged insists on owners and modes.
dd if=/dev/urandom of=munge/munge.key bs=1 count=1024 status=none
chmod 0700 munge && chmod 0400 munge/munge.key
munged --force --key-file="$dir/munge/munge.key" --socket="$dir/munge/socket" --pid-file="$dir/munge/munged.pid" \
    --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/seed" --num-threads=2

memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
host=$(hostname)
cat > slurm.conf <<CONF
ClusterName=teachable
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
SlurmctldPort=16817
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
StateSaveLocation=$dir/state
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmdLogFile=$dir/log/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
# no systemd, no cgroups
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
# squeue must remember finished jobs for as long as the plugin may sleep
MinJobAge=3600
# a killed node is noticed within seconds
SlurmdTimeout=10
ReturnToService=2
SchedulerParameters=sched_interval=2,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
DebugFlags=NO_CONF_HASH
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=16818 CPUs=2 RealMemory=$memory Gres=gpu:2
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=16819 CPUs=2 RealMemory=$memory
PartitionName=cpu Nodes=node1,node2 Default=YES MaxTime=120 State=UP
PartitionName=gpu Nodes=node1 MaxTime=120 State=UP
CONF
cat > gres.conf <<CONF
NodeName=node1 Name=gpu File=$dir/gpu[0-1]
CONF
cat > partitions.yaml <<CONF
partitions:
  cpu: {max_runtime: 120, max_threads: 2}
  gpu: {max_runtime: 120, max_threads: 2, max_gpu: 2}
CONF
# The job-step plugin strips SLURM_CONF from the environment, so the files must be where SLURM looks by itself.
mkdir -p /etc/slurm
ln -sfn "$dir/slurm.conf" /etc/slurm/slurm.conf
ln -sfn "$dir/gres.conf" /etc/slurm/gres.conf

slurmctld
for n in 1 2; do mkdir -p "spool-node$n"; slurmd -N "node$n"; done
for _ in $(seq 100); do
    if [ "$(sinfo -h -N -p cpu -o %t 2>/dev/null | grep -c idle)" = 2 ]; then
        echo "SLURM $(sinfo --version | cut -d' ' -f2) with two nodes in $dir"
        exit 0
    fi
    sleep 0.2
done
sinfo -N -l >&2 || true
tail -n 5 log/*.log >&2
"$here/stop_slurm.sh" "$dir" || true
cannot "the nodes did not come up within 20 s"
