"""What a build may be told: read from defaults, file, environment and flags, checked, frozen.

Later sources win: defaults of the preset < ``reportgen.toml`` < environment and flags < ``--set``.
(The command line reads the environment as it reads flags.)
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.errors import SettingsError, did_you_mean
from reportgen.experiment import CPU, GPU, setting
from reportgen.registry import Registry

CONFIG_NAME = "reportgen.toml"
PRESETS = ("quick", "standard", "thorough")
FORMATS = ("html", "pdf")
DATA_MODES = ("auto", "real", "sample")
DEVICES = ("auto", CPU, GPU)


@dataclass(frozen=True)
class ReportOptions:
    """The table ``[report]``: what the cover says."""

    title: str = setting("Deep learning lab report", "title of the report")
    author: str = setting("", "who hands it in")
    student_id: str = setting("", "student number")
    course: str = setting("", "course or class")
    date: str = setting("", "date on the cover; today if not given")
    claims: tuple[str, ...] = setting((), "claims of yours that the report judges")


@dataclass(frozen=True)
class BuildOptions:
    """The table ``[build]``: what is built, from which data, and where to."""

    only: tuple[str, ...] = setting((), "build only these experiments; all if empty")
    preset: str = setting("standard", "size of the experiments", choices=PRESETS)
    seed: int = setting(0, "seed of every random choice", minimum=0, maximum=2**31 - 1)
    seeds: int = setting(
        1, "trainings of each model, with seeds counted up", minimum=1, maximum=1000, thorough=6
    )
    out: str = setting("build", "folder for everything that is written")
    format: tuple[str, ...] = setting(FORMATS, "what to render", choices=FORMATS)
    data: str = setting("auto", "which data to use", choices=DATA_MODES)
    data_dir: str = setting("", "folder with your copy of the datasets")
    cache_dir: str = setting("", "folder for downloads and prepared data")
    jobs: int = setting(0, "trainings at a time; 0: one a core", minimum=0, maximum=1024)
    device: str = setting(
        "auto", "where to train; auto: on a GPU if one is usable", choices=DEVICES
    )
    cluster: str = setting("", "address of a Dask scheduler on whose workers to train")


@dataclass(frozen=True)
class Settings:
    """All settings of one build. ``experiments`` has those selected and those they read."""

    report: ReportOptions
    build: BuildOptions
    selected: tuple[str, ...]
    experiments: Mapping[str, Any]
    changed: Mapping[str, Any]
    """Experiment settings that differ from the preset's defaults, by dotted name."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Installed experiments that can't be imported, and why; none of these is selected."""

    @property
    def out(self) -> Path:
        """The folder that a build writes into."""
        return Path(self.build.out)

    @property
    def device(self) -> str:
        """Where trainings run, ``cpu`` or ``gpu``; ``auto`` is ``cpu`` until it is settled."""
        return GPU if self.build.device == GPU else CPU

    def seeds_of(self, experiment: str) -> tuple[int, ...]:
        """The seeds of an experiment's trainings: its own number of them, or the build's."""
        own = getattr(self.experiments[experiment], "seeds", 0)
        return tuple(range(self.build.seed, self.build.seed + (own or self.build.seeds)))


@dataclass(frozen=True)
class Given:
    """A value that somebody gave, and where, as an error should name it."""

    value: Any
    where: str


Layer = dict[str, Given]
"""Values by dotted name, such as ``build.seed``."""


def load(
    registry: Registry,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    *,
    with_experiments: bool = True,
) -> Settings:
    """The settings of a build.

    Args:
        registry: the experiments that there are.
        config: the settings file; None looks for ``reportgen.toml`` in the working folder.
        flags: values by dotted name (``build.seed``); None values are not given.
        assignments: ``name=value`` texts of ``--set``.
        with_experiments: False leaves the experiments' own settings out, unread and unchecked;
            no experiment is imported then.

    Raises:
        SettingsError: for whatever is unknown, of the wrong type or out of range.
        RequestError: if an experiment that is selected does not exist.
    """
    given = _read_file(config, registry, with_experiments)
    for name, value in (flags or {}).items():
        if value is not None:
            flag = "--" + name.split(".", 1)[1].replace("_", "-")
            given[name] = Given(value, flag)
    for assignment in assignments:
        given |= _read_assignment(assignment, registry)

    report = _fill(ReportOptions, "report", given)
    build = _fill(BuildOptions, "build", given)
    build = _fill(BuildOptions, "build", given, build.preset)
    if not with_experiments:
        return Settings(report, build, (), {}, {})
    broken = {} if build.only else registry.broken(registry)
    chosen = registry.in_order(dict.fromkeys(build.only or set(registry) - set(broken)))
    needed = {e.name for e in chosen} | {name for e in chosen for name in e.reads}
    needed |= {name.split(".")[0] for name in given} & set(registry)
    experiments = {
        e.name: _fill(e.settings, e.name, given, build.preset) for e in registry.in_order(needed)
    }
    changed = {
        f"{e.name}.{name}": value
        for e in registry.in_order(needed)
        for name, (spec, _) in fields_of(e.settings).items()
        if (value := getattr(experiments[e.name], name)) != default_of(spec, build.preset)
    }
    return Settings(report, build, tuple(e.name for e in chosen), experiments, changed, broken)


# ------------------------------------------------------------------------------------ sources


def _read_file(config: Path | None, registry: Registry, with_experiments: bool) -> Layer:
    """The values in the settings file, or none if there is no file and none was asked for."""
    path = config or Path(CONFIG_NAME)
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        if config is None:
            return {}
        raise SettingsError(f"There is no settings file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read as text: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    layer: Layer = {}
    lines = _lines_of(text)
    for table, content in tables.items():
        where = f"{path}, line {lines.get(table, 1)}"
        if not isinstance(content, dict):
            raise SettingsError(
                f"{where}: '{table}' stands outside a table; "
                f"put it under one, such as [build].{_hint_for_key(table, registry)}"
            )
        if table in registry and not with_experiments:
            continue
        fields = _fields_of(table, registry, where)
        for key, value in content.items():
            name = f"{table}.{key}"
            where = f"{path}, line {lines.get(name, 1)}"
            _check_known(name, key, fields, where)
            if table == "build" and key in ("out", "data_dir", "cache_dir") and value:
                value = str(path.parent / str(value)) if isinstance(value, str) else value
            layer[name] = Given(value, f"{where}: {name}")
    return layer


def _read_assignment(assignment: str, registry: Registry) -> Layer:
    """The value that ``--set build.seed=3`` gives."""
    name, equals, text = assignment.partition("=")
    name = name.strip()
    table, dot, key = name.partition(".")
    where = f"--set {assignment}"
    if not equals or not dot or not key:
        raise SettingsError(f"{where}: expected TABLE.NAME=VALUE, such as build.seed=3.")
    fields = _fields_of(table, registry, where)
    _check_known(name, key, fields, where)
    return {name: Given(_parsed(text.strip(), fields[key][1]), where)}


def _lines_of(text: str) -> dict[str, int]:
    """The line on which each table and each dotted key is written; tomllib does not tell."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        written = re.match(r"\s*(\[?)\s*([\w.\-\"' ]+?)\s*(?:\]|=)", line)
        if not written:
            continue
        name = re.sub(r"[\"' ]", "", written[2])
        if written[1]:
            table = name
        else:
            name = f"{table}.{name}" if table else name
        while name:
            lines.setdefault(name, number)
            name = name.rpartition(".")[0]
    return lines


# ----------------------------------------------------------------------------------- checking

Fields = dict[str, tuple["dataclasses.Field[Any]", Any]]
"""The fields of a settings dataclass with their types, by name."""


def fields_of(kind: type[Any]) -> Fields:
    """The fields of a settings dataclass and their resolved types, by name."""
    types = typing.get_type_hints(kind)
    return {spec.name: (spec, types[spec.name]) for spec in dataclasses.fields(kind)}


def default_of(spec: dataclasses.Field[Any], preset: str) -> Any:
    """The default that a preset gives to a field."""
    return spec.metadata["presets"].get(preset, spec.default)


def type_name(kind: Any) -> str:
    """How a setting's type is called in messages and in the manual."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if typing.get_origin(kind) is tuple:
        entry = typing.get_args(kind)[0]
        plural = {int: "whole numbers", float: "numbers", str: "texts"}
        return f"a list of {plural[entry]}"
    return names[kind]


def _fields_of(table: str, registry: Registry, where: str) -> Fields:
    options = {"report": ReportOptions, "build": BuildOptions}
    if table in options:
        return fields_of(options[table])
    if table in registry:
        return fields_of(registry[table].settings)
    hint = did_you_mean(table, [*options, *registry])
    raise SettingsError(f"{where}: there is no table or experiment '{table}'.{hint}")


def _check_known(name: str, key: str, fields: Fields, where: str) -> None:
    if key not in fields:
        raise SettingsError(f"{where}: there is no setting '{name}'.{did_you_mean(key, fields)}")


def _hint_for_key(key: str, registry: Registry) -> str:
    for table, kind in (("report", ReportOptions), ("build", BuildOptions)):
        if key in fields_of(kind):
            return f" It belongs under [{table}]."
    return did_you_mean(key, ["report", "build", *registry])


def _fill(kind: type[Any], table: str, given: Layer, preset: str = "standard") -> Any:
    """A settings dataclass from the preset's defaults and what was given."""
    values = {}
    for name, (spec, wanted) in fields_of(kind).items():
        entry = given.get(f"{table}.{name}")
        if entry is None:
            values[name] = default_of(spec, preset)
        else:
            values[name] = _checked(entry, spec, wanted)
    try:
        return kind(**values)
    except ValueError as error:
        raise SettingsError(f"[{table}]: {error}") from error


def _checked(given: Given, spec: dataclasses.Field[Any], wanted: Any) -> Any:
    """The value as the field's type, if it is one and within the field's limits."""
    value = _converted(given.value, wanted)
    if value is None:
        raise SettingsError(
            f"{given.where}: expected {type_name(wanted)}{_limits(spec)}, got {given.value!r}."
        )
    for entry in value if isinstance(value, tuple) else (value,):
        if not _within(entry, spec):
            choices = spec.metadata["choices"]
            hint = did_you_mean(str(entry), choices) if choices else ""
            raise SettingsError(
                f"{given.where}: expected {type_name(wanted)}{_limits(spec)}, got {entry!r}.{hint}"
            )
    return value


def _converted(value: Any, wanted: Any) -> Any:
    """The value as the wanted type, or None if it is not one. Nothing is guessed or rounded."""
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return None
        entries = [_converted(entry, typing.get_args(wanted)[0]) for entry in value]
        return None if None in entries else tuple(entries)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool):
        return value
    return None


def _parsed(text: str, wanted: Any) -> Any:
    """The value that a text on the command line means; the text itself if it means none."""
    if typing.get_origin(wanted) is tuple:
        entry = typing.get_args(wanted)[0]
        inner = text.removeprefix("[").removesuffix("]")
        return [_parsed(part.strip(), entry) for part in inner.split(",") if part.strip()]
    if wanted is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if wanted in (int, float):
        try:
            return wanted(text)
        except ValueError:
            return text
    return text


def _within(value: Any, spec: dataclasses.Field[Any]) -> bool:
    limits = spec.metadata
    if limits["choices"] and value not in limits["choices"]:
        return False
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return (
        math.isfinite(value)
        and (limits["minimum"] is None or value >= limits["minimum"])
        and (limits["maximum"] is None or value <= limits["maximum"])
        and (limits["above"] is None or value > limits["above"])
        and (limits["below"] is None or value < limits["below"])
    )


def _limits(spec: dataclasses.Field[Any]) -> str:
    """The field's limits in words, with a space before them: `` of at least 1``."""
    limits = spec.metadata
    if limits["choices"]:
        return f" out of {', '.join(limits['choices'])}"
    words = {"minimum": "at least", "above": "above", "maximum": "at most", "below": "below"}
    parts = [f"{word} {limits[name]:g}" for name, word in words.items() if limits[name] is not None]
    return " " + " and ".join(parts) if parts else ""
