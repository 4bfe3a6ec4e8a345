"""Owns the difference of two profiles: what each row holds more or less than before."""

from __future__ import annotations

from pytest_gomem.pprof.aggregate import Row, Table, aggregate, sort_rows
from pytest_gomem.pprof.errors import ProfileError
from pytest_gomem.pprof.model import Profile


def diff(
    base: Profile, new: Profile, sample: str = "", by: str = "function", focus: str = "", ignore: str = ""
) -> Table:
    """Flat and cumulative values of `new` less those of `base`; rows that did not change are left out.

    `focus` and `ignore` choose samples as in `aggregate`.

    Equal to `go tool pprof -top -diff_base`, and so is the total: that of `base`, or of `new` when `base` is empty,
    which shares are to be taken of. Without `sample` it is the default of `new`, or else of `base`. Raises
    ProfileError when `base` lacks the sample type, or has it in another unit.
    """
    new = new._replace(default_sample_type=new.default_sample_type or base.default_sample_type)
    declared = new.sample_types[new.sample_index(sample)]
    if declared not in base.sample_types:
        has = ", ".join(f"{kind} ({unit})" for kind, unit in base.sample_types)
        raise ProfileError(f"the base has no {declared.type} ({declared.unit}) to compare with; it has {has}")
    how = (declared.type, by, focus, ignore)
    before = aggregate(base, *how)
    after = aggregate(new, *how)
    return after._replace(total=before.total or after.total, rows=_changes(before, after, by))


def _changes(before: Table, after: Table, by: str) -> tuple[Row, ...]:
    # A function that has moved to another file is still the same one; elsewhere the whole frame tells rows apart.
    def key(row: Row) -> object:
        return row.frame.function if by == "function" else row.frame

    old = {key(row): row for row in before.rows}
    changes = []
    for row in after.rows:
        was = old.pop(key(row), None)
        changes.append(Row(row.frame, row.flat - was.flat, row.cum - was.cum) if was else row)
    changes += [Row(row.frame, -row.flat, -row.cum) for row in old.values()]
    return sort_rows(row for row in changes if row.flat or row.cum)
