"""A setting as its user writes it: environment variables, gomem.yaml, a Kubernetes container."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.config.gc_settings import go_bytes
from pytest_gomem.tune.records import Off, Setting

_KUBERNETES = (("Gi", 30), ("Mi", 20), ("Ki", 10))


def size_text(size: int | Off) -> str:
    """Such as "240MiB", or "off"."""
    return size if size == "off" else go_bytes(size)


def variables(setting: Setting) -> dict[str, str]:
    """GOGC and GOMEMLIMIT as Go reads them; what the setting leaves to the service is left out."""
    return {
        **({"GOGC": str(setting.gogc)} if setting.gogc is not None else {}),
        **({"GOMEMLIMIT": size_text(setting.gomemlimit)} if setting.gomemlimit is not None else {}),
    }


def setting_words(setting: Setting) -> str:
    """On one line, such as "memory_limit=300MiB GOGC=200 GOMEMLIMIT=240MiB"."""
    limit = setting.memory_limit
    said = [f"memory_limit={size_text(limit)}"] if limit not in (None, "off") else []
    values = variables(setting)
    if values.get("GOMEMLIMIT") == "off" and setting.gogc != "off":  # Go's default
        del values["GOMEMLIMIT"]
    return " ".join([*said, *(f"{name}={value}" for name, value in values.items())]) or "without limits"


def option_value(setting: Setting, service: str) -> str:
    """As `--gomem-set` takes it, "" if it changes nothing. service: "" for every one that is launched."""
    said = {"gogc": setting.gogc, "gomemlimit": setting.gomemlimit, "memory_limit": setting.memory_limit}
    return ",".join(
        f"{service and service + '.'}{key}={value if key == 'gogc' or value == 'off' else size_text(value)}"
        for key, value in said.items()
        if value is not None
    )


def environment_line(setting: Setting) -> str:
    """GOGC=200 GOMEMLIMIT=240MiB."""
    return " ".join(f"{name}={value}" for name, value in variables(setting).items())


def yaml_lines(setting: Setting, service: str) -> Iterator[str]:
    """The keys of the service in gomem.yaml."""
    yield "services:"
    yield f"  {service or 'NAME'}:"
    if isinstance(setting.memory_limit, int):
        yield f"    memory_limit: {size_text(setting.memory_limit)}"
    gc = ", ".join(f"{name.lower()}: {value}" for name, value in variables(setting).items())
    if gc:
        yield f"    gc: {{{gc}}}"


def kubernetes_lines(setting: Setting) -> Iterator[str]:
    """The keys of a container: its memory limit, and its environment."""
    if isinstance(setting.memory_limit, int):
        yield "resources:"
        yield f"  limits: {{memory: {_kubernetes_size(setting.memory_limit)}}}"
    values = variables(setting)
    if values:
        yield "env:"
        yield from (f'- {{name: {name}, value: "{value}"}}' for name, value in values.items())


def _kubernetes_size(size: int) -> str:
    found = ((size >> shift, unit) for unit, shift in _KUBERNETES if size % (1 << shift) == 0)
    number, unit = next(found, (size, ""))
    return f"{number}{unit}"
