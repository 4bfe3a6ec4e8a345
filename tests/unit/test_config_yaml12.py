"""Reading YAML by the rules of YAML 1.2, with places."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, ConfigErrors
from pytest_gomem.config.fields import Located, Mistakes
from pytest_gomem.config.yaml12 import read_yaml


@pytest.fixture
def read(tmp_path: Path):
    """Read a text as gomem.yaml; mistakes that do not stop the reading are raised at its end."""

    def read_text(text: str | bytes) -> Located:
        path = tmp_path / "gomem.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        mistakes = Mistakes()
        root = read_yaml(path, mistakes)
        mistakes.raise_all()
        return root

    return read_text


def plain(node: Located) -> object:
    """The value without its places."""
    if isinstance(node.value, dict):
        return {key: plain(member) for key, member in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, tuple) else node.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("On", "On"),
        ("n", "n"),
        ("true", True),
        ("False", False),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("1.8GB", "1.8GB"),
        ("2%", "2%"),
        ("~", None),
        ("", None),
        ("'off'", "off"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("9" * 5000, float("inf")),
    ],
)
def test_scalars_follow_the_core_schema(read, written: str, value: object) -> None:
    """Only true and false are booleans; there are no base-60 numbers, dates or underscores in numbers."""
    found = read(f"a: {written}").value["a"].value
    assert found == value
    assert type(found) is type(value)


def test_values_know_their_places(read, tmp_path: Path) -> None:
    """Each value carries the file, the line of its key or item, its dotted key, and its own spelling."""
    root = read("a:\n  b.c:\n    - 1.10\n    -\n      d: x\n")
    items = root.value["a"].value["b.c"].value
    assert str(items[0].place) == f"{tmp_path}/gomem.yaml:3 a['b.c'][0]"
    assert str(items[1].value["d"].place) == f"{tmp_path}/gomem.yaml:5 a['b.c'][1].d"
    assert (items[0].value, items[0].written) == (1.1, "1.10")


def test_aliases_are_written_out_with_their_own_keys(read) -> None:
    """An alias gives the same value under the key where it is used."""
    root = read("a: &x {k: 1}\nb: *x")
    assert plain(root) == {"a": {"k": 1}, "b": {"k": 1}}
    assert root.value["b"].value["k"].place.key == "b.k"


def test_an_alias_bomb_is_refused(read) -> None:
    """Nine levels of nine aliases, 9^9 values, end in an error, not in a full memory."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with pytest.raises(ConfigError, match="aliases expanded"):
        read(bomb)


def test_an_alias_of_itself_is_refused(read) -> None:
    """A list that holds itself ends in an error, not in a recursion."""
    with pytest.raises(ConfigError, match=r":1 a\[0\]: an alias refers to the value that contains it"):
        read("a: &x [*x]")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 0, "the file is empty"),
        ("# nothing\n", 0, "the file is empty"),
        ("a:\n\t- b\n", 2, "indent with spaces"),
        ("a:\n  - {tmp}/db\n", 2, "needs quotes"),
        ("a: >= 24h\n", 1, "needs quotes"),
        ("x: 1\n*star: 2\n", 2, "undefined alias 'star'"),
        ("x: 1\na: 'never closed\n\n\n", 2, "quoted scalar"),
        ("x: 1\na: [b\n\n", 2, "flow sequence"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("x: 1\na: \x01\n", 2, "'\\x01' is not allowed"),
        (b"x: 1\na: \xff\n", 2, "not UTF-8"),
        ("a:\n" + "[" * 51, 2, "nested too deeply: more than 50 levels"),
        ("a:\n" + "{a: " * 51, 2, "nested too deeply"),
        ("x: 1\na:\n" + "- " * 51, 3, "nested too deeply"),
        ("? " * 51, 1, "nested too deeply"),
        ("#" * (1 << 20) + "\n", 0, "larger than 1 MiB"),
        ("x: 1\ny: [" + "1, " * 20_000 + "]\n", 2, "more than 10000 values"),
        ("x: !!python/name:os.system ''\n", 1, "python/name:os.system is not allowed"),
        ("x: !!set {a}\n", 1, "set is not allowed"),
        ("x: 1\ny: !mine [a]\n", 2, "!mine is not allowed"),
        ("x: !!map [a]\n", 1, "map is not allowed"),
        ("x: !!int abc\n", 1, "'abc' is not a valid int"),
        ("x: !!bool yes\n", 1, "'yes' is not a valid bool"),
    ],
)
def test_what_is_no_yaml_is_refused_at_its_line(read, text: str | bytes, line: int, says: str) -> None:
    """Every unreadable text gives one ConfigError with the line to look at and what to do."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.place.line == line
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice, in lines 1 and 3"),
        ("x: {a: 1,\n  a: 2}\n", 2, "'a' is given twice, in lines 1 and 2"),
        ("x: 1\n<<: {a: 1}\n", 2, "merge keys"),
        ("x: 1\n? [a]\n: 1\n", 2, "a key must be text"),
    ],
)
def test_wrong_keys_are_gathered(read, text: str, line: int, says: str) -> None:
    """Wrong keys do not stop the reading, so that all of them are reported at once."""
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    (error,) = caught.value.errors
    assert error.place.line == line
    assert says in str(error)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    """Both are ConfigErrors in the system's own words."""
    with pytest.raises(ConfigError, match="No such file"):
        read_yaml(tmp_path / "none.yaml", Mistakes())
    with pytest.raises(ConfigError, match="Is a directory"):
        read_yaml(tmp_path, Mistakes())


def test_a_byte_order_mark_is_no_part_of_the_first_key(read) -> None:
    """Editors that write a BOM do not break the file."""
    assert plain(read(b"\xef\xbb\xbfa: 1")) == {"a": 1}


def test_yaml_itself_is_left_alone(read) -> None:
    """After a read, PyYAML still reads for others as it did before."""
    read("a: off")
    assert yaml.safe_load("a: off\nb: 1:30") == {"a": False, "b": 90}


# JSON escapes characters beyond the 16-bit plane as surrogate pairs, which YAML does not join.
TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(TREES)
def test_json_reads_as_itself(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    """YAML 1.2 is a superset of JSON: a JSON document, escaped to ASCII, is read as what it says."""
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(json.dumps({"tree": tree}))
    mistakes = Mistakes()
    found = plain(read_yaml(path, mistakes).value["tree"])
    mistakes.raise_all()
    assert found == tree


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in the file, the only errors that come out are ours."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        read_yaml(path, Mistakes())
