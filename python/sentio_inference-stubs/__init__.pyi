"""Trained models and backtests: the C++ code that trades, called from Python.

Shapes: n bars or windows, F features, T rows a window (`Artifact.sequence_length`).
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sentio_features import Bars, InputError
from typing_extensions import Unpack

class ArtifactError(InputError):
    """An artifact folder is incomplete, inconsistent, altered, or too new: one line that names the file."""

class Artifact:
    """A trained model with all that it needs, loaded from its folder and verified."""

    @staticmethod
    def load(
        folder: str | PathLike[str],
        *,
        backend: Literal["auto", "native", "torch"] = "auto",
        device: str = "cpu",
        threads: int = 1,
    ) -> Artifact:
        """Loads `artifacts/<MODEL_ID>/<version>/` and checks everything in it.

        Args:
            folder: the artifact's.
            backend: what runs the model; `auto` is native where the artifact has its graph, `model.json`, else torch.
            device: where LibTorch runs it: `cpu`, `cuda`, `cuda:1`.
            threads: of a forward pass; torch's own number stays as it is.

        Raises:
            ArtifactError: what is wrong, in which file.
            ValueError: another argument is wrong, or the device is not there.
        """

    @property
    def folder(self) -> Path: ...
    @property
    def backend(self) -> Literal["native", "torch"]:
        """What runs the model."""

    @property
    def device(self) -> str:
        """What the model runs on."""

    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def decision(self) -> dict[str, Any]:
        """The rule that turns a probability into an exposure, its defaults filled in."""

    @property
    def spec_hash(self) -> str: ...
    @property
    def feature_names(self) -> list[str]: ...
    @property
    def spec_json(self) -> str:
        """The feature spec, for `FeatureSpec.from_json`."""

    @property
    def sequence_length(self) -> int: ...
    @property
    def warmup(self) -> int:
        """The first bar that can have a logit."""

    @property
    def warnings(self) -> list[str]:
        """What could not be verified, one line each."""

    def logits(self, x: ArrayLike) -> NDArray[np.float32]:
        """Raw logits, shape [n].

        Args:
            x: features, shape [n, F], or [n, T, F] where T is above 1.

        Raises:
            ValueError: `x` has another shape.
            ArtifactError: the model fails.
        """

class SimulationSettings(TypedDict, total=False):
    """How to trade. Bars before `begin` only warm the strategy up; `end` is one past the last measured bar."""

    symbol: str
    capital: float
    max_exposure: float
    fractional: bool
    flat_at_close: bool
    session: str
    begin: int
    end: int | None

class Settings(SimulationSettings, total=False):
    """The same, with the cost model: a shipped name or a file."""

    costs: str | PathLike[str]

def simulate(
    bars: Bars,
    probability: ArrayLike,
    decision: Mapping[str, Any],
    costs: str | PathLike[str] = "us_equity",
    **settings: Unpack[SimulationSettings],
) -> dict[str, Any]:
    """Trades given probabilities of a rise by a decision rule; returns as `backtest`.

    Args:
        bars: n bars.
        probability: shape [n], known at each bar's close, acted on at the next open; NaN where not known.
        decision: `{"rule": "threshold", ...}` as in an artifact.

    Raises:
        InputError: the decision rule or the cost file is wrong.
        ValueError: another argument is wrong.
    """

def backtest(
    bars: Bars,
    strategy: str,
    *,
    artifact: Artifact | None = None,
    params: Mapping[str, float | bool] = ...,
    bar_by_bar: bool = False,
    **settings: Unpack[Settings],
) -> dict[str, Any]:
    """Runs a rule strategy, or `tfa` with an artifact, over bars.

    Args:
        bars: n bars, m of them measured.
        strategy: a name of `sentio_cli list strategies`.
        artifact: the model of `tfa`.
        params: of a rule; what is left out has its default.
        bar_by_bar: feeds the bars one by one, as live trading does, and not in blocks.
        **settings: see Settings.

    Returns:
        The report of `sentio_cli backtest --json`, with `series` (columns of shape [m]) and `fills` (columns, one value
        a fill).

    Raises:
        InputError: the cost file is wrong.
        ValueError: another argument is wrong.
    """
