# SPDX-License-Identifier: Apache-2.0
"""The columns of one batch: sections 2, 5 and 6 of docs/store-format.md, from which alone this is written."""

import subprocess
import tempfile

ALL_ONES = (1 << 64) - 1
ROWS_MAX = 65536
COLUMN_BYTES_MAX = 5 << 20
WEIGHT_ONE = 4096
NEVER = -1  # stands for a row that no span has


class Refused(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Refused(what)


# Numbers and checksums (section 2)


def rotate(value, bits):
    return (value << bits | value >> (64 - bits)) & ALL_ONES


P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def xxh64_round(lane, word):
    return rotate((lane + word * P2) & ALL_ONES, 31) * P1 & ALL_ONES


def xxh64_tail(data, at, total):
    while at + 8 <= len(data):
        total ^= xxh64_round(0, int.from_bytes(data[at : at + 8], "little"))
        total = (rotate(total, 27) * P1 + P4) & ALL_ONES
        at += 8
    if at + 4 <= len(data):
        total ^= int.from_bytes(data[at : at + 4], "little") * P1 & ALL_ONES
        total = (rotate(total, 23) * P2 + P3) & ALL_ONES
        at += 4
    for byte in data[at:]:
        total = rotate(total ^ (byte * P5 & ALL_ONES), 11) * P1 & ALL_ONES
    total = (total ^ total >> 33) * P2 & ALL_ONES
    total = (total ^ total >> 29) * P3 & ALL_ONES
    return total ^ total >> 32


def xxh64(data, seed=0):
    total, at = (seed + P5) & ALL_ONES, 0
    if len(data) >= 32:
        lanes = [(seed + P1 + P2) & ALL_ONES, (seed + P2) & ALL_ONES, seed, (seed - P1) & ALL_ONES]
        while at + 32 <= len(data):
            for i in range(4):
                word = int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little")
                lanes[i] = xxh64_round(lanes[i], word)
            at += 32
        total = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & ALL_ONES
        for lane in lanes:
            total = ((total ^ xxh64_round(0, lane)) * P1 + P4) & ALL_ONES
    return xxh64_tail(data, at, (total + len(data)) & ALL_ONES)


def words(*values):
    return b"".join((value & ALL_ONES).to_bytes(8, "little") for value in values)


def unzigzag(value):
    return value >> 1 ^ (ALL_ONES if value & 1 else 0)


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


# Streams and planes (section 5)


def inflate(frame, size):
    with tempfile.TemporaryFile() as source:
        source.write(frame)
        source.seek(0)
        command = ["zstd", "--decompress", "--stdout", "--quiet"]
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
            content = zstd.stdout.read(size + 1)
            if len(content) > size:
                zstd.kill()
        require(len(content) == size and zstd.returncode == 0, "a zstd frame does not hold %d bytes" % size)
    return content


class Column:
    def __init__(self, data, *transforms):
        self.data = data
        self.at = 0
        self.transform = self.byte()
        require(self.transform in transforms, "transform %d: a newer version is needed" % self.transform)

    def take(self, size):
        require(size <= len(self.data) - self.at, "a column is too short")
        self.at += size
        return self.data[self.at - size : self.at]

    def byte(self):
        return self.take(1)[0]

    def count(self, most):
        value = int.from_bytes(self.take(4), "little")
        require(value <= most, "a count of %d, where %d is the most" % (value, most))
        return value

    def plane(self, rows):
        coding = self.byte()
        require(coding <= 2, "plane coding %d: a newer version is needed" % coding)
        if coding == 0:
            return self.take(1) * rows
        return self.take(rows) if coding == 1 else inflate(self.take(self.count(COLUMN_BYTES_MAX)), rows)

    def stream(self, rows, width):
        planes = self.byte()
        require(planes <= width and (rows or not planes), "%d planes" % planes)
        values = [0] * rows
        for p in range(planes):
            values = [value | byte << 8 * p for value, byte in zip(values, self.plane(rows))]
        return values

    def done(self, values):
        require(self.at == len(self.data), "a column is too long")
        return values


# Transforms (section 6)


class Batch:
    """The columns of one batch, decoded in the order in which they need each other."""

    def __init__(self, columns, spans, attributes, events, text_bytes):
        self.columns = columns
        self.spans = spans
        self.attributes = []
        self.events = []
        self.links = []
        if spans:
            self.read_traces()
            self.read_parent_codes()
            self.read_starts()
            self.read_threads()
            self.read_span_ids()
            self.read_parents()
            self.site = self.plain(5, 4)
            self.by_site = sorted(range(spans), key=lambda row: (self.site[row], row))
            if 17 in columns:
                self.check_site_runs()
            self.duration = self.grouped(4, 8)
            self.kind, self.status, self.flags = (self.grouped(number, 1) for number in (7, 8, 9))
            self.heap_allocated = self.grouped(10, 4)
            self.heap_net = [signed(unzigzag(value), 64) for value in self.grouped(11, 4)]
            self.weight = self.plain(16, 4) if 16 in columns else [WEIGHT_ONE] * spans
            require(min(self.weight) >= WEIGHT_ONE, "a weight below 1")
        if attributes:
            self.read_attributes(attributes, text_bytes)
        if events:
            self.read_events(events)
        if 15 in columns:
            self.read_links()
        self.child_sums = self.read_child_sums() if 18 in columns else None

    def column(self, number, *transforms):
        require(number in self.columns, "column %d is not there" % number)
        return Column(self.columns[number], *transforms)

    def plain(self, number, width):
        column = self.column(number, 1)
        return column.done(column.stream(self.spans, width))

    def grouped(self, number, width):
        column = self.column(number, *((2,) if 17 in self.columns else (1, 2)))
        values = column.done(column.stream(self.spans, width))
        if column.transform == 1:
            return values
        ordered = [0] * self.spans
        for row, value in zip(self.by_site, values):
            ordered[row] = value
        return ordered

    def check_site_runs(self):
        column = self.column(17, 12)
        runs = column.count(self.spans)
        steps = column.stream(runs, 4)
        more = column.done(column.stream(runs, 4))
        require(all(steps[1:]), "two runs of one site")
        site, found = 0, []
        for step, rows in zip(steps, more):
            site += step
            require(rows < self.spans - len(found), "the runs of sites do not add up")
            found += [site] * (rows + 1)
        require(found == [self.site[row] for row in self.by_site], "runs of other sites")

    def read_traces(self):
        column = self.column(0, 3)
        traces = column.count(self.spans)
        highs = column.count(traces)
        high = column.stream(highs, 8)
        index, low, more = column.stream(traces, 4), column.stream(traces, 8), column.stream(traces, 4)
        self.runs = column.done([rows + 1 for rows in more])
        require(sum(self.runs) == self.spans, "the runs do not add up")
        require(all(i < highs for i in index), "a high half that is not there")
        self.trace_hi = [high[i] for i, rows in zip(index, self.runs) for _ in range(rows)]
        self.trace_lo = [value for value, rows in zip(low, self.runs) for _ in range(rows)]

    def read_parent_codes(self):
        column = self.column(2, 5)
        codes = column.stream(self.spans, 4)
        count = column.count(self.spans)
        self.exceptions = column.done(column.stream(count, 8))
        require(codes.count(1) == count, "exceptions without a row")
        self.parent_code = codes
        self.parent_row = [
            row - signed(unzigzag(code - 2), 64) if code >= 2 else NEVER for row, code in enumerate(codes)
        ]
        for code, parent in zip(codes, self.parent_row):
            require(code < 2 or 0 <= parent < self.spans, "a parent outside the batch")

    def read_starts(self):
        column = self.column(3, 6)
        firsts = column.stream(len(self.runs), 8)
        others = iter(column.done(column.stream(self.spans - len(self.runs), 8)))
        self.start = []
        first = 0
        for delta, rows in zip(firsts, self.runs):
            first = at = (first + unzigzag(delta)) & ALL_ONES
            self.start.append(at)
            for _ in range(rows - 1):
                at = (at + next(others)) & ALL_ONES
                self.start.append(at)

    def read_threads(self):
        column = self.column(6, 7)
        codes = column.done(column.stream(self.spans, 8))
        self.thread = []
        for row, code in enumerate(codes):
            require(code <= 1 << 32 and (row or code), "a thread that is none")
            parent = self.parent_row[row]
            reference = parent if self.parent_code[row] >= 2 and parent < row else row - 1
            self.thread.append(code - 1 if code else self.thread[reference])

    def read_span_ids(self):
        column = self.column(1, 4)
        count = column.count(self.spans)
        firsts = column.stream(count, 8)
        others = column.done(column.stream(self.spans - count, 8))
        require(len(set(self.thread)) == count, "another number of threads")
        self.span_id = [0] * self.spans
        firsts, others = iter(firsts), iter(others)
        last = None
        for row in sorted(range(self.spans), key=lambda row: (self.thread[row], self.start[row], row)):
            if self.thread[row] != last:
                last, span_id = self.thread[row], next(firsts)
            else:
                span_id = (span_id + unzigzag(next(others)) + 1) & ALL_ONES
            self.span_id[row] = span_id

    def read_parents(self):
        exceptions = iter(self.exceptions)
        self.parent_id = []
        for code, parent in zip(self.parent_code, self.parent_row):
            if code == 0:
                self.parent_id.append(0)
            else:
                self.parent_id.append(next(exceptions) if code == 1 else self.span_id[parent])

    def places(self, deltas, groups):
        rows = []
        for i, delta in enumerate(deltas):
            before = rows[-1] if i and groups[i] == groups[i - 1] else 0
            rows.append(before + delta)
            require(rows[-1] <= self.spans, "a row outside the batch")
        return rows

    def owners(self, column, rows):
        """Low half of the trace and span id of each."""
        foreign = column.count(len(rows))
        require(foreign == rows.count(self.spans), "another number of rows from elsewhere")
        elsewhere = iter(zip(column.stream(foreign, 8), column.stream(foreign, 8)))
        return [
            (self.trace_lo[row], self.span_id[row]) if row < self.spans else next(elsewhere) for row in rows
        ]

    def read_attributes(self, count, text_bytes):
        column = self.column(12, 8)
        keys = column.stream(count, 4)
        rows = self.places(column.stream(count, 4), keys)
        events = column.stream(count, 4)
        owners = self.owners(column, rows)
        types = column.stream(count, 1)
        strings = types.count(5)
        numbers = iter(column.stream(count - strings, 8))
        lengths = column.done(column.stream(strings, 4))
        require(sum(lengths) == text_bytes, "strings of another length")
        text = self.read_text(text_bytes)
        at, lengths = 0, iter(lengths)
        for key, owner, event, kind in zip(keys, owners, events, types):
            if kind == 5:
                size = next(lengths)
                value = text[at : at + size]
                at += size
            else:
                value = next(numbers)
                value = unzigzag(value) if kind == 2 else value
            self.attributes.append((*owner, event, key, kind, value))

    def read_text(self, size):
        if not size:
            return b""
        column = self.column(13, 9)
        return column.done(column.plane(size))

    def read_events(self, count):
        column = self.column(14, 10)
        rows = self.places(column.stream(count, 4), [0] * count)
        names = column.stream(count, 4)
        numbers = column.stream(count, 4)
        owners = self.owners(column, rows)
        times = column.done(column.stream(count, 8))
        for row, name, number, owner, time in zip(rows, names, numbers, owners, times):
            start = self.start[row] if row < self.spans else 0
            self.events.append((*owner, number, name, (start + unzigzag(time)) & ALL_ONES))

    def read_links(self):
        column = self.column(15, 11)
        count = column.count(ROWS_MAX)
        require(count, "a column of no links")
        rows = self.places(column.stream(count, 4), [0] * count)
        owners = self.owners(column, rows)
        high, low = column.stream(count, 8), column.stream(count, 8)
        linked = column.done(column.stream(count, 8))
        self.links = [(*owner, *link) for owner, link in zip(owners, zip(high, low, linked))]

    def ascending(self, deltas, groups, end):
        rows = []
        for i, delta in enumerate(deltas):
            rows.append(delta + (rows[-1] if i and groups[i] == groups[i - 1] else 0))
            require(rows[-1] < end, "a row that no batch has")
        return rows

    def elsewhere(self, column):
        count = column.count(ROWS_MAX)
        back = column.stream(count, 4)
        require(back == sorted(back) and (not count or back[0]), "batches that are none before")
        return back, self.ascending(column.stream(count, 4), back, ROWS_MAX)

    def read_child_sums(self):
        column = self.column(18, 13)
        sums = {"from": column.count(ALL_ONES)}
        count = column.count(self.spans)
        rows = self.ascending(column.stream(count, 4), [0] * count, self.spans)
        sums["corrections"] = list(zip(rows, (signed(unzigzag(value), 64) for value in column.stream(count, 8))))
        back, rows = self.elsewhere(column)
        sites, late = column.stream(len(rows), 4), column.stream(len(rows), 8)
        sums["late"] = list(zip(back, rows, sites, late))
        sums["found"] = list(zip(*self.elsewhere(column)))
        sums["away"] = column.done(column.stream(column.count(self.spans), 1))
        require(len(sums["away"]) == len(self.exceptions), "another number of rows without a parent")
        require(all(state < 3 for state in sums["away"]), "a state that is none")
        return sums

    def traces(self):
        rows = self.attributes + self.events + self.links
        return set(self.trace_lo if self.spans else ()) | {row[0] for row in rows}
