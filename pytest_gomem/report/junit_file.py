"""The JUnit file of a report, as pytest writes it: for CI servers that show tests, also of several runs as one."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from pytest_gomem.base.files import output_asked_for, write_whole
from pytest_gomem.base.printable import printable
from pytest_gomem.report.explained import headline_of, text_of
from pytest_gomem.report.failure import TextOptions
from pytest_gomem.report.junit import suite_properties
from pytest_gomem.results.run_record import RunRecord, TestRecord

# By outcome: the element that a test has, and its type.
_ELEMENTS = {
    "failed": "failure",
    "error": "error",
    "crashed": "error",
    "interrupted": "error",
    "not run": "error",
    "skipped": "skipped",
    "xfailed": "skipped",
}
_TYPES = {"skipped": "pytest.skip", "xfailed": "pytest.xfail"}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0, even as a reference


def write_junit(run: RunRecord, path: Path, options: TextOptions) -> None:
    """Write the tests with their figures and failures, whole or not at all; raises ConfigError."""
    suite = ElementTree.Element("testsuite", name="pytest")
    properties = ElementTree.SubElement(suite, "properties")
    counted = dict.fromkeys(("failure", "error", "skipped"), 0)
    seconds, number = 0.0, 0
    for test in run.tests:
        suite.append(_case(test, options))
        for name, value in suite_properties([test]):
            ElementTree.SubElement(properties, "property", name=_legal(name), value=_legal(value))
        if test.outcome in _ELEMENTS:
            counted[_ELEMENTS[test.outcome]] += 1
        seconds, number = seconds + (test.duration or 0.0), number + 1
    for problem in run.problems:
        suite.append(_problem(problem))
        counted["error"], number = counted["error"] + 1, number + 1
    attributes = {"errors": "error", "failures": "failure", "skipped": "skipped"}
    suite.attrib |= {name: str(counted[element]) for name, element in attributes.items()}
    suite.attrib |= {"tests": str(number), "time": f"{seconds:.3f}"}
    _write(path, suite)


def _write(path: Path, suite: ElementTree.Element) -> None:
    suites = ElementTree.Element("testsuites", name="pytest tests")
    suites.append(suite)
    text = ElementTree.tostring(suites, encoding="unicode")
    with output_asked_for("the JUnit file cannot be written", path, "--junit"):
        write_whole(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


def _case(test: TestRecord, options: TextOptions) -> ElementTree.Element:
    classname, name = _names(test.nodeid)
    case = ElementTree.Element("testcase", classname=classname, name=name, time=f"{test.duration or 0.0:.3f}")
    if element := _ELEMENTS.get(test.outcome):
        fails = element != "skipped"
        message = _legal(headline_of(test) if fails else test.reason)
        ElementTree.SubElement(case, element, _typed(test, message)).text = (
            _legal(text_of(test, options)) if fails else ""
        )
    return case


def _problem(words: str) -> ElementTree.Element:
    """What fails the run beside its tests, as a case: a CI server shows nothing else."""
    case = ElementTree.Element("testcase", classname="gomem", name="run", time="0.000")
    ElementTree.SubElement(case, "error", message=_legal(printable(words))).text = _legal(printable(words))
    return case


def _typed(test: TestRecord, message: str) -> dict[str, str]:
    kind = _TYPES.get(test.outcome)
    return {"message": message} if kind is None else {"type": kind, "message": message}


def _names(nodeid: str) -> tuple[str, str]:
    """The class and the name that pytest gives a test: of "a/test_b.py::TestC::test_d[x]" a.test_b.TestC, test_d[x]."""
    path, bracket, parameters = nodeid.partition("[")
    file, *names = path.split("::")
    parts = [file.replace("/", ".").removesuffix(".py"), *names]
    parts[-1] += bracket + parameters
    return _legal(printable(".".join(parts[:-1]))), _legal(printable(parts[-1]))


def _legal(text: str) -> str:
    return _ILLEGAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
