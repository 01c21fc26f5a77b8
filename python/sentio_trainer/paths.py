"""Paths of the configuration: relative to the project root, whatever the current folder is."""

import os
import re
from pathlib import Path, PurePath

ROOT_MARK = "{{ROOT}}"
_ANY_MARK = re.compile(r"\{\{.*?\}\}")


def project_root(config_path: Path) -> Path:
    """The nearest folder above the config that holds `pyproject.toml`, else the current folder."""
    for folder in config_path.resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder
    return Path.cwd()


def portable_path(text: str, *, root: Path) -> str:
    """`text` relative to `root`, with forward slashes; `{{ROOT}}` and absolute paths are understood.

    Raises:
        ValueError: `text` holds a mark other than `{{ROOT}}`.
    """
    expanded = text.replace(ROOT_MARK, str(root))
    if mark := _ANY_MARK.search(expanded):
        raise ValueError(f"the only mark in a path is {ROOT_MARK}, found {mark.group()}")
    return PurePath(os.path.relpath(root / expanded, root)).as_posix()


def shown_path(path: Path) -> str:
    """`path` as a person here would write it: relative to the current folder if it lies below."""
    absolute = Path.cwd() / path
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else path)
