"""What every page is made of: its template, its assets, and their hashes for the page's policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ConfigError, Place

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent


def template(name: str, key: str) -> Template:
    """A template of this room; raises ConfigError without jinja2. key: what asked for the page, for the error."""
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError:
        raise ConfigError("the page needs jinja2", Place(key=key), "pip install 'pytest-gomem[report]'") from None
    return Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True).get_template(name)


def read_asset(name: str) -> str:
    """The text of a style sheet or script."""
    return (_HERE / "assets" / name).read_text("utf-8")


def hash_of(text: str) -> str:
    """As a Content-Security-Policy allows this text alone."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
