"""What a request consists of: its address, its body and its headers, as a user gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_gomem.base.errors import ConfigError

MAX_BODY = "128MiB"  # of one answer that is read whole; a heap profile of 200 000 samples has some 2 MB


@dataclass(frozen=True)
class Request:
    """One request to a service, with at most one of `body` (text is sent as UTF-8) and `json`.

    timeout: seconds, or "10s"; None is the client's own.
    """

    method: str
    path: str
    body: bytes | str | None = None
    json: object = None
    headers: Mapping[str, str] | None = None
    timeout: float | str | None = None


def address(base_url: str, path: str) -> str:
    """The whole URL of `path` below `base_url`; raises ConfigError for a path that is a URL itself."""
    if not base_url.startswith(("http://", "https://")):
        raise ConfigError(f"'{base_url}' is no address of a service: it begins with neither http:// nor https://")
    if "://" in path.partition("?")[0]:
        raise ConfigError(f"'{path}' is a whole URL", hint=f"give the path alone, it is looked up below {base_url}")
    return f"{base_url.rstrip('/')}/{path.removeprefix('/')}"


def content(
    body: bytes | str | None, json_value: object, headers: Mapping[str, str] | None
) -> tuple[bytes | None, dict[str, str]]:
    """The bytes to send, text as UTF-8, and the headers, with a Content-Type for JSON unless there is one.

    Raises ConfigError when both a body and JSON are given, or JSON cannot express the value.
    """
    given = dict(headers or {})
    if json_value is None:
        return (body.encode() if isinstance(body, str) else body), given
    if body is not None:
        raise ConfigError("body= and json= are both given", hint="a request carries one of them")
    try:
        encoded = json.dumps(json_value).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"json=: {error}") from None
    if not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = "application/json"
    return encoded, given
