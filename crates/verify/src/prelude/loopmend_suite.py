"""A plugin of pytest that notes which tests are collected and how each comes out; it prints nothing."""

import os


def _write(*fields):
    report = os.environ.get("LOOPMEND_REPORT")
    if not report:
        return
    fields = (os.getpid(), *fields)
    text = "\t".join(str(field).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for field in fields)
    with open(report, "a", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n")


_worker = False


def pytest_configure(config):
    # A worker's reports come to its controller too.
    global _worker
    _worker = hasattr(config, "workerinput")


def pytest_collection_finish(session):
    if not _worker:
        for item in session.items:
            _write("collected", item.nodeid)


def pytest_deselected(items):
    if not _worker:
        for item in items:
            _write("test", item.nodeid, "deselected")


def pytest_collectreport(report):
    if not _worker and report.failed:
        _write("test", report.nodeid or "collection", "error")


def pytest_runtest_logreport(report):
    if _worker:
        return
    outcome = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = "xpassed" if report.passed else "xfailed"
    elif report.failed and report.when != "call":
        outcome = "error"
    if report.when == "call" or outcome != "passed":
        _write("test", report.nodeid, outcome)
