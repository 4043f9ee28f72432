#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install the Debian packages that a build needs, if any is missing. SPANRING_SKIP_PACKAGES=1: trust the machine.
set -euo pipefail

packages=(
  gcc g++ cmake ninja-build pkg-config
  libc6-dev liburing-dev libzstd-dev libsqlite3-dev libcmocka-dev
  spin
  python3 sqlite3 zstd
)

if [[ ${SPANRING_SKIP_PACKAGES:-0} == 1 ]]; then
  exit 0
fi
if ! command -v dpkg-query >/dev/null; then
  echo "packages.sh: no dpkg here; make sure you have what these Debian packages hold: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $state == installed* ]] || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

run_as_root=()
if ((EUID != 0)); then
  if ! sudo -n true 2>/dev/null; then
    echo "packages.sh: missing packages: ${missing[*]}" >&2
    echo "packages.sh: install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  run_as_root=(sudo -n)
fi

echo "packages.sh: installing ${missing[*]}"
"${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q
"${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
