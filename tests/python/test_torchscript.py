"""TorchScript archives: what others saved runs unchanged, and what does not belong into one is refused by name."""

import ast
import pickletools
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_support import refusal_of
from market_bars import PROJECT
from sentio_inference import Artifact, ArtifactError
from torch import Tensor, nn
from torchscript_support import SPEC, save, scripted, write_artifact

WIDTH = SPEC.width
ROWS = np.random.default_rng(3).normal(size=(5, WIDTH)).astype(np.float32)


class Gate(nn.Module):
    """A part with a buffer, and a branch on what it is given."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.linspace(0.5, 1.5, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * self.scale
        if bool(scaled.abs().max() > 100.0):
            return scaled.clamp(-100.0, 100.0)
        return scaled


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(3)])
        self.head = nn.Linear(WIDTH, 1)
        self.rounds = [2, 1]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(self.gate(x))) + x
        for count in self.rounds:
            for _ in range(count):
                x = x * 0.5
        return self.head(x)  # type: ignore[no-any-return]


class Traceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.ReLU())
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)) + torch.tensor([[0.25]])  # type: ignore[no-any-return]


def traced(module: nn.Module) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace: torch.jit.ScriptModule = torch.jit.trace(module.eval(), torch.zeros(3, WIDTH))
    return trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    return write_artifact(tmp_path / "v1", Foreign())


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.split("/", 1)[1] for name in archive.namelist()]


def rewrite(path: Path, *, change: dict[str, bytes] | None = None, more: tuple[tuple[str, bytes], ...] = ()) -> None:
    """Writes an archive anew with some members changed, and with more behind them, by their whole names."""
    with zipfile.ZipFile(path) as archive:
        content = [(name, archive.read(name)) for name in archive.namelist()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names that are written twice are meant
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, data in [*content, *more]:
                archive.writestr(name, (change or {}).get(name.partition("/")[2], data))


def on_device(pickle: bytes, device: str) -> bytes:
    """The pickle of a module, saved on another device than the CPU."""
    places = [at for code, value, at in pickletools.genops(pickle) if code.name == "BINUNICODE" and value == "cpu"]
    assert len(places) == 1, "the pickle names its device once and refers back to it"
    (at,) = places
    name = device.encode()
    return pickle[:at] + b"X" + len(name).to_bytes(4, "little") + name + pickle[at + len(b"X....cpu") :]


@pytest.mark.parametrize("kind", ["scripted", "traced"])
def test_a_module_that_others_saved_runs_unchanged(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    module = scripted(Foreign()) if kind == "scripted" else traced(Traceable())
    folder = write_artifact(tmp_path / "v1", module)
    names = members(folder / "model.pt")
    assert any(name.endswith(".debug_pkl") for name in names)
    assert ("traced_inputs.pkl" in names) == (kind == "traced")
    artifact = Artifact.load(folder)
    for scale in (1.0, 1000.0):  # both branches
        x = ROWS * np.float32(scale)
        with torch.inference_mode():
            expected = module(torch.from_numpy(x))[:, 0].numpy()
        # Both are LibTorch; its optimiser, which ours runs without, may move the last bits.
        np.testing.assert_allclose(artifact.logits(x), expected, rtol=1e-6, atol=1e-6)


def test_files_that_a_caller_of_torch_adds_are_no_fault(folder: Path) -> None:
    save(Foreign(), folder / "model.pt", **{"notes/readme.txt": "trained elsewhere"})
    assert "extra/notes/readme.txt" in members(folder / "model.pt")
    assert Artifact.load(folder).backend == "torch"


@pytest.mark.parametrize(
    ("member", "named"),
    [
        ("model/payload.pkl", "payload.pkl"),
        ("model/DATA.PKL", "DATA.PKL"),
        ("model/data/0.pkl", "data/0.pkl"),
        ("model/data/", "data/"),
        ("model/code/run.sh", "code/run.sh"),
        ("model/code/../../run.py", "code/../../run.py"),
        ("model/extra/../../run", "extra/../../run"),
        ("model/\x1b[2J", "?[2J"),
    ],
)
def test_a_member_that_is_no_part_of_torchscript_is_refused_by_name(folder: Path, member: str, named: str) -> None:
    rewrite(folder / "model.pt", more=((member, b"anything"),))
    expected = (
        f"{folder}/model.pt: is not a TorchScript archive that can be loaded: it holds '{named}', "
        "which is no part of one"
    )
    with pytest.raises(ArtifactError) as error:
        Artifact.load(folder)
    assert str(error.value) == expected


def test_a_member_that_is_there_twice_is_refused_by_name(folder: Path) -> None:
    rewrite(folder / "model.pt", more=(("model/data.pkl", b"another"),))
    with pytest.raises(ArtifactError, match=r"model\.pt: is not .*: it holds 'data\.pkl' twice$"):
        Artifact.load(folder)
    code, message = refusal_of("inspect", folder, cwd=folder)
    assert (code, message.endswith("it holds 'data.pkl' twice")) == (4, True)


def test_a_member_beside_the_archives_folder_is_refused_by_name(folder: Path) -> None:
    rewrite(folder / "model.pt", more=(("elsewhere.py", b"print()"),))
    with pytest.raises(ArtifactError, match=r"model\.pt: is not .*: file in archive is not in .* elsewhere\.py$"):
        Artifact.load(folder)


def test_weights_without_code_are_refused(folder: Path) -> None:
    torch.save(Foreign().state_dict(), folder / "model.pt")
    with pytest.raises(ArtifactError, match=r"model\.pt: is not a TorchScript archive .*: it holds '\."):
        Artifact.load(folder)


@pytest.mark.parametrize("device", ["cuda:0", "cuda:7", "mps", "xpu:0"])
def test_a_model_that_was_saved_on_another_device_runs_on_the_cpu(folder: Path, device: str) -> None:
    expected = Artifact.load(folder).logits(ROWS)
    with zipfile.ZipFile(folder / "model.pt") as archive:
        pickle = archive.read("model/data.pkl")
    rewrite(folder / "model.pt", change={"data.pkl": on_device(pickle, device)})
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError):  # it does not load where it says
            torch.jit.load(str(folder / "model.pt"))
    np.testing.assert_array_equal(Artifact.load(folder).logits(ROWS), expected)


def test_a_model_whose_code_asks_for_another_device_is_refused_with_what_to_do(folder: Path) -> None:
    class Elsewhere(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] + torch.zeros(1, device="cuda")

    save(Elsewhere(), folder / "model.pt")
    with pytest.raises(ArtifactError) as error:
        Artifact.load(folder)
    assert str(error.value).endswith(
        "; its code asks for CUDA: run it with device cuda, or save one that takes the device of its input"
    )
    assert "\n" not in str(error.value)


def test_a_model_that_fails_says_why_in_one_line(folder: Path) -> None:
    save(nn.Linear(4, 1), folder / "model.pt")
    with pytest.raises(ArtifactError) as error:
        Artifact.load(folder)
    assert "mat1 and mat2 shapes cannot be multiplied" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_whose_logits_cannot_be_read_says_why_in_one_line(folder: Path) -> None:
    class Sparse(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1].to_sparse()

    save(Sparse(), folder / "model.pt")
    with pytest.raises(ArtifactError) as error:
        Artifact.load(folder)
    assert "model.pt: fails on an input of shape [2, " in str(error.value)
    assert "\n" not in str(error.value)


def unpickling(source: str) -> list[str]:
    """Calls and imports of Python code that could run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in {"pickle", "cPickle", "dill", "joblib", "shelve"}]
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            safe = [k for k in node.keywords if k.arg == "weights_only" and ast.unparse(k.value) == "True"]
            found += [] if safe else [ast.unparse(node)]
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append(ast.unparse(node))
    return found


def test_nothing_in_python_unpickles_what_a_file_holds() -> None:
    for path in (PROJECT / "python").rglob("*.py"):
        assert unpickling(path.read_text()) == [], path
    unsafe = "import pickle\ntorch.load(f)\ntorch.load(f, weights_only=False)\nnp.load(f, allow_pickle=True)\n"
    assert len(unpickling(unsafe + "torch.load(f, weights_only=True)")) == 4
