#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The units are what systemd understands, and the system's one is exposed at most 1.0 (the threshold is in tenths).
#   systemd_units.sh FOLDER-OF-UNITS FOLDER-OF-PROGRAMS FOLDER-WHERE-PROGRAMS-WILL-BE
set -euo pipefail

if ! command -v systemd-analyze >/dev/null; then
  echo "no systemd-analyze here"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/user"
for unit in spanring-agent.service user/spanring-agent.service; do
  sed "s#$3/#$2/#" "$1/$unit" >"$folder/$unit"
  if said=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$folder/$unit" 2>&1); then
    failed=0
  else
    failed=1
  fi
  # What it says of other units of this machine is not ours.
  said=$(grep -F "spanring" <<<"$said" || true)
  if ((failed)) || [[ -n $said ]]; then
    echo "systemd-analyze verify $unit: $said"
    exit 1
  fi
done
systemd-analyze --no-pager security --offline=true --threshold=10 "$folder/spanring-agent.service" | tail -1
grep -qx 'ExecStart=.* run --system .*' "$folder/spanring-agent.service"
