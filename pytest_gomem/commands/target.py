"""The running service that a command is given: the address of its pprof endpoint, or a process id."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

from pytest_gomem.base.errors import GomemError
from pytest_gomem.launch.ports import bases
from pytest_gomem.observe.endpoint import find_endpoint
from pytest_gomem.observe.kernel import stopped_words

TARGET_HELP = "the address of its net/http/pprof, HOST:PORT, or a process id: then its ports are tried"
_PATH = "/debug/pprof"


def endpoint_url(target: str) -> str:
    """The URL of the pprof endpoint; raises GomemError if the target is no address, or no such process answers."""
    return _of_process(int(target)) if target.isdecimal() else _of_address(target)


def _of_address(written: str) -> str:
    """From the address of the service, the endpoint or a profile."""
    url = written if "://" in written else f"http://{written}"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise GomemError(f"'{written}' is neither a process id nor an address: write http://HOST:PORT{_PATH}")
    path = parts.path.rstrip("/")
    root, found, _ = path.partition(_PATH)
    return f"{parts.scheme}://{parts.netloc}{root if found or not path else path}{_PATH if found or not path else ''}"


def _of_process(pid: int) -> str:
    if stopped := stopped_words(pid):
        raise GomemError(stopped)
    urls = (f"{base}{_PATH}" for base in bases(pid, "give the pprof URL of the service"))
    with closing(find_endpoint(urls, "in place of the process id")) as endpoint:
        return endpoint.url
