"""Reads a YAML document as values with places.

Scalars follow the YAML 1.2 core schema: only `true` and `false` are booleans and `1e-3` is a number. Under YAML 1.1,
PyYAML's default, the tickers ON and NO would be booleans and `1e-3` a text.
"""

import re
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from sentio_trainer.errors import ConfigError


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with resolvers of its own; it refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
    ("int", r"^[-+]?[0-9]+$", [*"-+0123456789"]),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", [*"-+.0123456789"]),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", [*"-+."]),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
# The core schema has no octal "010": leading zeros are decimal.
_CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of the document."""

    key: str  # dotted
    value: object
    line: int
    column: int


def parse_scalar(text: str) -> object:
    """The value of one YAML scalar, as written after `--set key=` or in the environment."""
    try:
        return yaml.load(text, Loader=_CoreLoader)
    except yaml.YAMLError:
        return text


def read_entries(text: str, *, source: str, sections: Container[str]) -> list[Entry]:
    """All keys of the document; those in `sections` are opened, all others are values.

    Raises:
        ConfigError: the text is not YAML, not a mapping, or gives a key twice.
    """
    loader = _CoreLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{_place(source, node)}: a config is a list of 'key: value' lines, found {_kind(node)}")
        return list(_open(loader, node, prefix="", source=source, sections=sections))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise ConfigError(f"{place}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


def _open(
    loader: _CoreLoader, node: yaml.MappingNode, *, prefix: str, source: str, sections: Container[str]
) -> Iterator[Entry]:
    seen: dict[str, yaml.Node] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{_place(source, key_node)}: a key must be a word, found {_kind(key_node)}")
        key = f"{prefix}{key_node.value}"
        if key in seen:
            raise ConfigError(f"{_place(source, key_node)}: {key}: given twice, first in line {_line(seen[key])}")
        seen[key] = key_node
        if key in sections:
            if isinstance(value_node, yaml.MappingNode):
                yield from _open(loader, value_node, prefix=f"{key}.", source=source, sections=sections)
                continue
            if value_node.tag == "tag:yaml.org,2002:null":  # a section without keys
                continue
            raise ConfigError(f"{_place(source, value_node)}: {key}: a section holds keys, found {_kind(value_node)}")
        mark = key_node.start_mark
        value = loader.construct_object(value_node, deep=True)
        yield Entry(key=key, value=value, line=mark.line + 1, column=mark.column + 1)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a single value"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _place(source: str, node: yaml.Node) -> str:
    return f"{source}:{_line(node)}:{node.start_mark.column + 1}"
