#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTML report: check_report.py BIN_DIRECTORY

A real store whose names want to break out of a page; the report is parsed strictly, its documents compared with what the commands say, and, where
a Chromium is installed, opened in it, clicked, searched and read back. Exit code 77: something that is needed is not here.
"""
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

NAMES = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "read", "a\"b'c"]
CLICKS = """
const out = document.documentElement.dataset, $ = (q) => [...document.querySelectorAll(q)];
out.sections = $("section h2").map((h) => h.textContent).join("|");
const rows = () => $("#latency tbody tr").map((r) => r.firstChild.textContent);
out.rows = rows().length;
const heading = (text) => $("#latency th button").find((b) => b.textContent === text);
heading("name").click(); out.rising = JSON.stringify(rows());
heading("name").click(); out.falling = JSON.stringify(rows());
const filter = $("#latency input")[0]; filter.value = "READ"; filter.dispatchEvent(new Event("input")); out.filtered = JSON.stringify(rows());
out.frames = $("#icicle .frame").length;
const read = $("#icicle .frame").find((f) => f.querySelector("title").textContent === "read");
read.dispatchEvent(new MouseEvent("click", { bubbles: true })); out.zoomed = $("#icicle .frame").length; out.tip = $(".tip")[0].textContent;
$("#icicle .frame")[0].dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true })); out.back = $("#icicle .frame").length;
const search = $("#search")[0]; search.value = "read"; search.dispatchEvent(new Event("input")); out.dim = $("#icicle .frame.dim").length;
out.bars = $("#spread rect").length; out.images = $("img").length; out.scripts = $("script:not([type])").length; out.sparks = $(".spark").length;
"""


def fail(words):
    sys.exit("check_report.py: " + words)


class Page(html.parser.HTMLParser):
    """Elements, and the texts of scripts by id."""

    def __init__(self):
        super().__init__()
        self.tags, self.documents, self.meta, self.at, self.nonces = {}, {}, "", None, set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags[tag] = self.tags.get(tag, 0) + 1
        if any(name.startswith("on") for name in attributes) or "src" in attributes or attributes.get("href", "#")[0] != "#":
            fail("an element with %s" % attributes)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.meta = attributes["content"]
        if "nonce" in attributes:
            self.nonces.add(attributes["nonce"])
        self.at = attributes.get("id") if attributes.get("type") == "application/json" else None

    def handle_data(self, data):
        if self.at:
            self.documents[self.at] = self.documents.get(self.at, "") + data

    def handle_endtag(self, tag):
        self.at = None


def run(*words, code=0):
    result = subprocess.run(words, capture_output=True, timeout=300)
    if result.returncode != code:
        fail("%s exits %d: %s" % (words, result.returncode, result.stderr.decode()))
    return result


def parse(path):
    page = Page()
    with open(path, encoding="utf-8") as file:
        page.feed(file.read())
    return page


def strict(text):
    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            fail("a key twice")
        return dict(pairs)
    return json.loads(text, object_pairs_hook=once)


def check_page(bin_folder, store, path):
    analyze = os.path.join(bin_folder, "spanring-analyze")
    run(analyze, "report", store, "-o", path)
    page = parse(path)
    if "default-src 'none'" not in page.meta or len(page.nonces) != 1 or len(next(iter(page.nonces))) != 32:
        fail("policy %r, nonces %s" % (page.meta, page.nonces))
    documents = {key: strict(text) for key, text in page.documents.items()}
    if page.tags.get("script") != len(documents) + 1 or "img" in page.tags:
        fail("elements %s for documents %s" % (page.tags, sorted(documents)))
    if any("error" in document for document in documents.values()):
        fail("a part is left out: %s" % {key: d.get("error") for key, d in documents.items()})
    said = strict(run(analyze, "latency", store, "--json").stdout.decode())
    if documents["latency"] != said or not set(NAMES) <= {name["name"] for name in said["names"]}:
        fail("the page says other latencies than the command")
    run(analyze, "report", store, "-q", "-o", path + ".again")
    if page.nonces == parse(path + ".again").nonces:
        fail("the same nonce twice")
    return page, len(said["names"])


def check_refusals(bin_folder, folder, store):
    analyze = os.path.join(bin_folder, "spanring-analyze")
    if b"/nonexistent/x.html" not in run(analyze, "report", store, "-o", "/nonexistent/x.html", code=6).stderr:
        fail("a file that cannot be written is not named")
    run(analyze, "report", folder + "/none", "-o", folder + "/none.html", code=3)
    if os.path.exists(folder + "/none.html"):
        fail("a page of no store")
    if b"<!DOCTYPE html>" not in run(analyze, "report", store, "-o", "-").stdout[:20]:
        fail("nothing on standard output")


def browse(page, path, names, folder):
    chromium = next((found for found in map(shutil.which, ["chromium", "chromium-browser", "google-chrome"]) if found), None)
    if not chromium:
        print("check_report.py: no chromium: the page was not opened")
        return
    with open(path, encoding="utf-8") as file:
        text = file.read()
    nonce = next(iter(page.nonces))
    with open(folder + "/clicked.html", "w", encoding="utf-8") as file:
        file.write(text.replace("</body>", '<script nonce="%s">%s</script></body>' % (nonce, CLICKS)))
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + folder + "/browser",
             "--window-size=1280,900"]
    dom = subprocess.run(words + ["--dump-dom", "file://" + folder + "/clicked.html"], capture_output=True, timeout=120,
                         env={**os.environ, "HOME": folder}).stdout.decode()
    root = re.search(r"<html[^>]*>", dom)
    said = dict(re.findall(r'data-([a-z]+)="([^"]*)"', root.group(0))) if root else {}
    said = {key: html.unescape(value) if hasattr(html, "unescape") else value for key, value in said.items()}
    expected = {"ready": "yes", "rows": str(names), "images": "0", "scripts": "2", "filtered": '["read"]'}
    for key, value in expected.items():
        if said.get(key) != value:
            fail("the browser says %s=%r, not %r: %s" % (key, said.get(key), value, said))
    if json.loads(said["falling"]) != list(reversed(json.loads(said["rising"]))) or len(json.loads(said["rising"])) != names:
        fail("sorting: %s" % said)
    if not (int(said["zoomed"]) < int(said["frames"]) == int(said["back"]) and said["tip"].startswith("read: ")):
        fail("zooming: %s" % said)
    if not (0 < int(said["dim"]) < int(said["frames"]) and int(said["bars"]) > 10 and int(said["sparks"]) > 0):
        fail("searching and drawing: %s" % said)
    shot = folder + "/report.png"
    subprocess.run(words + ["--screenshot=" + shot, "file://" + path], capture_output=True, timeout=120, env={**os.environ, "HOME": folder})
    if not os.path.exists(shot) or os.path.getsize(shot) < 10000:
        fail("no screenshot")


def main():
    bin_folder = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="spanring-report-")
    try:
        store = folder + "/store"
        run(os.path.join(bin_folder, "spanring-bench"), "load", "--duration", "400ms", "--users", "4", "--rate", "500", "--max-p95", "1h", "--min-rate", "1",
            "--mix", ",".join(name + ":1:20us" for name in NAMES), "--keep", store)
        page, names = check_page(bin_folder, store, folder + "/report.html")
        check_refusals(bin_folder, folder, store)
        browse(page, folder + "/report.html", names, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    import html  # unescape, beside html.parser
    main()
