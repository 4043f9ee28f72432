#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configure and build one preset (default: release). The other scripts call it; SPANRING_JOBS limits the compilers.
set -euo pipefail

preset=${1:-release}
shift || true
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${SPANRING_JOBS:-$(nproc)}

launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
echo "== build: $preset"
cmake --preset "$preset" "${launcher[@]}" >/dev/null
cmake --build --preset "$preset" --parallel "$jobs" "$@"
