"""Tokens in a service's texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.printable import printable
from pytest_gomem.config.tokens import expand, ports_named, unexpanded, values_of_variables

PORTS = {"": 8080, "admin": 8081}
ENVIRON = {"USER": "gopher", "EMPTY": "", "TRAP": "{port} ${USER}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:{port}", "127.0.0.1:8080"),
        (":{port:admin}/{tmp}/db", ":8081//t/1/db"),
        ("${USER}", "gopher"),
        ("${NONE:-x}", "x"),
        ("${NONE:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${ADDR:-127.0.0.1:{port}}", "127.0.0.1:8080"),
        ("${NONE:-${USER}}", "gopher"),
        ("${TRAP}", "{port} ${USER}"),
        ("${port-8} ${port:x} ${tmp:}", "${port-8} ${port:x} ${tmp:}"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("{prot} {port:} {port:a b} {TMP} $USER {}", "{prot} {port:} {port:a b} {TMP} $USER {}"),
    ],
)
def test_exactly_the_tokens_are_replaced(text: str, expected: str) -> None:
    """The four tokens give way to their values; every other brace and dollar stays, and values are not read again."""
    assert expand(text, ports=PORTS, tmp="/t/1", environ=ENVIRON) == expected


def test_a_variable_called_port_is_no_port() -> None:
    """${port} is an environment variable, so it asks for no port."""
    assert ports_named(["${port}", "$${port:x}"]) == ()
    assert expand("${port}", ports={}, tmp="", environ={"port": "1"}) == "1"


def test_an_unset_variable_is_an_error_that_names_it() -> None:
    """Without a default the error names the variable, the text and the place, and shows the way out."""
    place = Place("gomem.yaml", 7, "services.api.args[0]")
    with pytest.raises(ConfigError) as caught:
        expand("--db=${DATABASE_URL}", ports={}, tmp="", environ={}, place=place)
    message = str(caught.value)
    assert message.startswith("gomem.yaml:7 services.api.args[0]: ")
    assert "DATABASE_URL in '--db=${DATABASE_URL}' is not set" in message
    assert "${DATABASE_URL:-...}" in message


def test_a_port_nobody_uses_is_an_error() -> None:
    """A token for a port that was not allocated is the user's typo, not a KeyError."""
    with pytest.raises(ConfigError, match=r"\{port:admn\}"):
        expand("{port:admn}", ports=PORTS, tmp="", environ={})


def test_ports_come_in_order_and_once() -> None:
    """Ports are listed by first appearance, also those inside of defaults; "" is the unnamed one."""
    texts = ["{port:admin}", "{port}:{port:admin}", "${ADDR:-:{port:grpc}}", "{tmp}"]
    assert ports_named(texts) == ("admin", "", "grpc")


@given(st.text())
def test_text_without_braces_is_unchanged(text: str) -> None:
    """No text without a brace is ever altered."""
    plain = text.replace("{", "(")
    assert expand(plain, ports={}, tmp="", environ={}) == plain


@given(st.text("{}:-portmp ", max_size=30))
def test_only_tokens_are_touched(text: str) -> None:
    """Where each token's value is the token itself, any text comes out as it went in."""
    ports = {name: f"{{port:{name}}}" if name else "{port}" for name in ports_named([text])}
    assert expand(text, ports=ports, tmp="{tmp}", environ={}) == text  # type: ignore[arg-type]


def test_values_of_variables_are_not_shown():
    """A value gives way to its variable's name, the longest first; a short one is a word like any other."""
    environ = {"PASSWORD": "hunter2hunter2", "DSN": "db://u:hunter2hunter2@h", "MODE": "fast", "KEY": "line 1\nline 2"}
    hidden = values_of_variables(["a=${DSN} {tmp}", "${NONE:-${PASSWORD}}", "${MODE} ${UNSET:-x}", "${KEY}"], environ)
    log = "db://u:hunter2hunter2@h hunter2hunter2 fast line 1\nline 2 other"
    assert unexpanded(log, hidden) == "${DSN} ${PASSWORD} fast ${KEY} other"
    assert unexpanded(printable("pid 1 (line 1\nline 2)"), hidden) == "pid 1 (${KEY})"
