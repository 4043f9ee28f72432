#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Check the model of the durability order: check.sh right | VARIANT (a macro of durability.pml).
# "right" must hold in all states; a variant must fail, with a run that shows it. 77: no spin here.
set -euo pipefail

variant=${1:?right, or a macro of durability.pml}
records=${SPANRING_MODEL_RECORDS:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
depth=100000
states_min=100000 # fewer would mean that the model no longer does anything

if ! command -v spin >/dev/null; then
  echo "check.sh: no spin; install the package spin" >&2
  exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/spanring-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
macros=()
[[ $variant == right ]] || macros+=("-D$variant")
if [[ -n $records && $variant == right ]]; then
  macros+=("-DRECORDS=$records")
fi
if [[ $variant != right ]] && ! grep -q "^#\(el\)\?if.*\b$variant\b" "$here/durability.pml"; then
  echo "check.sh: durability.pml has no variant $variant" >&2
  exit 2
fi

spin ${macros[@]+"${macros[@]}"} -a "$here/durability.pml" >spin.log || { cat spin.log; exit 1; }
"${CC:-cc}" -O2 -w -DSAFETY -o pan pan.c
./pan "-m$depth" >pan.log || true
errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log)
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' pan.log)
# A search cut short proves nothing.
if [[ -z $errors || -z $states ]] || grep -Eq 'max search depth too small|Search not completed.*memory' pan.log; then
  cat pan.log
  echo "check.sh: the checker did not finish" >&2
  exit 1
fi

if [[ $variant == right ]]; then
  if ((errors != 0)); then
    grep -E '^pan:' pan.log
    spin -t -p -g "$here/durability.pml" | tail -n 80
    echo "check.sh: the order is broken" >&2
    exit 1
  fi
  if ! awk -v found="$states" -v min="$states_min" 'BEGIN { exit !(found + 0 >= min) }'; then
    echo "check.sh: only $states states; the model does nothing" >&2
    exit 1
  fi
  echo "holds in all $states states"
  exit 0
fi
if ((errors == 0)); then
  echo "check.sh: $variant is broken on purpose, and the checker found nothing in $states states" >&2
  exit 1
fi
trail=(*.trail)
if [[ ! -s ${trail[0]} ]]; then
  cat pan.log
  echo "check.sh: an error without a run that shows it" >&2
  exit 1
fi
grep -E '^pan:[0-9]+:' pan.log | head -n 1
