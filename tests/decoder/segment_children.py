# SPDX-License-Identifier: Apache-2.0
"""Child sums of one segment, looked at again by ids: section 6, transform 13, of docs/store-format.md, from which alone this is written."""

from segment_columns import ALL_ONES, require

OPEN = 8


def union(first, last, intervals):
    covered = 0
    for start, end in sorted(intervals):
        start, end = max(start, first), min(end, last)
        if end > start:
            covered += end - start
            first = end
    return covered


class Children:
    """Takes batch by batch, and says at the end whether the sums are right."""

    def __init__(self):
        self.batches = []
        self.places = {}  # (trace, id) -> where such spans are
        self.found = set()

    def take(self, batch):
        self.batches.append(batch)
        number = len(self.batches)
        for row in range(batch.spans):
            self.places.setdefault((batch.trace_lo[row], batch.span_id[row]), []).append((number, row))
        for back, row in batch.child_sums["found"] if batch.child_sums else ():
            require(back < number, "a child in no batch")
            self.found.add((number, number - back, row))

    def interval(self, number, row):
        batch = self.batches[number - 1]
        return batch.start[row], min(batch.start[row] + batch.duration[row], ALL_ONES)

    def settled(self, child, state, parent):
        """Is this child, in another batch, in the sums of this parent?"""
        if parent > child[0]:
            return (parent, *child) in self.found
        return state == 1 and parent < child[0]

    def check_waiting(self, child, state, parent):
        sums = self.batches[parent - 1].child_sums
        if parent > child[0] and state == 0 and sums and sums["from"] <= child[0]:
            require((parent, *child) in self.found, "a child that waits, and its parent is there")

    def gather(self):
        children = {}
        for number, batch in enumerate(self.batches, 1):
            away = iter(batch.child_sums["away"] if batch.child_sums else ())
            for row in range(batch.spans if batch.child_sums else 0):
                if batch.parent_code[row] >= 2 and batch.parent_row[row] != row:
                    children.setdefault((number, batch.parent_row[row]), []).append((number, row))
                if batch.parent_code[row] != 1:
                    continue
                state = next(away)
                for parent in self.places.get((batch.trace_lo[row], batch.parent_id[row]), ()):
                    self.check_waiting((number, row), state, parent[0])
                    if self.settled((number, row), state, parent[0]):
                        children.setdefault(parent, []).append((number, row))
        return children

    def sums(self):
        """By parent: durations of those in its batch, the correction, and what came late."""
        found = {}
        for number, batch in enumerate(self.batches, 1):
            if not batch.child_sums:
                continue
            for row in range(batch.spans):
                if batch.parent_code[row] >= 2 and batch.parent_row[row] != row:
                    place = (number, batch.parent_row[row])
                    found[place] = found.get(place, 0) + batch.duration[row]
            for row, value in batch.child_sums["corrections"]:
                require(value, "a correction by nothing")
                found[number, row] = found.get((number, row), 0) + value
            for back, row, site, value in batch.child_sums["late"]:
                require(0 < back < number and value, "a sum for no batch")
                parent = self.batches[number - back - 1]
                require(parent.child_sums and row < parent.spans and parent.site[row] == site, "a late sum")
                require(not parent.flags[row] & OPEN, "a late sum of a span that never ended")
                found[number - back, row] = found.get((number - back, row), 0) + value
        return found

    def check(self):
        children, sums = self.gather(), self.sums()
        for number, batch in enumerate(self.batches, 1):
            for row in range(batch.spans if batch.child_sums else 0):
                mine = children.get((number, row), [])
                if batch.flags[row] & OPEN and any(child[0] > number for child in mine):
                    continue
                wanted = union(*self.interval(number, row), [self.interval(*child) for child in mine])
                require(sums.get((number, row), 0) % (ALL_ONES + 1) == wanted, "child sums of batch %d" % number)
