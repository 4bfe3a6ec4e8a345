"""Makes the README's pictures (make pictures): its own test runs and fails, in a terminal and as a page.

What pytest prints becomes an SVG. The page is pictured by Chromium, where there is one.
"""

from __future__ import annotations

import base64
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from chromium import Chromium, executable  # noqa: E402 - of the tests

PAGE = "page.html"
COLUMNS = 112
CELL, LINE, SIZE, EDGE = 8.0, 18, 13, 16  # pixels: a letter, a line, the font, the frame
# What a reader of the failure sees first; of the other paragraphs the picture only says that they are there.
SHOWN = ("test_memory.py::", "FAIL", "resident memory")
LEFT_OUT = "  ..."
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_CLASSES = {"1": "bold", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
STYLE = """
.frame { fill: #f6f8fa; stroke: #d0d7de }
text { fill: #1f2328; font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.bold { font-weight: 700 } .red { fill: #c1121f } .green { fill: #116329 } .yellow { fill: #7d4e00 }
.cyan { fill: #0b6375 } .dim { fill: #59636e }
@media (prefers-color-scheme: dark) {
  .frame { fill: #0d1117; stroke: #3d444d } text { fill: #e6edf3 } .red { fill: #ff7b72 } .green { fill: #56d364 }
  .yellow { fill: #e3b341 } .cyan { fill: #76e3ea } .dim { fill: #9198a1 }
}
"""


def main() -> int:
    """Write the pictures beside this file."""
    with tempfile.TemporaryDirectory(prefix="gomem-pictures-") as folder:
        write_project(Path(folder))
        (HERE / "failure.svg").write_text(svg(list(abridged(printed(Path(folder))))))
        if executable() is None:
            print("there is no Chromium here: the pictures of the page stay as they were")
            return 1
        picture_page(Path(folder))
    return 0


def write_project(folder: Path) -> None:
    """The project of the README: its gomem.yaml, its test, and the example service."""
    readme = (ROOT / "README.md").read_text()
    example = ROOT / "examples" / "go_service"
    (folder / "cmd" / "api").mkdir(parents=True)
    for path in example.glob("*.go"):
        shutil.copy(path, folder / "cmd" / "api")
    shutil.copy(example / "go.mod", folder)
    for language, name in (("yaml", "gomem.yaml"), ("python", "test_memory.py")):
        (folder / name).write_text(re.search(rf"^```{language}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)[1])
    (folder / "pytest.ini").write_text("[pytest]\n")


def printed(folder: Path) -> str:
    """What pytest prints in a terminal of so many columns."""
    others = "hypothesispytest benchmark cacheprovider rerunfailures timeout xdist"
    env = {**os.environ, "COLUMNS": str(COLUMNS), "PYTEST_ADDOPTS": " ".join(f"-p no:{one}" for one in others.split())}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--color=yes", f"--gomem-html={folder / PAGE}"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    if done.returncode != 1:
        sys.exit(f"the README's test was to fail, and pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def picture_page(folder: Path) -> None:
    """The page of the failed test, down to the course of its memory, in both themes."""
    browser = Chromium(folder / "profile", 1000, 1400)
    browser.ask("Emulation.setScrollbarsHidden", hidden=True)
    for theme in ("light", "dark"):
        browser.prefer(theme)
        browser.open(folder / PAGE)
        browser.evaluate("location.hash = '#test=' + encodeURIComponent('test_memory.py::test_logs')")
        browser.evaluate("new Promise((told) => setTimeout(told, 500))")  # the course is drawn
        heading = "[...document.querySelectorAll('h2, h3')].find((one) => one.textContent.trim() === 'Course')"
        height = browser.evaluate(f"{heading}.closest('section').getBoundingClientRect().bottom")
        clip = {"x": 0, "y": 0, "width": 1000, "height": height + 12, "scale": 1}
        shot = browser.ask("Page.captureScreenshot", format="png", clip=clip)
        (HERE / f"page-{theme}.png").write_bytes(base64.b64decode(shot["data"]))
    browser.close()


def abridged(text: str) -> Iterator[str]:
    """The failure from its headline on, without the paragraphs that are not shown; then the table and the end."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if "= FAILURES =" in line)
    end = next(number for number, line in enumerate(lines) if "= gomem =" in line)
    yield "$ pytest"
    yield from lines[start : start + 2]
    is_shown = True
    for paragraph in "\n".join(lines[start + 2 : end]).split("\n\n"):
        was_shown, is_shown = is_shown, paragraph.strip().startswith(SHOWN)
        if is_shown:
            yield from ([] if was_shown else [LEFT_OUT, ""])
            yield from (*paragraph.split("\n"), "")
    summary = next(number for number, line in enumerate(lines) if "= short test summary info =" in line)
    yield from (LEFT_OUT, *lines[end:summary], lines[-1])  # the summary has longer lines, and says nothing new


def svg(lines: list[str]) -> str:
    """The lines with their colours, readable on a light and on a dark page."""
    width, height = COLUMNS * CELL + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    texts = "\n".join(run for number, line in enumerate(lines) for run in _runs(line, EDGE + number * LINE + SIZE))
    size = f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"'
    frame = f'<rect class="frame" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1}" rx="8"/>'
    title = "A test fails: pytest names the limits that broke, the line of Go, and who holds the memory"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">\n'
        f"<style>{STYLE}</style>\n{frame}\n{texts}\n</svg>\n"
    )


def _runs(line: str, y: int) -> Iterator[str]:
    """Each word group of one colour at its place: blanks take no part, so that any font keeps the columns."""
    column, classes = 0, set[str]()
    for number, piece in enumerate(_SGR.split(line)):
        if number % 2:
            for code in piece.split(";"):
                classes = classes | {_CLASSES[code]} if code in _CLASSES else set()
            continue
        for words in re.finditer(r"\S+(?: \S+)*", piece):
            x, length = EDGE + (column + words.start()) * CELL, len(words[0]) * CELL
            names = " ".join(sorted(classes)) or ("dim" if line == LEFT_OUT else "")
            kind = f' class="{names}"' if names else ""
            place = f'x="{x:.0f}" y="{y}" textLength="{length:.0f}" lengthAdjust="spacingAndGlyphs"'
            yield f"<text {place}{kind}>{html.escape(words[0])}</text>"
        column += len(piece)


if __name__ == "__main__":
    sys.exit(main())
