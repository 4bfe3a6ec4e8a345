"""Owns an imitation of GitHub's runner: it runs the steps of a composite action with its variables and files.

Steps that use another action are handed to the caller. Of expressions it knows what this repository's actions say.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w.-]*(?:\(\))?|&&|\|\||!=|==|!|\(|\))")
_WORDS = {"&&": "and", "||": "or", "!": "not", "!=": "!=", "==": "==", "(": "(", ")": ")"}
_FILES = ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY")


@dataclass
class Job:
    """What the steps of a job share. context: of expressions, such as {"inputs": {...}, "github": {...}}."""

    workspace: Path
    temp: Path
    environment: dict[str, str]
    context: dict[str, Any] = field(default_factory=dict)
    uses: Callable[[str, Mapping[str, str]], None] = lambda action, inputs: None
    log: str = ""
    summary: str = ""
    failed: bool = False

    def run_action(self, folder: Path, /, **inputs: str) -> dict[str, str]:
        """Run a composite action; returns its outputs."""
        action = yaml.safe_load((folder / "action.yml").read_text())
        defaults = {name: self.said(str(one.get("default", ""))) for name, one in action["inputs"].items()}
        assert set(inputs) <= set(defaults)
        self.context |= {"inputs": {**defaults, **inputs}, "steps": {}, "runner": {"temp": str(self.temp)}}
        for number, step in enumerate(action["runs"]["steps"]):
            self._step(number, step, folder)
        return {name: self.said(one["value"]) for name, one in action.get("outputs", {}).items()}

    def said(self, text: str) -> str:
        """The text with its expressions replaced by their values."""
        return _EXPRESSION.sub(lambda found: str(self.value(found[1])), text)

    def value(self, expression: str) -> Any:
        """The value of an expression."""
        tokens = _TOKEN.findall(expression)
        assert "".join(tokens) == "".join(expression.split()), expression
        names: dict[str, Any] = {}
        words = []
        for token in tokens:
            if token in _WORDS:
                words.append(_WORDS[token])
            else:
                name = f"v{len(names)}"
                names[name] = token[1:-1] if token.startswith("'") else self._named(token)
                words.append(name)
        return eval(" ".join(words), {"__builtins__": {}}, names)

    def _named(self, name: str) -> Any:
        known = {"always()": True, "cancelled()": False, "failure()": self.failed, "success()": not self.failed}
        if name in known:
            return known[name]
        found: Any = self.context
        for part in name.split("."):
            found = found.get(part, "") if isinstance(found, Mapping) else ""
        return found

    def _step(self, number: int, step: Mapping[str, Any], folder: Path) -> None:
        condition = str(step.get("if", "")).removeprefix("${{").removesuffix("}}").strip()
        if not re.search(r"\b(always|cancelled|failure|success)\(\)", condition) and self.failed:
            return
        if condition and not self.value(condition):
            return
        if "uses" in step:
            self.uses(step["uses"], {name: self.said(str(value)) for name, value in step.get("with", {}).items()})
            return
        self._shell(number, step, folder)

    def _shell(self, number: int, step: Mapping[str, Any], folder: Path) -> None:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "a value in a script would be code"
        files = {name: self.temp / f"{name.lower()}-{number}" for name in _FILES}
        for file in files.values():
            file.write_text("")
        script = self.temp / f"step-{number}.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace / self.said(step.get("working-directory", ".")),
            env={
                **self.environment,
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(folder),
                "GITHUB_WORKSPACE": str(self.workspace),
                "RUNNER_TEMP": str(self.temp),
                **{f"GITHUB_{name}": str(file) for name, file in files.items()},
                **{name: self.said(str(value)) for name, value in step.get("env", {}).items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        self.log += done.stdout
        self.failed = self.failed or done.returncode != 0
        self.summary += files["STEP_SUMMARY"].read_text()
        pairs = dict(line.split("=", 1) for line in files["OUTPUT"].read_text().splitlines())
        if "id" in step:
            self.context["steps"][step["id"]] = {"outputs": pairs}
        added = files["PATH"].read_text().splitlines()
        self.environment["PATH"] = os.pathsep.join([*added[::-1], self.environment["PATH"]])
