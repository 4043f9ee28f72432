# SPDX-License-Identifier: Apache-2.0
"""check_flame.py svg FOLDED: is the SVG on standard input well-formed, inert, and the picture of these folded stacks?
check_flame.py speedscope FOLDED: is the document on standard input the same profile?"""
import json
import sys
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {SVG + tag for tag in ("svg", "title", "style", "rect", "text", "g", "foreignObject", "script")}
TAGS.add("{http://www.w3.org/1999/xhtml}input")
NARROW = 0.0002


def read_folded(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").rpartition(" ") for line in file]
    return {tuple(stack.split(";")): int(value) for stack, _, value in lines}


def widths(folded):
    """Of each path: what is below it, too; () is all."""
    wide = {}
    for path, value in folded.items():
        for length in range(len(path) + 1):
            wide[path[:length]] = wide.get(path[:length], 0) + value
    return wide


def check_svg(folded):
    root = ElementTree.fromstring(sys.stdin.buffer.read())
    for element in root.iter():
        assert element.tag in TAGS, element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on") and "href" not in name and "url(" not in value, (name, value)
    assert len(list(root.iter(SVG + "script"))) == 1
    frames = [frame for frame in root.findall(SVG + "svg") if frame.get("class") == "f"]
    wide = widths(folded)
    wanted = {path: share for path, share in wide.items() if share / wide[()] >= NARROW}
    paths = {}
    for frame in frames:
        left = float(frame.get("x").rstrip("%"))
        width = float(frame.get("width").rstrip("%"))
        row = float(frame.get("y"))
        below = [path for path, (x, w, y) in paths.items() if y == row + 18 and x - 1e-3 <= left and left + width <= x + w + 1e-3]
        assert len(below) == (1 if paths else 0), (frame.get("data-name"), below)
        path = below[0] + (frame.get("data-name").replace(";", ":"),) if below else ()
        paths[path] = (left, width, row)
        assert abs(width - 100 * wanted[path] / wide[()]) < 1e-3, (path, width)
        assert frame.find(SVG + "title").text.startswith(frame.get("data-name") + ": ")
    assert set(paths) == set(wanted), set(paths) ^ set(wanted)


def check_speedscope(folded):
    document = json.load(sys.stdin)
    profile = document["profiles"][0]
    frames = [frame["name"].replace(";", ":") for frame in document["shared"]["frames"]]
    assert sum(profile["weights"]) == profile["endValue"] and profile["startValue"] == 0
    stacks = {}
    for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
        path = tuple(frames[frame] for frame in sample)
        assert path not in stacks
        stacks[path] = weight
    assert {printable(path): weight for path, weight in stacks.items()} == folded


def printable(path):
    """Folded stacks have what a terminal would obey escaped, JSON has it as it is."""
    return tuple(name.replace("\x1b", "\\x1b").replace("\u202e", "\\u{202e}") for name in path)


{"svg": check_svg, "speedscope": check_speedscope}[sys.argv[1]](read_folded(sys.argv[2]))
