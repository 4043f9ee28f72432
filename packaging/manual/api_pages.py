#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages of the C interface, out of the public headers, so that the two cannot disagree.

    api_pages.py VERSION INCLUDE_DIR OUT_DIR

A page for each header: what its head says, then each declaration with the comment that stands before it. Each function gets a
page of one line that leads there, so that `man spanring_begin` finds it.
"""
import pathlib
import re
import sys

PAGES = {
    "spanring.h": ("spanring", "mark spans in a program"),
    "context.h": ("spanring_context", "contexts of spans: W3C trace context, baggage, log lines"),
    "async.h": ("spanring_async", "spans that end on another thread"),
    "rollout.h": ("spanring_rollout", "the same choice in every process"),
    "heap.h": ("spanring_heap", "count what spans allocate"),
    "testing.h": ("spanring_testing", "test your instrumentation"),
}
OTHERS = "spanring-agent(1), spanring-analyze(1)"
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
FUNCTION = re.compile(r"\b(spanring_[a-z0-9_]+)\s*\(")


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in (".", "'") else line


def comment_lines(text):
    """Lines of a comment without its stars; one space of indentation belongs to the star."""
    lines = [re.sub(r"^\s*\* ?", "", line) if "*" in line[:8] else line.strip() for line in text.split("\n")]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def prose(lines):
    """Paragraphs and lists are filled; other indented lines stay as they are."""
    out, state = [], "text"

    def become(new):
        nonlocal state
        if state == "kept" and new != "kept":
            out.append(".fi")
        if state == "list" and new == "text":
            out.append(".PP")
        if state != "kept" and new == "kept":
            out.append(".nf")
        state = new

    for line in lines:
        bullet = re.match(r" +- (.*)", line)
        if bullet:
            become("list")
            out += ['.IP "\\(bu" 2', escape(bullet.group(1))]
        elif state == "list" and line.startswith("    "):
            out.append(escape(line.strip()))
        elif line.startswith((" ", "\t")):
            become("kept")
            out.append(escape(line))
        elif line:
            become("text")
            out.append(escape(line))
        else:
            out.append("" if state == "kept" else ".PP")
    become("text")
    return out


def declarations(text):
    """Pairs of a comment and the code up to the next comment or empty line, in order."""
    at = text.index("SPANRING_EXTERN_C_BEGIN") if "SPANRING_EXTERN_C_BEGIN" in text else 0
    for match in COMMENT.finditer(text, at):
        after = text[match.end():]
        if after[:1] != "\n" or text[match.start() - 1] != "\n":
            continue  # beside a line of code, or inside of a declaration
        code = re.split(r"\n[ \t]*\n|\n/\*", after, maxsplit=1)[0].strip("\n")
        yield match.group(1), code


def shown(code):
    """A declaration as a user needs it: no export words, no body of an inline function."""
    code = code.expandtabs(8)
    if "static inline" in code:
        return re.sub(r"\s*\{.*", ";", code.replace("static inline ", ""), flags=re.S).split("\n")
    lines = []
    for line in code.split("\n"):
        prefix = re.match(r"SPANRING_(HOT_)?API ", line)
        cut = len(prefix.group(0)) if prefix else (cut if line.startswith(" ") and lines else 0)
        lines.append(line[cut:] if prefix or not line[:cut].strip() else line)
    return lines


def page(version, name, summary, header, text):
    head = comment_lines(COMMENT.findall(text)[1])
    out = [f'.TH {name.upper()} 3 "" "Spanring {version}" "Spanring manual"', ".nh", ".SH NAME",
           f"{escape(name)} \\- {summary}", ".SH SYNOPSIS", ".nf", f".B #include <spanring/{header}>", ".PP",
           "cc ... $(pkg\\-config \\-\\-cflags \\-\\-libs spanring)", ".fi", ".SH DESCRIPTION", *prose(head),
           ".SH DECLARATIONS"]
    functions = []
    for comment, code in declarations(text):
        title = re.match(r"\s*-{3,}\s*(.*?)\s*-{3,}\s*$", comment)
        if title:
            out += [f".SS {title.group(1)}"]
            continue
        if not code or code.startswith(("#if", "#endif", "#ifndef", "SPANRING_EXTERN_C", "SPANRING_STATIC")):
            continue
        lines = [line for line in shown(code) if "spanring__" not in line]
        if not lines:
            continue  # not part of the interface
        functions += FUNCTION.findall("\n".join(lines))
        out += [".PP", ".nf", *(f"\\fB{escape(line)}\\fP" for line in lines), ".fi", ".RS 4",
                *prose(comment_lines(comment)), ".RE"]
    out += [".SH SEE ALSO", escape(", ".join([*(f"{n}(3)" for n, _ in PAGES.values() if n != name), OTHERS]))]
    return "\n".join(out) + "\n", sorted(set(functions))


def main():
    version, include, target = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    for header, (name, summary) in PAGES.items():
        text, functions = page(version, name, summary, header, (include / "spanring" / header).read_text())
        (target / f"{name}.3").write_text(text)
        for function in functions:
            if function != name:
                (target / f"{function}.3").write_text(f".so man3/{name}.3\n")


if __name__ == "__main__":
    main()
