#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads one segment of a store and prints all of it as lines of JSON, or says why not and exits with 3.

    decode_segment.py docs/store-format.md segment-....db

Written from docs/store-format.md alone, so that what this reads is what the document says: even the CREATE statements are taken from there.
It shares nothing with the library but SQLite and zstd, checks whatever can be checked, and is made to be compared, not to be fast.
"""

import os
import re
import sqlite3
import sys

from segment_children import Children
from segment_columns import ALL_ONES, COLUMN_BYTES_MAX, ROWS_MAX, Batch, Refused, require, signed, words, xxh64

VERSION = 1
TEXT_BYTES_MAX = 4 << 20
BINS = 2496
BINS_BYTES_MAX = 34944

CATALOG = (
    "meta string site process thread cursor account scope resource limits sampling statistics drops ending claim"
    " eviction evicted_ring evicted_process departed thinned"
).split()
ADDED = (
    "scope resource limits sampling statistics drops ending claim eviction evicted_ring evicted_process departed thinned"
    " sample_detail agent_sample rollup rollup_segment rollup_site rollup_total"
).split()


class Text(bytes):
    """What SQLite calls TEXT; it need not be valid UTF-8."""


# Printing: one spelling for each value, so that texts can be compared


def spell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(spell(item) for item in value) + "]"
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else "\\u%04x" % byte for byte in value)
    return '"' + "".join(plain) + '"'


def line(what, **fields):
    return "{" + ",".join('"%s":%s' % (name, spell(value)) for name, value in {"row": what, **fields}.items()) + "}"


def show(what, **fields):
    print(line(what.encode(), **fields))


# Batches (section 4)


def bloom_has(bloom, trace_lo):
    h = trace_lo
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & ALL_ONES
    h = (h ^ h >> 27) * 0x94D049BB133111EB & ALL_ONES
    h ^= h >> 31
    a, b = h & 0xFFFFFFFF, h >> 32 | 1
    for i in range(7):
        bit = (a + i * b & 0xFFFFFFFF) * (len(bloom) * 8) >> 32
        if not bloom[bit // 8] >> bit % 8 & 1:
            return False
    return True


def read_directory(db, row):
    directory, columns, at, last = row["directory"], {}, 0, -1
    require(len(directory) % 16 == 0, "a directory of %d bytes" % len(directory))
    for i in range(0, len(directory), 16):
        entry = directory[i : i + 16]
        number, place, size = entry[0], entry[1], int.from_bytes(entry[4:8], "little")
        require(number > last and number < 64 and place <= 1 and entry[2:4] == b"\0\0", "a directory entry")
        require(0 < size <= COLUMN_BYTES_MAX, "a column of %d bytes" % size)
        last = number
        if place:
            found = db.execute("SELECT data FROM column_blob WHERE id=?", (row["id"] * 64 + number,)).fetchall()
            require(len(found) == 1, "column %d is not there" % number)
            data = found[0][0]
        else:
            data = row["small"][at : at + size]
            at += size
        require(len(data) == size and xxh64(data) == int.from_bytes(entry[8:], "little"), "column %d" % number)
        columns[number] = data
    require(at == len(row["small"]), "bytes that no column has")
    return columns


def check_batch(row, batch):
    starts = batch.start if batch.spans else [0]
    durations = batch.duration if batch.spans else [0]
    ends = [min(start + duration, ALL_ONES) for start, duration in zip(starts, durations)]
    found = (min(starts), max(ends), max(durations))
    require(found == (row["start_ns_min"], row["end_ns_max"], row["duration_ns_max"]), "times of its spans")
    require(all(bloom_has(row["bloom"], trace) for trace in batch.traces()), "a trace that its filter denies")


def read_batch(db, row):
    figures = [
        row[name]
        for name in "id spans attributes events text_bytes start_ns_min end_ns_max duration_ns_max".split()
    ]
    for name, most in (("spans", ROWS_MAX), ("attributes", ROWS_MAX), ("events", ROWS_MAX)):
        require(row[name] <= most, "%d %s" % (row[name], name))
    require(row["text_bytes"] <= TEXT_BYTES_MAX, "%d bytes of text" % row["text_bytes"])
    require(row["attributes"] or not row["text_bytes"], "text without attributes")
    bloom = row["bloom"]
    require(bloom and len(bloom) % 8 == 0, "a filter of %d bytes" % len(bloom))
    checksum = xxh64(row["directory"], xxh64(bloom, xxh64(words(*figures, len(bloom)))))
    require(checksum == row["checksum"], "its row is damaged")
    batch = Batch(read_directory(db, row), row["spans"], row["attributes"], row["events"], row["text_bytes"])
    check_batch(row, batch)
    return batch


# Rollups (section 8)


def read_varint(data, at):
    value = 0
    for i in range(10):
        require(at < len(data), "bins end inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            require((byte or i == 0) and value <= ALL_ONES, "bins with a number in a wrong spelling")
            return value, at
    raise Refused("bins with a number that is too long")


def read_bins(data, count):
    bins, at, next_bin, total = [], 0, 0, 0
    require(len(data) <= BINS_BYTES_MAX, "%d bytes of bins" % len(data))
    while at < len(data):
        gap, at = read_varint(data, at)
        more, at = read_varint(data, at)
        require(gap or not bins, "two runs of bins without a gap")
        require(next_bin + gap + more < BINS, "a bin that is not there")
        for number in range(next_bin + gap, next_bin + gap + more + 1):
            value, at = read_varint(data, at)
            bins.append([number, value + 1])
            total += value + 1
        next_bin += gap + more + 1
    require(total == count, "bins of another number of spans")
    return bins


HEAP = ["heap_allocated_units", "heap_net_units", "heap_spans"]
ROLLUP = ["id", "process", "site", "since_ns", "until_ns", "ns_per_tick_q32", "count", "errors", "sum_ns", "min_ns"]
ROLLUP += ["max_ns"] + HEAP
TOTAL = ["site", "time_ns", "count", "errors", "sum_ticks", "min_ticks", "max_ticks"] + HEAP


def show_rollup(what, row, names, head):
    require(xxh64(row["bins"], xxh64(words(*(row[name] for name in names)), head)) == row["checksum"], what)
    fields = {name: row[name] for name in names}
    fields["heap_net_units"] = signed(fields["heap_net_units"], 64)
    if "instance" in row:
        fields = {"instance": row["instance"].hex().encode(), **fields}
    show(what, **fields, bins=read_bins(row["bins"], row["count"]))


# A segment


class Segment:
    def __init__(self, format_path, path):
        self.creates = read_creates(format_path)
        self.db = sqlite3.connect("file:%s?mode=ro" % path.replace("?", "%3f").replace("#", "%23"), uri=True)
        self.db.text_factory = Text
        self.db.execute("BEGIN")
        self.check_file()
        self.tables = {name: self.rows(name) for name in self.creates if name not in ("batch", "column_blob")}
        self.check_ids()
        self.meta = {row["key"]: row["value"] for row in self.tables["meta"]}
        self.sealed = bool(self.tables["seal"])
        self.check_wal(path)
        require(self.sealed or b"sealed" not in self.meta, "its seal is gone")
        lost = set(self.meta.get(b"tables", b"").decode().split()) & set(self.creates) - self.there
        require(not lost, "tables that it was made with are gone")

    def check_wal(self, path):
        """Of the file alone: the WAL beside it is its own, and not older than what was copied from it."""
        alone = sqlite3.connect("file:%s?immutable=1" % path.replace("?", "%3f").replace("#", "%23"), uri=True)
        try:
            meta = dict(alone.execute("SELECT CAST(key AS BLOB),value FROM meta").fetchall())
        except sqlite3.DatabaseError:
            return  # a page that is being written just now
        finally:
            alone.close()
        for key in (b"segment_id", b"sequence"):
            require(meta.get(key) == self.meta.get(key), "the WAL is of another segment")
        first, both = (int.from_bytes(one.get(b"commits", b""), "little") for one in (meta, self.meta))
        require(first <= both, "the WAL is older than the file")

    def check_file(self):
        for pragma, wanted in (("application_id", 0x53505247), ("user_version", VERSION)):
            found = self.db.execute("PRAGMA " + pragma).fetchone()[0]
            require(found == wanted, "%s is %d, not %d" % (pragma, found, wanted))
        self.there = set()
        for kind, name, text in self.db.execute("SELECT type,name,sql FROM sqlite_master"):
            if text is None:
                continue
            name = name.decode()
            require(kind == b"table", "a %s" % kind.decode())
            if name in self.creates:
                require(text.decode() == self.creates[name], "table %s is not as the format has it" % name)
                self.there.add(name)
        for name in self.creates:
            require(name in self.there or name in ADDED, "there is no table %s" % name)

    def rows(self, table, only=""):
        """In order of the primary key: that of rows where there is one, else that of the first columns."""
        if table not in self.there:
            return []
        text = self.creates[table]
        key = re.search(r"(\w+) \w+ PRIMARY KEY|PRIMARY KEY\(([\w,]+)\)", text)
        select = "SELECT * FROM %s %s ORDER BY %s" % (table, only, key[1] or key[2])
        cursor = self.db.execute(select)
        names = [column[0] for column in cursor.description]
        return [
            {name: value & ALL_ONES if isinstance(value, int) else value for name, value in zip(names, row)}
            for row in cursor
        ]

    def check_ids(self):
        for name in ("string", "site", "process", "thread", "sample", "agent_sample", "rollup", "rollup_segment", "rollup_site"):
            ids = [row["id"] for row in self.tables[name]]
            require(ids == list(range(1, len(ids) + 1)), "ids of %s are not 1, 2, 3, ..." % name)
        details = [row["id"] for row in self.tables["sample_detail"]]
        require(all(0 < i <= len(self.tables["sample"]) for i in details), "details of no sample")

    def text(self, number):
        strings = self.tables["string"]
        require(number <= len(strings), "string %d is not there" % number)
        return strings[number - 1]["text"] if number else b""

    def instance(self, number):
        processes = self.tables["process"]
        require(number <= len(processes), "process %d is not there" % number)
        return processes[number - 1]["instance"].hex().encode() if number else b""

    def number(self, key):
        require(len(self.meta.get(key, b"")) == 8, "meta.%s" % key.decode())
        return int.from_bytes(self.meta[key], "little")

    def checksum(self, tables):
        total = 0
        for name in tables:
            for row in self.tables[name]:
                for value in row.values():
                    number = isinstance(value, int)
                    kind = 1 if number else 3 if isinstance(value, Text) else 4
                    total = xxh64(bytes([kind]) + words(value if number else len(value)), total)
                    if not number and value:
                        total = xxh64(value, total)
        return total

    def check_seal(self, found):
        seal = self.tables["seal"][0]
        order = "batches spans attributes events start_ns_min end_ns_max batch_checksum catalog_checksum samples"
        order = order.split() + ["sample_checksum"]
        require(len(self.tables["seal"]) == 1 and seal["id"] == 1, "its seal")
        require(xxh64(words(*(seal[name] for name in order))) == seal["checksum"], "its seal is damaged")
        found = dict(found, catalog_checksum=self.checksum(CATALOG), samples=len(self.tables["sample"]))
        found["sample_checksum"] = self.checksum(("sample", "sample_detail", "agent_sample"))
        for name in order:
            require(seal[name] == found[name], "sealed %s %d, found %d" % (name, seal[name], found[name]))
        self.check_rollup_sums()

    def check_rollup_sums(self):
        sums = []
        for name in ("rollup", "rollup_segment", "rollup_total"):
            total = 0
            for row in self.tables[name]:
                total = xxh64(words(row["checksum"]), total)
            sums += [len(self.tables[name]), total]
        require(self.meta.get(b"rollup_sums", bytes(48)) == words(*sums), "its rollups are not those sealed")
        self.check_rollup_sites()

    def check_rollup_sites(self):
        rows = self.tables["rollup_site"]
        if not rows:
            require(b"rollup_sites" not in self.meta, "rows of all processes are missing")
            return
        total, processes = 0, {}
        for row in rows:
            total = xxh64(words(row["checksum"]), total)
        for row in self.tables["rollup"]:
            processes[row["process"]] = min(processes.get(row["process"], 0) + row["count"], ALL_ONES)
        pairs = [number for pair in sorted(processes.items()) for number in pair]
        require(self.meta.get(b"rollup_sites") == words(len(rows), total, *pairs), "rows of other processes")
        counts = sum(processes.values()), sum(row["count"] for row in rows)
        require(min(counts[0], ALL_ONES) == min(counts[1], ALL_ONES), "rows of another number of spans")


def read_creates(path):
    with open(path, encoding="utf-8") as document:
        found = re.findall(r"^    (CREATE TABLE (\w+)\(.*\)(?:WITHOUT ROWID)?)$", document.read(), re.M)
    return {name: text for text, name in found}


def show_catalog(segment):
    scopes = {row["site"]: row for row in segment.tables["scope"]}
    require(all(0 < site <= len(segment.tables["site"]) for site in scopes), "a scope of no site")
    for row in segment.tables["site"]:
        scope = scopes.get(row["id"], {"name": 0, "version": 0})
        show(
            "site",
            id=row["id"],
            name=segment.text(row["name"]),
            file=segment.text(row["file"]),
            line=row["line"],
            kind=row["kind"],
            scope_name=segment.text(scope["name"]),
            scope_version=segment.text(scope["version"]),
        )
    for row in segment.tables["thread"]:
        show(
            "thread",
            id=row["id"],
            process=segment.instance(row["process"]),
            ring=row["ring"],
            tid=row["tid"],
            name=segment.text(row["name"]),
            start_ns=row["start_ns"],
        )


ACCOUNT = "state rings_made time_ns threads_untraced dropped_no_ring names_cut sites_overflowed strings_overflowed"
BESIDE = (
    ("account", ACCOUNT.split() + ["misuse"]),
    (
        "limits",
        "attributes_over_limit events_over_limit links_over_limit values_cut dropped_links contexts_malformed".split(),
    ),
    ("statistics", ["coverage", "overflowed"]),
    ("drops", ["dropped_async", "dropped_contexts", "dropped_reentry"]),
    ("ending", ["ending", "value"]),
    ("claim", ["uid", "flags"]),
)


def counts(table, rows, names):
    """No field for a 0: so a table that old segments lack changes no text of theirs."""
    return {table + "_" + name: row[name] for row in rows for name in names if row[name]}


def show_processes(segment):
    tables = segment.tables
    resources = {row["process"]: row for row in tables["resource"]}
    require(all(0 < i <= len(tables["process"]) for i in resources), "a resource of no process")
    processes = {row["instance"]: row for row in tables["process"]}
    known = set(processes).union(*({row["instance"] for row in tables[name]} for name, _ in BESIDE))
    known |= {row["instance"] for row in tables["cursor"]}
    require(all(len(instance) == 16 for instance in known), "an instance that is none")
    require(all(row["coverage"] <= 3 for row in tables["statistics"]), "coverage of statistics")
    require(all(0 < row["ending"] <= 3 for row in tables["ending"]), "an ending that is none")
    require(all(0 < row["flags"] <= 3 for row in tables["claim"]), "a claim of nothing")
    nobody = dict.fromkeys(("id", "pid", "ppid", "uid", "attach_wall_ns", "executable", "command", "service"), 0)
    for instance in sorted(known):
        row = processes.get(instance, nobody)
        resource = resources.get(row["id"], {"attributes": 0, "left_out": 0})
        fields = {name: row[name] for name in ("pid", "ppid", "uid", "attach_wall_ns")}
        fields |= {name: segment.text(row[name]) for name in ("executable", "command", "service")}
        fields |= {"resource": segment.text(resource["attributes"]), "resource_left_out": resource["left_out"]}
        for table, names in BESIDE:
            found = [other for other in tables[table] if other["instance"] == instance]
            fields |= counts(table, found, names)
        show("process", instance=instance.hex().encode(), **fields)


def show_rings(segment):
    def beside(table, row, names):
        key = (row["instance"], row["ring"])
        found = [other for other in segment.tables[table] if (other["instance"], other["ring"]) == key]
        return counts(table, found, names)

    keys = {(row["instance"], row["ring"]) for row in segment.tables["cursor"]}
    for table in ("sampling", "thinned"):
        for row in segment.tables[table]:
            require((row["instance"], row["ring"]) in keys, "%s of no ring" % table)
    for row in segment.tables["cursor"]:
        fields = dict(row, instance=row["instance"].hex().encode())
        fields |= beside("sampling", row, ("sampled_out", "sampled_out_short"))
        fields |= beside("thinned", row, ("spans", "attributes", "events", "weighted_spans", "traces_in_part"))
        show("ring", **fields)


def show_evictions(segment):
    for table in ("eviction", "evicted_ring", "evicted_process", "departed"):
        for row in segment.tables[table]:
            if "instance" in row:
                row = dict(row, instance=row["instance"].hex().encode())
            show(table, **row)


def show_rollups(segment):
    for table in ("rollup", "rollup_segment", "rollup_site"):
        for row in segment.tables[table]:
            require(row["process"] <= len(segment.tables["process"]), "a rollup of no process")
            require((row["process"] == 0) == (table == "rollup_site"), "a rollup of no process, or of one")
            require(0 < row["site"] <= len(segment.tables["site"]), "a rollup of no site")
            require(row["since_ns"] <= row["until_ns"] and row["min_ns"] <= row["max_ns"], "a rollup")
            require(row["ns_per_tick_q32"], "a rollup without a scale")
            show_rollup(table, row, ROLLUP, 0)
    for row in segment.tables["rollup_total"]:
        show_rollup("rollup_total", row, TOTAL, xxh64(row["instance"]))


DETAIL = "switches_voluntary switches_involuntary descriptors heap_allocated_bytes heap_freed_bytes pss_ns".split()


def show_samples(segment):
    details = {row["id"]: row for row in segment.tables["sample_detail"]}
    unknown = dict.fromkeys(DETAIL, ALL_ONES) | {"pss_state": 0}
    lines = []
    for row in segment.tables["sample"]:
        require(row["process"], "a sample of nobody")
        detail = details.get(row["id"], unknown)
        fields = dict(row, process=segment.instance(row["process"]), pid=0, start_time=0)
        fields |= {name: detail[name] for name in DETAIL + ["pss_state"]}
        lines.append(fields)
    for row in segment.tables["agent_sample"]:
        lines.append(unknown | dict(row, process=b""))
    for fields in lines:
        require(fields["pss_state"] <= 3, "a state of the proportional set")
        del fields["id"]
    print("".join(sorted(line(b"sample", **dict(sorted(fields.items()))) + "\n" for fields in lines)), end="")


SPAN = "trace_hi trace_lo span_id parent_id start duration site thread kind status flags heap_allocated heap_net weight"


def show_batch(segment, number, batch):
    show("batch", id=number)
    if batch.child_sums:
        rows = ("corrections", "late", "found")
        sums = {name: [list(item) for item in batch.child_sums[name]] for name in rows}
        show("child_sums", **{"from": batch.child_sums["from"]}, **sums, away=batch.child_sums["away"])
    for row in range(batch.spans):
        require(batch.site[row] <= len(segment.tables["site"]), "a site that is not there")
        require(batch.thread[row] <= len(segment.tables["thread"]), "a thread that is not there")
        show("span", **{name: getattr(batch, name)[row] for name in SPAN.split()})
    for trace_lo, span_id, event, key, kind, value in batch.attributes:
        key = segment.text(key)
        show("attribute", trace_lo=trace_lo, span_id=span_id, event=event, key=key, type=kind, value=value)
    for trace_lo, span_id, event, name, time in batch.events:
        show("event", trace_lo=trace_lo, span_id=span_id, event=event, name=segment.text(name), time=time)
    for trace_lo, span_id, high, low, linked in batch.links:
        show(
            "link",
            trace_lo=trace_lo,
            span_id=span_id,
            linked_trace_hi=high,
            linked_trace_lo=low,
            linked_span_id=linked,
        )


def show_batches(segment):
    names = ("batches", "spans", "attributes", "events", "start_ns_min", "end_ns_max", "batch_checksum")
    found = dict.fromkeys(names, 0)
    links = 0
    children = Children()
    numbers = [row[0] for row in segment.db.execute("SELECT id FROM batch ORDER BY id")]
    require(numbers == list(range(1, len(numbers) + 1)), "batches are not 1, 2, 3, ...")
    for number in numbers:
        row = segment.rows("batch", "WHERE id=%d" % number)[0]
        try:
            batch = read_batch(segment.db, row)
            show_batch(segment, number, batch)
            children.take(batch)
        except Refused as reason:
            raise Refused("batch %d: %s" % (number, reason)) from None
        if batch.spans:
            first = not found["spans"] or row["start_ns_min"] < found["start_ns_min"]
            found["start_ns_min"] = row["start_ns_min"] if first else found["start_ns_min"]
            found["end_ns_max"] = max(found["end_ns_max"], row["end_ns_max"])
        for name in ("spans", "attributes", "events"):
            found[name] += row[name]
        found["batches"] += 1
        links += len(batch.links)
        found["batch_checksum"] = xxh64(words(row["checksum"]), found["batch_checksum"])
    children.check()
    require(links == (segment.number(b"links") if b"links" in segment.meta else 0), "another number of links")
    return found, links


def main():
    segment = Segment(sys.argv[1], sys.argv[2])
    for key in (b"segment_id", b"boot_id"):
        require(len(segment.meta.get(key, b"")) == 16, "meta.%s" % key.decode())
    show_catalog(segment)
    show_processes(segment)
    show_rings(segment)
    show_evictions(segment)
    show_rollups(segment)
    show_samples(segment)
    found, links = show_batches(segment)
    if segment.sealed:
        segment.check_seal(found)
    del found["batch_checksum"]
    show(
        "segment",
        sealed=segment.sealed,
        sequence=segment.number(b"sequence"),
        boot_id=segment.meta[b"boot_id"].hex().encode(),
        wall_offset_ns=segment.number(b"wall_offset_ns"),
        created_wall_ns=segment.number(b"created_wall_ns"),
        **found,
        links=links,
    )


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # a file that is not as the format says ends as many ways as there are files
        print("%s: %s: %s" % (os.path.basename(sys.argv[2]), type(error).__name__, error), file=sys.stderr)
        sys.exit(3)
