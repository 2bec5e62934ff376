#!/usr/bin/env bash
# The test of sweeps on a cluster, against Debian's Slurm, which is installed if it is missing. The test
# starts and ends daemons of its own; nothing of the system's configuration is read or changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "test-slurm: $*" >&2; exit 1; }

packages=(slurmctld slurmd slurm-client munge)
there() { (PATH=$PATH:/usr/sbin; command -v slurmctld slurmd sbatch munged) >/dev/null; }

# Debian starts daemons as it installs them, unless this file says no; one that is there stays as it is.
policy=/usr/sbin/policy-rc.d
install() {
  local made=
  if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get -o DPkg::Lock::Timeout=300 update || echo "apt-get update failed; trying with the lists that are here"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${packages[@]}"
  [ -z "$made" ] || rm -f "$policy"
}

if ! there; then
  by_hand="Slurm is missing: ${packages[*]} (Debian's names). Install them, then run \`make test-slurm\` again."
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then fail "$by_hand"; fi
  echo "test-slurm: installing ${packages[*]}"
  log=$(mktemp)
  (install) >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "$by_hand"; }
  rm -f "$log"
  there || fail "$by_hand"
fi

ANNBENCH_SLURM=required go test -tags "$TAGS" -count=1 -timeout 15m -run '^TestSlurm$' ./cmd/annbench
