"""Loads a training configuration: command line over environment over file over defaults, each value with its origin."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sentio_trainer.errors import ConfigError
from sentio_trainer.paths import project_root, shown_path
from sentio_trainer.schema import FLAT_KEYS, KEYS, SECTIONS, Config
from sentio_trainer.yaml_reader import parse_scalar, read_entries

DEFAULT_ORIGIN = "default"
_ENVIRONMENT_PREFIX = "SENTIO_"
# Two keys that together say what data.files says of several symbols.
_ONE_SYMBOL = ("data.symbol", "data.bars_csv")


@dataclass(frozen=True, kw_only=True)
class Given:
    """A value that somebody gave, under the name that they used."""

    key: str  # dotted: 'training.batch_size'
    value: object
    origin: str  # 'configs/tfa.yaml:5:1'
    place: str  # how a message about the value begins: 'configs/tfa.yaml:5:1: batch_size'


@dataclass(frozen=True, kw_only=True)
class LoadedConfig:
    """A valid configuration, the root of its paths, and where each value came from."""

    config: Config
    source: str  # the file, as messages name it
    root: Path
    origins: Mapping[str, str]

    def path(self, relative: str) -> Path:
        """A path of the configuration, from here."""
        return self.root / relative

    def to_yaml(self, *, with_origins: bool = False) -> str:
        """The resolved document: every key, paths relative to the project root. Loading it gives the same config."""
        text = yaml.safe_dump(self.config.model_dump(), sort_keys=False, allow_unicode=True, width=10_000)
        if not with_origins:
            return text
        # Each key, with the lines that its name and its value take: an origin stands at the end of the first.
        lines = text.splitlines()
        width = max(map(len, lines)) + 2
        marks = iter(_key_lines(self.config.model_dump(), prefix=""))
        shown = []
        for line in lines:
            key = next(marks)
            shown.append(f"{line:<{width}}# {self.origins[key]}\n" if key in self.origins else f"{line}\n")
        return "".join(shown)


def _key_lines(section: Mapping[str, Any], *, prefix: str) -> Iterator[str]:
    """The dotted key of each line of a dumped document; an empty text for the further lines of a value."""
    for name, value in section.items():
        key = f"{prefix}{name}"
        yield key
        if key in SECTIONS:
            yield from _key_lines(value, prefix=f"{key}.")
        elif isinstance(value, (dict, list)):
            yield from ("" for _ in value)


def given_on_command_line(text: str) -> Given:
    """`training.lr=3e-4`, as it follows `--set`."""
    written, equals, value = text.partition("=")
    if not equals or not written:
        raise ConfigError(f"--set {text}: must be KEY=VALUE, such as --set training.lr=3e-4")
    flag = f"--set {written.strip()}"
    return given_by_flag(_known_key(written.strip(), place=flag), parse_scalar(value), flag=flag)


def given_by_flag(key: str, value: object, *, flag: str) -> Given:
    """A value for a dotted key, from a flag such as `--lr`."""
    return Given(key=key, value=value, origin=flag, place=flag)


def load_config(path: Path, *, overrides: Sequence[Given] = (), environment: Mapping[str, str]) -> LoadedConfig:
    """Reads, merges and validates.

    Args:
        path: YAML file.
        overrides: from the command line; the last of several for one key wins.
        environment: variables `SENTIO_<SECTION>__<KEY>` are read; others are ignored.

    Raises:
        ConfigError: one line, with the place of the first thing that is wrong.
    """
    root = project_root(path)
    given: dict[str, Given] = {}
    for layer in (_from_file(path).values(), _from_environment(environment), overrides):
        _lay_over(given, {item.key: item for item in layer})

    document: dict[str, Any] = {}
    for item in given.values():
        *sections, name = item.key.split(".")
        section = document
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = item.value
    for section_name in Config.model_fields:
        document.setdefault(section_name, {})

    try:
        config = Config.model_validate(document, context={"root": root})
    except ValidationError as error:
        raise ConfigError(_describe(error, given=given, source=shown_path(path))) from error
    origins = {key: given[key].origin if key in given else DEFAULT_ORIGIN for key in KEYS}
    return LoadedConfig(config=config, source=shown_path(path), root=root, origins=origins)


def _lay_over(given: dict[str, Given], layer: Mapping[str, Given]) -> None:
    """What is given nearer to the command line replaces the same keys, and the other way to name the bars."""
    if "data.files" in layer:
        for key in _ONE_SYMBOL:
            given.pop(key, None)
    elif all(key in layer and layer[key].value is not None for key in _ONE_SYMBOL):
        given.pop("data.files", None)
    given.update(layer)


def _from_file(path: Path) -> dict[str, Given]:
    source = shown_path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{source}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read: {error}") from error
    given: dict[str, Given] = {}
    for entry in read_entries(text, source=source, sections=SECTIONS):
        origin = f"{source}:{entry.line}:{entry.column}"
        place = f"{origin}: {entry.key}"
        key = _known_key(entry.key, place=place)
        if key in given:
            raise ConfigError(f"{place}: given twice, first at {given[key].place}")
        given[key] = Given(key=key, value=entry.value, origin=origin, place=place)
    return given


def _from_environment(environment: Mapping[str, str]) -> list[Given]:
    given = []
    for name, text in environment.items():
        if name.startswith(_ENVIRONMENT_PREFIX) and "__" in name:
            place = f"environment {name}"
            key = _known_key(name.removeprefix(_ENVIRONMENT_PREFIX).lower().replace("__", "."), place=place)
            given.append(Given(key=key, value=parse_scalar(text), origin=place, place=place))
    return given


def _known_key(written: str, *, place: str) -> str:
    key = FLAT_KEYS.get(written, written)
    if key in KEYS:
        return key
    if key in SECTIONS:
        raise ConfigError(f"{place}: is a section; name one of its keys")
    raise ConfigError(f"{place}: unknown key{_did_you_mean(written)}")


def _did_you_mean(written: str) -> str:
    section, _, name = written.rpartition(".")
    known = (*KEYS, *SECTIONS)
    # A name stands for the key that is meant: of the section that it is in, else of any; without a section, a flat one.
    by_name = {key.rpartition(".")[2]: key for key in known}
    if not section:
        by_name.update((flat, flat) for flat in FLAT_KEYS)
    inside = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    for names in (inside, by_name) if section else (by_name,):
        if close := difflib.get_close_matches(name, names, n=1, cutoff=0.7):
            return f"; did you mean '{names[close[0]]}'?"
    return "; 'sentio config show' lists all keys"


def _describe(error: ValidationError, *, given: Mapping[str, Given], source: str) -> str:
    """One line about the first problem, with the place of the value that caused it."""
    # A wrong value comes before a missing one: it is what the user has just written.
    problem = min(error.errors(), key=lambda each: each["type"].startswith("missing"))
    key = ".".join(str(part) for part in problem["loc"])
    what = _problem_text(problem)
    if key in given:
        return f"{given[key].place}: {what}"
    # One entry of a mapping, such as data.files.SPY.
    *sections, name, last = map(str, ("", *problem["loc"]))
    if last == "[key]" and (outer := ".".join(sections[1:])) in given:
        quotes = "" if isinstance(problem["input"], str) else "; put it in quotes"
        return f"{given[outer].place}: a symbol {what}{quotes}"
    if (outer := ".".join([*sections[1:], name])) in given:
        return f"{given[outer].place}.{last}: {what}"
    # A rule over several keys: place it at the last one that was given.
    inside = [item for item in given.values() if item.key.startswith(f"{key}.")]
    place = inside[-1].origin if inside and problem["type"] != "missing" else source
    flat = next((name for name, dotted in FLAT_KEYS.items() if dotted == key), None)
    if what.startswith(f"{key}."):  # a rule that names the key that it is about
        return f"{place}: {what}"
    return f"{place}: {key}{f' (or {flat})' if flat else ''}: {what}"


def _problem_text(problem: Any) -> str:
    limits, kind = problem.get("ctx", {}), problem["type"]
    found = f"found {_shown(problem['input'])}"
    match kind:
        case "missing":
            return "is missing"
        case "greater_than_equal":
            return f"must be at least {limits['ge']:g}, {found}"
        case "greater_than":
            return f"must be greater than {limits['gt']:g}, {found}"
        case "less_than_equal":
            return f"must be at most {limits['le']:g}, {found}"
        case "less_than":
            return f"must be less than {limits['lt']:g}, {found}"
        case "literal_error":
            return f"must be one of {str(limits['expected']).replace(' or ', ', ')}, {found}{_choice_meant(problem)}"
        case "int_type" | "int_from_float":
            return f"must be a whole number, {found}"
        case "float_type" | "finite_number":
            return f"must be a number, {found}"
        case "bool_type":
            return f"must be true or false, {found}"
        case "string_type":
            return f"must be a text, {found}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"must have at most {limits['max_length']} characters, found {len(problem['input'])}"
        case "list_type":
            return f"must be a list, such as [onnx, pt2], {found}"
        case "dict_type":
            return f"must be a mapping, such as {{SPY: bars/spy.csv}}, {found}"
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")


def _choice_meant(problem: Any) -> str:
    choices = re.findall(r"'([^']+)'", str(problem["ctx"]["expected"]))
    close = difflib.get_close_matches(str(problem["input"]), choices, n=1, cutoff=0.7)
    return f"; did you mean '{close[0]}'?" if close else ""


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'"
        case dict() | list():
            return f"a {'section' if isinstance(value, dict) else 'list'}"
        case _:
            return str(value)
