"""The house stands as docs and plans draw it: who may include and import whom."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

from market_bars import PROJECT

# Each room of cpp/ and the rooms that it may include, itself aside.
ROOMS: dict[str, set[str]] = {
    "bars": set(),
    "features": {"bars"},
    "backtest": {"bars"},
    "strategies": {"bars", "features", "backtest"},
    "inference": {"bars", "features", "backtest"},
    "libtorch": {"inference"},
    "cli": {"bars", "features", "backtest", "strategies", "inference"},
    "bindings": {"bars", "features", "backtest", "strategies", "inference"},
}
TORCH = ("torch/", "ATen/", "c10/", "caffe2/")


def wrong_includes(root: Path) -> list[str]:
    wrong = []
    for path in sorted([*root.rglob("*.cpp"), *root.rglob("*.hpp")]):
        room = path.relative_to(root).parts[0]
        for included in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE):
            first = included.split("/")[0]
            other_room = "/" in included and first in ROOMS and first != room and first not in ROOMS[room]
            if other_room or (included.startswith(TORCH) and room != "libtorch") or included.startswith("."):
                wrong.append(f"{path.relative_to(root)} includes {included}")
    return wrong


def types_defined_twice(root: Path) -> list[str]:
    """Types that several headers define under one name.

    All rooms share a namespace. The linker keeps one copy of a type's functions, so one room would run the other's.
    """
    definition = re.compile(r"^(?:class|struct|enum class) (\w+)[^;{]*\{", re.MULTILINE)
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.hpp")):
        for name in definition.findall(path.read_text()):
            found.setdefault(name, []).append(str(path.relative_to(root)))
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(found.items()) if len(paths) > 1]


def level(module: str) -> int:
    """Arrows go to a lower level: the parts, then a trainer, then the list of trainers, then the command line."""
    names = module.split(".")[1:]
    if names[:1] == ["trainers"]:
        return 1 if len(names) > 1 else 2
    return {"cli": 3, "__main__": 4}.get(names[0] if names else "", 0)


def imports(package: Path) -> dict[str, set[str]]:
    """Each module of a package and the modules of the package that it imports."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module} imports by a relative name"
                within = {f"{node.module}.{alias.name}" for alias in node.names} & set(modules)
                names |= within or {str(node.module)}
        found[module] = names & set(modules)
    return found


def wrong_imports(package: Path) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, names in imports(package).items()
        for name in sorted(names)
        if level(name) > level(module) or (level(module) == level(name) > 0)
    ]


def test_every_room_is_known() -> None:
    assert {path.name for path in (PROJECT / "cpp").iterdir() if path.is_dir()} <= set(ROOMS)


def test_no_room_includes_what_it_may_not_and_only_libtorch_knows_torch() -> None:
    assert wrong_includes(PROJECT / "cpp") == []


def test_no_two_headers_define_a_type_of_one_name() -> None:
    assert types_defined_twice(PROJECT / "cpp") == []


def test_no_module_imports_one_above_it() -> None:
    assert wrong_imports(PROJECT / "python" / "sentio_trainer") == []


def test_no_module_imports_itself_by_a_detour() -> None:
    assert list(TopologicalSorter(imports(PROJECT / "python" / "sentio_trainer")).static_order())


def test_wrong_arrows_are_found(tmp_path: Path) -> None:
    for name, text in {
        "cpp/bars/a.hpp": '#include "features/op.hpp"\n#include <torch/script.h>\n#include "bars/bar.hpp"\n',
        "cpp/backtest/b.cpp": '#include <vector>\n#  include "features/spec.hpp"\n#include "../bars/bar.hpp"\n',
        "cpp/features/a.hpp": "class Graph {\n};\nstruct Node;\n",
        "cpp/inference/a.hpp": "struct Graph final : Base {\n};\nstruct Node {\n};\n",
        "cpp/libtorch/c.cpp": '#include <ATen/Parallel.h>\n#include "backtest/report.hpp"\n',
        "python/pack/loop.py": "def f():\n    from pack.trainers import tfa\n",
        "python/pack/trainers/__init__.py": "from pack.cli import main\n",
        "python/pack/trainers/tfa.py": "import pack.trainers.other\nimport pack.loop\n",
        "python/pack/trainers/other.py": "",
        "python/pack/cli.py": "from pack import loop, trainers\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert wrong_includes(tmp_path / "cpp") == [
        "backtest/b.cpp includes features/spec.hpp",
        "backtest/b.cpp includes ../bars/bar.hpp",
        "bars/a.hpp includes features/op.hpp",
        "bars/a.hpp includes torch/script.h",
        "libtorch/c.cpp includes backtest/report.hpp",
    ]
    assert types_defined_twice(tmp_path / "cpp") == ["Graph: features/a.hpp, inference/a.hpp"]
    assert wrong_imports(tmp_path / "python" / "pack") == [
        "pack.loop imports pack.trainers.tfa",
        "pack.trainers imports pack.cli",
        "pack.trainers.tfa imports pack.trainers.other",
    ]
