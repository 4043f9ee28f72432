#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The extension in SQLite clients that know nothing of it: the sqlite3 shell, Python's module, and a program with a SQLite of its own.
# Usage: sql_clients.sh shell|python EXTENSION GOLDEN_SEGMENT_ZST      exits with 77 where the client is missing
set -euo pipefail

client=$1 extension=$2 golden=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
segment=$folder/segment-1.db

skip() {
  echo "sql_clients.sh: skipped: $*"
  exit 77
}

fail() {
  echo "sql_clients.sh: $*" >&2
  exit 1
}

command -v zstd >/dev/null || skip "no zstd command to unpack the golden segment"
zstd -dq "$golden" -o "$segment"
before=$(sha256sum "$segment"; ls "$folder")

run_shell() {
  command -v sqlite3 >/dev/null || skip "no sqlite3 command"
  local out
  out=$(sqlite3 -batch -bail :memory: ".load ${extension%.so}" "SELECT spanring_open('$segment')" \
    "SELECT count(*), count(duration_ns), p99(duration_ns) FROM spans WHERE name = 'GET /cart'" \
    "SELECT count(*) FROM attributes; SELECT group_concat(DISTINCT key) FROM attributes" \
    "CREATE TEMP VIEW slow AS SELECT * FROM spans WHERE duration_ns > 900000; SELECT count(*) > 0 FROM slow" \
    "ATTACH '$segment' AS same; SELECT count(*) FROM same.batch; SELECT count(*) FROM spans; DETACH same")
  [[ $out == $'spans, attributes, events, links, processes, memory_samples, site_stats, losses\n669|669|990655\n'* ]] ||
    fail "the shell says: $out"
  [[ $out == *$'\n2005' ]] || fail "beside an attached segment the shell says: $out"
  out=$(sqlite3 -batch :memory: ".load ${extension%.so}" "SELECT spanring_open('$golden')" 2>&1) &&
    fail "a file that is no segment opens"
  [[ $out == *"$golden"*"not a Spanring segment"* ]] || fail "no file and reason in: $out"
}

run_python() {
  local python out
  for python in /usr/bin/python3 python3; do
    "$python" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null && break
    python=
  done
  [[ -n $python ]] || skip "no Python whose sqlite3 module can load extensions"
  out=$("$python" - "$extension" "$segment" <<'PY'
import math, sqlite3, sys
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension(sys.argv[1])
db.enable_load_extension(False)
db.execute("SELECT spanring_open(?)", (sys.argv[2],))
for name, count, p50, p99 in db.execute("SELECT name, count(*), p50(duration_ns), p99(duration_ns) FROM spans GROUP BY name"):
    values = sorted(row[0] for row in db.execute("SELECT duration_ns FROM spans WHERE name = ?", (name,)))
    assert count == len(values), name
    assert p50 == values[math.ceil(0.5 * count) - 1] and p99 == values[math.ceil(0.99 * count) - 1], name
trace = db.execute("SELECT trace_id FROM spans LIMIT 1").fetchone()[0]
family = db.execute("SELECT span_id, parent_id FROM spans WHERE trace_id = ?", (trace,)).fetchall()
every = [row[1:] for row in db.execute("SELECT trace_id, span_id, parent_id FROM spans") if row[0] == trace]
assert sorted(family, key=str) == sorted(every, key=str)
try:
    db.execute("DELETE FROM spans")
except sqlite3.OperationalError as error:
    print("read only:", error)
# One of two segments damaged: an error that names it, or what is left and the name of what is not.
import os, shutil, tempfile
with tempfile.TemporaryDirectory() as store:
    sound, broken = (os.path.join(store, "segment-%d.db" % i) for i in (1, 2))
    shutil.copy(sys.argv[2], sound)
    with open(sound, "rb") as file:
        content = bytearray(file.read())
    content[len(content) // 3] ^= 1
    content[100] ^= 1
    with open(broken, "wb") as file:
        file.write(content)
    wanted = db.execute("SELECT count(*) FROM spans").fetchone()
    try:
        db.execute("SELECT spanring_open(?)", (store,))
        raise SystemExit("damage is no error")
    except sqlite3.OperationalError as error:
        assert broken in str(error), error
    assert db.execute("SELECT spanring_damage('leave out')").fetchone() == ("leave out",)
    db.execute("SELECT spanring_open(?)", (store,))
    assert db.execute("SELECT count(*) FROM spans").fetchone() == wanted
    words = db.execute("SELECT spanring_damage()").fetchone()[0]
    assert words.startswith(broken + ": damaged"), words
    assert db.execute("SELECT spanring_damage()").fetchone()[0] is None
    assert db.execute("SELECT count(*) FROM spans").fetchone() == wanted
    assert broken in db.execute("SELECT spanring_damage()").fetchone()[0]
    db.execute("SELECT spanring_damage('error')")
    try:
        db.execute("SELECT count(*) FROM spans").fetchone()
        raise SystemExit("damage is no error")
    except sqlite3.OperationalError as error:
        assert broken in str(error), error
print("done", len(family))
PY
  )
  [[ $out == *"read only:"*$'\ndone '* ]] || fail "Python says: $out"
}

"run_$client"
[[ $(sha256sum "$segment"; ls "$folder") == "$before" ]] || fail "reading changed the folder of the segment"
