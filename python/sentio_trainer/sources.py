"""Which bytes a file holds, without reading them again while nobody has touched the file."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sentio_trainer.errors import DataError
from sentio_trainer.files import sha256_file, write_atomic
from sentio_trainer.paths import shown_path

# A file may change again within one tick of its file system's clock, which then tells no difference.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class FileState:
    """What a file system says of a file; any write changes the times, and none can set `ctime_ns` back."""

    size: int
    inode: int
    mtime_ns: int
    ctime_ns: int

    @staticmethod
    def of(path: Path) -> "FileState":
        stat = path.stat()
        return FileState(size=stat.st_size, inode=stat.st_ino, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as it was looked at."""

    path: Path
    state: FileState
    hash: str  # sha256: of its bytes

    def require_unchanged(self) -> None:
        """Raises:
        DataError: the file was written to since.
        """
        if FileState.of(self.path) != self.state:
            raise DataError(f"{shown_path(self.path)}: changed while it was read; start again when it is complete")


def look_at(path: Path, *, memory: Path) -> Source:
    """The file's content hash: out of the folder `memory` if the file is as it was then, else by reading it."""
    state = FileState.of(path)
    known = _remembered(_place(path, memory), state)
    if known is not None:
        return Source(path=path, state=state, hash=known)
    source = Source(path=path, state=state, hash=sha256_file(path))
    source.require_unchanged()
    remember(source, memory=memory)
    return source


def remember(source: Source, *, memory: Path) -> None:
    """Notes the hash of a file that was unchanged until now, unless the file is too young to be trusted to stay."""
    if time.time_ns() - max(source.state.mtime_ns, source.state.ctime_ns) > _SETTLED_NS:
        note = {"state": asdict(source.state), "hash": source.hash}
        write_atomic(_place(source.path, memory), (json.dumps(note) + "\n").encode())


def _place(path: Path, memory: Path) -> Path:
    return memory / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.json"


def _remembered(place: Path, state: FileState) -> str | None:
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        return str(document["hash"]) if document["state"] == asdict(state) else None
    except (OSError, ValueError, KeyError, TypeError):  # a note that is absent or cut off is as good as none
        return None
