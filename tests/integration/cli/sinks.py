#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile texts into every sink: sinks.py BIN_DIRECTORY

Programs take all their names from texts that want to break out of something; an agent stores them, and everything that can be printed is printed.
  terminal    no control character but the line end, nothing that reorders text, sound UTF-8 (on a pseudo terminal, wide and narrow)
  JSON        strictly parsed, no key twice where keys are ours, every text of the programs found in it
  CSV         strictly parsed, as many values in each line as titles, no value that a spreadsheet would run
  Prometheus  strictly parsed, the text form and OpenMetrics
  SVG, HTML   parsed, with no element or attribute that it does not have with harmless names
  lines       every line of the log is one, text and JSON; folded stacks end in a number
A new sink is one more row of SINKS. Exit code 77: something that is needed is not here.
"""
import collections
import csv
import html.parser
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as etree

DEADLINE_S = 120

TEXTS = [
    # the terminal
    b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"\x1b]8;;http://x\x1b\\link", b"\x1b[2J\x1b[H", b"\x9b31m", b"\xc2\x9b31m", b"\xc2\x85next",
    b"bell\x07", b"back\x08\x08\x08", b"carriage\rreturn", b"line\nfeed", b"tab\ttab", b"\x0b\x0c", b"\x7fdelete", b"\x01\x02\x1f", b"\x1bPq#0\x1b\\",
    "\u202egnp.exe".encode(), "\u2066isolate\u2069".encode(), "\u200fmark\u061c".encode(), "\u2028line\u2029paragraph".encode(), "\ufeffbom".encode(),
    # encodings
    b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"cut\xf0\x9f\x98", "\U0001f600\u65e5\u672c".encode(), "e\u0301".encode(),
    # JSON
    b'"', b"\\", b'","injected":"', b'\\u0000', b"'}]", b'{"a":1}', b"</script><script>alert(1)</script>", b"\\\"", b"//", b"/*",
    # HTML, SVG
    b"<b>bold</b>", b"<img src=x onerror=alert(1)>", b"&lt;&amp;&#0;", b"]]>", b"<!--", b"\"><g onload=\"alert(1)\">", b"' onmouseover='alert(1)", b"<?xml?>",
    # CSV and spreadsheets
    b"=1+1", b"=cmd|' /C calc'!A0", b"+SUM(1)", b"-2+3", b"@SUM(A1)", b"\t=1", b"\r=1", b",", b'a,"b"', b" space ", b"=HYPERLINK(\"http://x\")",
    # Prometheus, folded stacks, globs, formats
    b'{a="b"} 1', b"# TYPE x counter", b"a;b;c 1", b"name 99", b"*?[a-z]", b"%s%n%p%x", b"$(reboot)`id`", b"../../etc/passwd", b"-", b"--json", b" ", b"a" * 250,
    b"NaN", b"null", b"0x10", b"1e999",
]
FORMULA = re.compile(r"^[=+\-@\t\r]")
NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$")
failures = []


def fail(sink, words):
    failures.append("%s: %s" % (sink, words))


# Programs


class Bench:
    """An agent, programs with hostile and with harmless names, their stores."""

    def __init__(self, binaries, folder, texts):
        self.binaries = binaries
        self.folder = folder
        self.rings = os.path.join(folder, "rings")
        self.store = os.path.join(folder, "store")
        self.texts = os.path.join(folder, "texts")
        os.mkdir(self.rings, 0o700)
        with open(self.texts, "wb") as file:
            file.write(b"".join(text + b"\0" for text in texts))
        self.places = {"STORE": self.store, "RINGS": self.rings, "PAGE": os.path.join(folder, "page.html"),
                       "BASELINE": os.path.join(folder, "baseline.json"), "TRACE": "0" * 32}
        self.socket = os.path.join(folder, "metrics.sock")
        self.log = open(os.path.join(folder, "log"), "wb+")
        command = [self.path("spanring-agent"), "run", "--rings", self.rings, "--store", self.store, "--metrics", "unix:" + self.socket]
        self.agent = subprocess.Popen(command + ["--log-format", "json", "--memory-interval", "100ms"], stderr=self.log)
        self.wait(lambda: os.path.exists(self.socket), "the agent")
        self.programs = [self.start(text) for text in texts[::6]]

    def path(self, name):
        return os.path.join(self.binaries, name)

    def start(self, text):
        environment = dict(os.environb)
        environment[b"SPANRING_DIR"] = self.rings.encode()
        environment[b"OTEL_SERVICE_NAME"] = text
        quoted = b"".join(b"%%%02x" % byte for byte in text)
        environment[b"OTEL_RESOURCE_ATTRIBUTES"] = b"deployment=%s,host.name=%s" % (quoted, quoted)
        command = [self.path("spanring-test-hostile"), self.texts, text]
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        if program.stdout.readline() != b"ready\n":
            raise SystemExit("the program did not come up")
        return program

    def wait(self, done, what):
        end = time.monotonic() + DEADLINE_S
        while not done():
            if time.monotonic() > end or self.agent.poll() is not None:
                raise SystemExit("%s did not come: %s" % (what, open(self.log.name, errors="replace").read()))
            time.sleep(0.02)

    def stored(self):
        answer = subprocess.run([self.path("spanring-analyze"), "info", self.store, "--json"], capture_output=True)
        return json.loads(answer.stdout)["spans"] if answer.returncode == 0 else 0

    def settle(self, spans):
        """All that ended is stored."""
        self.wait(lambda: self.stored() >= spans, "the store")

    def stop(self):
        for program in self.programs:
            program.stdin.close()
            program.wait()
        self.agent.send_signal(signal.SIGTERM)
        self.agent.wait()


def run(argv):
    answer = subprocess.run(argv, capture_output=True, timeout=DEADLINE_S)
    return answer.returncode, answer.stdout, answer.stderr


def on_terminal(argv, columns):
    """What a terminal gets: standard output and standard error of a program, and its exit code."""
    import fcntl
    import struct
    import termios

    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", LC_ALL="C.UTF-8", LANG="C.UTF-8")
        os.environ.pop("COLUMNS", None)
        os.execv(argv[0], argv)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    output = b""
    while True:
        ready, _, _ = select.select([terminal], [], [], DEADLINE_S)
        try:
            piece = os.read(terminal, 65536) if ready else b""
        except OSError:
            piece = b""
        if not piece:
            break
        output += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


# What a sink must be like


STYLE = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[K|\r+(?=\n)|\r[^\n]*\x1b\[K")


def check_terminal(sink, output):
    """Colours are ours: names have none left to give. The terminal makes CR LF of a line end."""
    plain = STYLE.sub(b"", output)
    try:
        text = plain.decode()
    except UnicodeDecodeError as error:
        return fail(sink, "no UTF-8: %s" % plain[max(0, error.start - 20) : error.end + 20])
    for at, letter in enumerate(text):
        code = ord(letter)
        control = (code < 0x20 and letter not in "\n") or 0x7F <= code <= 0x9F
        reorders = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code in (0x200E, 0x200F, 0x61C, 0x2028, 0x2029)
        if control or reorders:
            return fail(sink, "U+%04X to the terminal: %r" % (code, text[max(0, at - 30) : at + 30]))


def refuse(word):
    raise ValueError("%s is no JSON" % word)


def once(pairs):
    count = collections.Counter(key for key, _ in pairs)
    twice = [key for key, n in count.items() if n > 1]
    if twice:
        raise ValueError("twice: %s" % twice[:3])
    return dict(pairs)


def parse_json(text, hook=None):
    return json.loads(text, parse_constant=refuse, object_pairs_hook=hook)


def texts_of(value, found):
    if isinstance(value, dict):
        for key, item in value.items():
            found.add(key)
            texts_of(item, found)
    elif isinstance(value, list):
        for item in value:
            texts_of(item, found)
    elif isinstance(value, str):
        found.add(value)
    return found


def check_json(sink, output):
    """Strict in bytes as well: nothing that a terminal obeys stands in it unescaped."""
    check_terminal(sink, output)
    try:
        return parse_json(output.decode())
    except (ValueError, UnicodeDecodeError) as error:
        fail(sink, str(error))


def check_lines(sink, output):
    check_terminal(sink, output)
    for line in output.splitlines():
        try:
            parse_json(line.decode())
        except (ValueError, UnicodeDecodeError) as error:
            return fail(sink, "%s: %s" % (error, line[:200]))


def check_csv(sink, output):
    text = output.decode(errors="surrogateescape")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            return fail(sink, "%d values under %d titles: %r" % (len(row), len(rows[0]), row[:4]))
        for value in row:
            if FORMULA.match(value) and not NUMBER.match(value):
                return fail(sink, "a formula: %r" % value)
    if len(rows) < 2:
        fail(sink, "no rows")


def check_folded(sink, output):
    check_terminal(sink, output)
    for line in output.decode().splitlines():
        if not re.match(r"^.+ \d+$", line):
            return fail(sink, "no stack and number: %r" % line)


OURS = ("spanring", "process")
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? [-+0-9.eEinfIaN]+( [0-9.]+)?$')


def check_metrics(sink, output):
    text = output.decode()
    for line in text.splitlines():
        if not (line.startswith(tuple("# %s %s_" % (word, ours) for word in ("HELP", "TYPE", "UNIT") for ours in OURS)) or line == "# EOF" or SAMPLE.match(line)):
            return fail(sink, "no sample: %r" % line)
        if SAMPLE.match(line) and not line.startswith(tuple(ours + "_" for ours in OURS)):
            return fail(sink, "a metric of somebody else: %r" % line)


def shape_of(output):
    return {(element.tag, tuple(sorted(element.attrib))) for element in etree.fromstring(output).iter()}


def ask_metrics(bench, accept):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(bench.socket)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nConnection: close\r\n\r\n" % accept)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.split(b"\r\n\r\n", 1)[1]


# Sinks


def analyze(*words):
    return lambda bench: [bench.path("spanring-analyze"), *(bench.places.get(word, word) for word in words)]


def agent(*words):
    return lambda bench: [bench.path("spanring-agent"), *words, "--rings", bench.rings]


SPANS_SQL = "SELECT name, service, thread, file, scope, status FROM spans"
PAIRS_SQL = "SELECT key, value FROM attributes"

# While programs run, and after they were killed.
LIVE_TERMINAL = [agent("status"), agent("status", "--each-ring"), agent("top", "--once"), agent("ps"), analyze("rings", "RINGS")]
LIVE_JSON = [agent("status", "--json"), agent("ps", "--json"), analyze("rings", "RINGS", "--json")]
TERMINAL = [
    analyze("info", "STORE"), analyze("latency", "STORE"), analyze("latency", "STORE", "--exact"), analyze("slowest", "STORE", "-n500"),
    analyze("latency", "STORE", "--group-by", "service,name,kind"), analyze("errors", "STORE"), analyze("unfinished", "STORE", "--attributes", "-n0"),
    analyze("memory", "STORE"), analyze("histogram", "*", "STORE"), analyze("audit", "STORE"), analyze("verify", "STORE"), analyze("top", "STORE", "-n0"),
    analyze("top", "STORE", "-n0", "--by", "site"), analyze("tree", "STORE"), analyze("noisy", "STORE", "-n0"), analyze("sql", "STORE", SPANS_SQL), analyze("sql", "STORE", PAIRS_SQL),
    analyze("compare", "STORE", "STORE"), analyze("slowest", "STORE", "--csv"), analyze("info", "STORE", "--csv"), analyze("errors", "STORE", "--csv"),
    analyze("sql", "STORE", SPANS_SQL, "--csv"), analyze("slowest", "STORE", "--name", "\x1b[31m\u202e", "--service", "\x9b"),
    analyze("slowest", "/nonexistent\x1b[31m"), analyze("trace", "\x1b[31m", "STORE"), analyze("trace", "TRACE", "STORE"), analyze("sql", "STORE", "SELECT '\x1b[31m"),
    analyze("latency", "STORE", "--where", "\x1b[31m\u202e"), analyze("\x1b[31m"), analyze("overhead", "STORE"),
    analyze("timeline", "STORE"), analyze("watch", "STORE", "--once"), analyze("why", "STORE", "STORE"),
    analyze("baseline", "save", "BASELINE", "STORE"), analyze("baseline", "show", "BASELINE"), analyze("check", "--baseline", "BASELINE", "STORE"),
    analyze("histogram", "*", "STORE", "--heatmap"), analyze("memory", "leaks", "STORE"), analyze("doctor", "STORE"), analyze("trace", "--critical-path", "TRACE", "STORE"),
]  # fmt: skip
JSON = [
    analyze("info", "STORE", "--json"), analyze("latency", "STORE", "--json"), analyze("latency", "STORE", "--json", "--group-by", "service,name"),
    analyze("slowest", "STORE", "-n10000", "--json"), analyze("errors", "STORE", "--json"), analyze("unfinished", "STORE", "--attributes", "--json"),
    analyze("memory", "STORE", "--json"), analyze("histogram", "*", "STORE", "--json"), analyze("audit", "STORE", "--json"),
    analyze("verify", "STORE", "--json"), analyze("top", "STORE", "--json"), analyze("tree", "STORE", "--json"), analyze("compare", "STORE", "STORE", "--json"),
    analyze("sql", "STORE", SPANS_SQL, "--json"), analyze("sql", "STORE", PAIRS_SQL, "--json"), analyze("export", "chrome", "STORE"), analyze("overhead", "STORE", "--json"),
    analyze("flame", "STORE", "--format", "speedscope"), analyze("timeline", "STORE", "--json"), analyze("why", "STORE", "STORE", "--json"),
    analyze("baseline", "show", "BASELINE", "--json"), analyze("check", "--baseline", "BASELINE", "STORE", "--json"),
    analyze("histogram", "*", "STORE", "--heatmap", "--json"), analyze("watch", "STORE", "--once", "--json"),
    analyze("trace", "TRACE", "STORE", "--json"), analyze("noisy", "STORE", "--json"),
]  # fmt: skip
CSV = [
    analyze("info", "STORE", "--csv"), analyze("slowest", "STORE", "-n10000", "--csv"), analyze("errors", "STORE", "--csv"),
    analyze("unfinished", "STORE", "--csv"), analyze("histogram", "*", "STORE", "--csv"), analyze("latency", "STORE", "--csv", "--group-by", "service,name"),
    analyze("sql", "STORE", SPANS_SQL, "--csv"), analyze("sql", "STORE", PAIRS_SQL, "--csv"), analyze("top", "STORE", "--csv"),
    analyze("compare", "STORE", "STORE", "--csv"), analyze("why", "STORE", "STORE", "--csv"), analyze("export", "csv", "STORE"), analyze("memory", "STORE", "--csv"),
    analyze("histogram", "*", "STORE", "--heatmap", "--csv"), analyze("noisy", "STORE", "--csv"),
]  # fmt: skip
LINES = [analyze("export", "jsonl", "STORE"), analyze("export", "otlp", "STORE")]
FOLDED = [analyze("flame", "STORE", "--format", "folded")]
SVG = [analyze("flame", "STORE"), analyze("flame", "STORE", "--before", "STORE"), analyze("flame", "STORE", "--by", "site"), analyze("timeline", "STORE", "-o", "-")]
HTML = [analyze("timeline", "STORE", "--html", "PAGE"), analyze("report", "STORE", "-o", "PAGE")]


def name_of(bench, make):
    return " ".join(os.path.basename(word) if word.startswith("/") else word for word in make(bench)).encode("unicode_escape", "replace").decode()


def check_terminals(bench, sinks):
    for make in sinks:
        for columns in (200, 60):
            code, output = on_terminal(make(bench), columns)
            check_terminal("%s (%d columns)" % (name_of(bench, make), columns), output)
            if code not in (0, 1, 2, 3):
                fail(name_of(bench, make), "exit code %d" % code)


def check_pipes(bench, sinks, check):
    for make in sinks:
        code, output, errors = run(make(bench))
        sink = name_of(bench, make)
        if code != 0:
            fail(sink, "exit code %d: %s" % (code, errors[-300:]))
        check(sink, output)
        check_terminal(sink + " (messages)", errors)


def check_live(bench):
    check_terminals(bench, LIVE_TERMINAL)
    check_pipes(bench, LIVE_JSON, check_json)
    check_metrics("metrics", ask_metrics(bench, b"text/plain"))
    check_metrics("metrics (OpenMetrics)", ask_metrics(bench, b"application/openmetrics-text"))


def check_stored(bench):
    spans = check_json("slowest", run(analyze("slowest", "STORE", "-n10000", "--json")(bench))[1])
    bench.places["TRACE"] = spans["spans"][0]["trace_id"] if spans else "0" * 32
    check_terminals(bench, TERMINAL)
    check_pipes(bench, JSON, check_json)
    check_pipes(bench, CSV, check_csv)
    check_pipes(bench, LINES, check_lines)
    check_pipes(bench, FOLDED, check_folded)


def check_arrived(bench):
    """The names of the programs are in the answer, whatever they are: JSON loses nothing but bytes that are no text."""
    answer = parse_json(run(analyze("latency", "STORE", "--json")(bench))[1].decode(), once)
    names = texts_of(answer, set())
    for text in TEXTS:
        wanted = text.decode(errors="replace")
        if text.decode(errors="ignore").encode() == text and wanted not in names:
            fail("latency --json", "lost %r" % wanted)


def check_shapes(hostile, harmless):
    for make in SVG:
        shapes = []
        for bench in (hostile, harmless):
            output = run(make(bench))[1]
            try:
                shapes.append(shape_of(output))
            except etree.ParseError as error:
                return fail(name_of(bench, make), str(error))
        if not shapes[0] <= shapes[1]:
            fail(name_of(hostile, make), "elements that names made: %s" % (shapes[0] - shapes[1]))


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.shape = set()

    def handle_starttag(self, tag, attributes):
        self.shape.add((tag, tuple(sorted(name for name, _ in attributes))))


def check_pages(hostile, harmless):
    for make in HTML:
        shapes = []
        for bench in (hostile, harmless):
            code, _, errors = run(make(bench))
            if code != 0:
                return fail(name_of(bench, make), "exit code %d: %s" % (code, errors[-300:]))
            page = Page()
            with open(bench.places["PAGE"], encoding="utf-8") as file:
                page.feed(file.read())
            shapes.append(page.shape)
        if not shapes[0] or not shapes[0] <= shapes[1]:
            fail(name_of(hostile, make), "elements that names made: %s" % (shapes[0] - shapes[1]))


def check_log(bench):
    bench.log.seek(0)
    check_lines("log", bench.log.read())


def main():
    folder = tempfile.mkdtemp(prefix="spanring-sinks-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    benches = []
    try:
        for name, texts in (("hostile", TEXTS), ("harmless", [b"name %d" % i for i in range(len(TEXTS))])):
            os.mkdir(os.path.join(folder, name))
            bench = Bench(sys.argv[1], os.path.join(folder, name), texts)
            benches.append(bench)
            bench.settle(len(texts) * len(bench.programs))
        check_live(benches[0])
        for bench in benches:
            bench.stop()
        check_stored(benches[0])
        check_arrived(benches[0])
        check_shapes(*benches)
        check_pages(*benches)
        check_log(benches[0])
    finally:
        for bench in benches:
            for process in [bench.agent, *bench.programs]:
                if process.poll() is None:
                    process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print("%d texts, %d failures" % (len(TEXTS), len(failures)))
    for words in failures:
        print(words)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
