"""`sentio report`: reads the folder of a run and writes its page, picture and text."""

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from sentio_trainer.errors import ConfigError
from sentio_trainer.files import write_atomic
from sentio_trainer.pages.content import content_of
from sentio_trainer.pages.figures import counted
from sentio_trainer.pages.folder import ReportFolder, read_folder, read_summary, report_folders
from sentio_trainer.pages.markdown import markdown_text
from sentio_trainer.pages.page import html_page
from sentio_trainer.pages.picture import picture_png
from sentio_trainer.pages.several import index_page
from sentio_trainer.paths import shown_path

PAGE, PICTURE, TEXT = "report.html", "report.png", "report.md"  # C++'s report_folder.cpp knows them too


def write_report(
    folder: Path,
    *,
    html: Path | None = None,
    png: Path | None = None,
    markdown: Path | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Writes the files that are named, or all three into `folder` if none is; returns them.

    A folder of several symbols gets the three in each symbol's folder, and report.html beside them that leads there.

    Raises:
        DataError: the folder is not a whole report.
        ConfigError: a file exists and `overwrite` is false, a package of the extra `report` is missing, or one file is
            named for several symbols.
    """
    folders = report_folders(folder)
    named = [path for path in (html, png, markdown) if path is not None]
    if folders != [folder]:
        return _write_several(folder, folders, named, title=title, overwrite=overwrite)
    if not named:
        html, png, markdown = folder / PAGE, folder / PICTURE, folder / TEXT
    _require_free([path for path in (html, png, markdown) if path is not None], overwrite=overwrite)
    _write_one(read_folder(folder), html, png, markdown, title=title)
    return [path for path in (html, png, markdown) if path is not None]


def _write_one(
    run: ReportFolder, html: Path | None, png: Path | None, markdown: Path | None, *, title: str | None
) -> None:
    content = content_of(run, title=title)
    # All are made before the first is written: a package that is missing leaves nothing behind.
    makers: list[tuple[Path | None, Callable[[], bytes]]] = [
        (html, lambda: html_page(content).encode()),
        (png, lambda: picture_png(run, content)),
        (markdown, lambda: markdown_text(content, picture=_seen_from(png, markdown)).encode()),
    ]
    made = [(path, make()) for path, make in makers if path is not None]
    for path, data in made:
        write_atomic(path, data)


def _write_several(
    folder: Path, folders: list[Path], named: list[Path], *, title: str | None, overwrite: bool
) -> list[Path]:
    if named:
        raise ConfigError(f"{shown_path(folder)}: has a folder for each symbol, so --html, --png and --markdown cannot "
                          "name one file for all")  # fmt: skip
    files = [each / name for each in folders for name in (PAGE, PICTURE, TEXT)]
    _require_free([*files, folder / PAGE], overwrite=overwrite)
    runs = [read_folder(each) for each in folders]
    for run in runs:
        own_title = f"{title}: {run.symbol}" if title else None
        _write_one(run, run.folder / PAGE, run.folder / PICTURE, run.folder / TEXT, title=own_title)
    several = counted(len(runs), "symbol")
    index = index_page(runs, read_summary(folder), title=title or several, path=folder / PAGE)
    write_atomic(folder / PAGE, index.encode())
    return [folder / PAGE, *files]


def _require_free(paths: list[Path], *, overwrite: bool) -> None:
    for path in paths:
        if path.is_dir():
            raise ConfigError(f"{shown_path(path)}: is a folder, a file is wanted")
        if path.exists() and not overwrite:
            raise ConfigError(f"{shown_path(path)}: exists; --overwrite replaces it")


def _seen_from(png: Path | None, markdown: Path | None) -> str | None:
    """The picture's path as the text must link to it."""
    if png is None or markdown is None:
        return None
    return PurePath(os.path.relpath(png, markdown.parent)).as_posix()
