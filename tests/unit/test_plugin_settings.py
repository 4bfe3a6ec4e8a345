"""Options are read once, from flags or their ini twins, and all mistakes in them are reported together."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_gomem.base.errors import ConfigErrors
from pytest_gomem.commands.pytest_run import KEEPS_NOTHING
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.launch.sides import Against
from pytest_gomem.plugin.options import OPTIONS
from pytest_gomem.plugin.settings import Settings, read_settings
from pytest_gomem.session.laid_over import laid_over_words

FLAGS = [option for option in OPTIONS if option.metavar is None]
# The text of each option that takes one, and what is made of it in the folder that relative paths start from.
TEXTS = {
    "config": ("my.yaml", lambda folder: folder / "my.yaml"),
    "json": ("out/report.json", lambda folder: folder / "out" / "report.json"),
    "history": ("/runs.jsonl", lambda folder: type(folder)("/runs.jsonl")),
    "html": ("page.html", lambda folder: folder / "page.html"),
    "markdown": ("comment.md", lambda folder: folder / "comment.md"),
    "markdown-key": ("linux.arm64-2", lambda folder: "linux.arm64-2"),
    "gitlab": ("reports", lambda folder: folder / "reports"),
    "ci": ("off", lambda folder: "off"),
    "artifacts": ("kept", lambda folder: folder / "kept"),
    "rounds": ("12", lambda folder: 12),
    "cycles": ("10", lambda folder: 10),
    "confirm": ("3", lambda folder: 3),
    "diagnose": ("2", lambda folder: 2),
    "against": ("main~1", lambda folder: Against("main~1")),
    "against-go": ("1.26", lambda folder: "1.26"),
    "head": ("main~2", lambda folder: "main~2"),
    "set": (
        "gogc=200, godebug=madvdontneed=1,gctrace=1",
        lambda folder: {"": Overrides(gc=GcSettings(gogc=200, godebug={"madvdontneed": "1", "gctrace": "1"}))},
    ),
    "baseline-dir": ("kept/baselines", lambda folder: folder / "kept" / "baselines"),
    "baseline-profiles": ("profiles", lambda folder: folder / "profiles"),
    "baseline-profile-size": ("4KiB", lambda folder: 4096),
    "sample-rate": ("2.5", lambda folder: 2.5),
}
WRONG = {
    "markdown-key": ("a b", "expected at most 64 letters, digits, dots, dashes and underscores, not 'a b'"),
    "ci": ("on", "expected auto or off, not 'on'"),
    "rounds": ("0", "expected a whole number from 1 to 1000 or \"auto\", not '0'"),
    "cycles": ("9", "expected a whole number from 10 to 10000 or \"off\", not '9'"),
    "confirm": ("2", "expected a whole number from 3 to 1000, not '2'"),
    "diagnose": ("0", "expected a whole number from 1 to 100000 or \"off\", not '0'"),
    "set": ("gogc", "expected KEY=VALUE, not 'gogc'"),
    "baseline-profile-size": ("4095", "expected at least 4KiB, not '4095'"),
    "sample-rate": ("nan", "expected samples a second in (0, 1000], not 'nan'"),
}


@pytest.fixture
def read(pytester):
    """Reads the settings of a pytest that is started in the folder `below` the one of its ini file."""

    def read(flags=(), ini=()):
        pytester.makeini("\n".join(["[pytest]", *ini]))
        below = pytester.path / "below"
        below.mkdir(exist_ok=True)
        pytester.chdir()
        pytester._monkeypatch.chdir(below)
        return read_settings(pytester.parseconfig(*flags))

    return read


def test_each_option_has_a_row_and_a_field(read):
    """What holds where nothing is said is the field's default."""
    assert [option.field for option in OPTIONS] == [field.name for field in dataclasses.fields(Settings)]
    assert set(TEXTS) | {option.name for option in FLAGS} == {option.name for option in OPTIONS}
    assert read() == Settings()


def test_flag_and_ini_twin_have_the_same_effect(read, pytester):
    """Paths of flags start where pytest does, those of the ini file at the file."""
    written = [(option, TEXTS[option.name][0]) for option in OPTIONS if option.metavar]
    expected = {option.field: TEXTS[option.name][1] for option, _ in written}
    flags = [f"{option.flag}={text}" for option, text in written] + [option.flag for option in FLAGS]
    ini = [f"{option.ini} = {text}" for option, text in written] + [f"{option.ini} = yes" for option in FLAGS]
    switched_on = {option.field: True for option in FLAGS}
    below = pytester.path / "below"
    by_flags, by_ini = read(flags=flags), read(ini=ini)
    assert by_flags == Settings(**switched_on, **{name: made(below) for name, made in expected.items()})
    assert by_ini == Settings(**switched_on, **{name: made(pytester.path) for name, made in expected.items()})


def test_a_flag_wins(read):
    """Over its ini twin, also by the word that takes back what the ini file says."""
    ini = ["gomem_against = main", "gomem_against_go = 1.26", "gomem_rounds = 2", "gomem_strict = no"]
    ini += ["gomem_json = a.json", "gomem_history = a.jsonl", "gomem_artifacts = kept"]
    ini += ["gomem_diagnose = 5"]
    ini += ["gomem_markdown = a.md", "gomem_gitlab = reports"]
    off = ("against", "json", "history", "markdown", "gitlab", "artifacts", "baseline-profiles", "diagnose")
    said = read([*(f"--gomem-{name}=off" for name in off), "--gomem-rounds=auto"], ini)
    assert said == Settings(rounds="auto", diagnose=0, baseline_profiles="off", against_go="1.26")
    assert said.has_base_side
    assert not read(["--gomem-no-compare"], ini).has_base_side


@pytest.mark.parametrize("as_ini", [False, True])
def test_all_mistakes_are_reported_together(read, as_ini):
    """Each names the option as it was given, and what is allowed."""
    wrong = {option: WRONG[option.name] for option in OPTIONS if option.name in WRONG}
    expected = [f"{f'ini option {o.ini}' if as_ini else o.flag}: {words}" for o, (_, words) in wrong.items()]
    ini = [f"{option.ini} = {text}" for option, (text, _) in wrong.items()] if as_ini else []
    flags = [] if as_ini else [f"{option.flag}={text}" for option, (text, _) in wrong.items()]
    if as_ini:
        ini += [f"{option.ini} = maybe" for option in FLAGS]
        expected += [f"ini option {option.ini}: expected true or false, not 'maybe'" for option in FLAGS]
    else:  # an empty value in the ini file is none
        empty = [option for option in OPTIONS if option.metavar and option.name not in WRONG]
        flags += [f"{option.flag}=" for option in empty]
        expected += [f"{option.flag}: expected a value, not an empty one" for option in empty]
    with pytest.raises(ConfigErrors) as raised:
        read(flags, ini)
    assert sorted(str(error).split("\n", 1)[0] for error in raised.value.errors) == sorted(expected)


def test_settings_of_several_flags_add_up(read):
    """Or of several lines; the flag replaces what the ini file says."""
    ini = ["gomem_set =", "    gogc=50", "    gomemlimit=1GiB"]
    assert read(ini=ini).set == {"": Overrides(gc=GcSettings(gogc=50, gomemlimit=2**30))}
    both = read(["--gomem-set=gogc=off,unbounded=true", "--gomem-set=my.api.gomaxprocs=4"], ini)
    assert both.set == {
        "": Overrides(gc=GcSettings(gogc="off", unbounded=True)),
        "my.api": Overrides(gc=GcSettings(gomaxprocs=4)),
    }
    assert laid_over_words(both.set) == "gogc=off, my.api.gomaxprocs=4"
    assert read(["--gomem-set=off"], ini).set is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("gogcc=50", "--gomem-set: unknown setting 'gogcc'\n  did you mean gogc?"),
        ("gogc=50,gogc=60", "--gomem-set: 'gogc' is given twice"),
        ("api.gogc=50,gogc=60,api.gogc=70", "--gomem-set: 'api.gogc' is given twice"),
        ("gogc=", "--gomem-set: expected KEY=VALUE, not 'gogc='"),
        ("gogc=abc", "--gomem-set gogc: 'abc' is not a GOGC: Go would silently use the default, 100"),
        ("gomaxprocs=0", "--gomem-set gomaxprocs: expected a whole number of at least 1, not 0"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(read, written, says):
    """In the words of gomem.yaml's own mistakes."""
    with pytest.raises(ConfigErrors) as raised:
        read([f"--gomem-set={written}"])
    assert says in str(raised.value)


def test_settings_of_no_service_are_a_usage_error(pytester):
    """With the nearest name, if there is one."""
    pytester.path.joinpath("gomem.yaml").write_text("version: 1\nservices: {api: {binary: /bin/true}}\n")
    with pytest.raises(pytest.UsageError, match=r"--gomem-set names 'apy', which is not a service\n  did you mean api"):
        pytester.parseconfigure("--gomem-set=apy.gogc=200")


def test_a_page_is_refused_before_the_tests_run(read, monkeypatch):
    """Without jinja2, which the extra brings; `off` asks for no page."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ConfigErrors, match=r"--gomem-html: the page needs jinja2: pip install 'pytest-gomem\[report\]'"
    ):
        read(["--gomem-html=page.html"])
    assert read(["--gomem-html=off"]).html is None


def test_a_base_side_is_a_commit_or_a_program(tmp_path):
    """A program is one by its file, or because no commit is written like that."""
    against = next(option.parse for option in OPTIONS if option.name == "against")
    program = tmp_path / "server"
    program.touch(0o755)
    assert against("server", tmp_path) == Against(binary=program)
    assert against("./gone", tmp_path) == Against(binary=tmp_path / "gone")
    program.chmod(0o644)
    assert against("server", tmp_path) == Against("server")


@pytest.mark.parametrize("other", ["", "--gomem-against=off", "--gomem-against=./program"])
def test_a_commit_as_head_needs_one_as_base(pytester, other):
    """One side alone is no comparison; a binary is not built from sources."""
    with pytest.raises(pytest.UsageError, match="name the other side: --gomem-against=REF"):
        pytester.parseconfigure("--gomem-head=main", *filter(None, [other]))


def test_runs_of_our_own_commands_write_no_output():
    """An output that the ini file names is not that of a selftest, or of a step of a bisection."""
    outputs = [option.flag for option in OPTIONS if option.parse.__name__ == "_output" and option.name != "json"]
    assert len(outputs) > 3
    assert {"--gomem-ci=off", "--gomem-html=off"} <= set(KEEPS_NOTHING)
    assert [flag for flag in outputs if f"{flag}=off" not in KEEPS_NOTHING] == []
