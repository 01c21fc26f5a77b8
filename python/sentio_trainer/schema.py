"""The training configuration: every key with its type, its range, its default and what it does."""

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sentio_trainer.paths import portable_path


def _check_path(text: str, info: ValidationInfo) -> str:
    root = (info.context or {}).get("root")
    if root is None:
        raise TypeError("paths are validated against a project root: pass context={'root': ...}")
    return portable_path(text, root=root)


# A path kept relative to the project root, so that the document means the same on another machine.
ProjectPath = Annotated[str, Field(min_length=1), AfterValidator(_check_path)]


# What an artifact can be written as for other runtimes: the names of sentio_trainer.formats.
ExportFormat = Literal["onnx", "pt2"]

# A name that fits into a file name and a table.
Symbol = Annotated[str, Field(min_length=1, max_length=64)]


def _check_costs(text: str, info: ValidationInfo) -> str:
    return _check_path(text, info) if text.endswith(".json") else text


# The name of a cost model, or the path of a JSON file.
Costs = Annotated[str, Field(min_length=1), AfterValidator(_check_costs)]


class Section(BaseModel):
    """A group of keys. Types are strict: `true` is not a number and `"8"` is not 8."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SplitConfig(Section):
    """Shares of the bars, in time order."""

    train: float = Field(default=0.7, gt=0, lt=1, description="share of the bars that the model learns from")
    validation: float = Field(
        default=0.15, gt=0, lt=1, description="share for early stopping and the decision thresholds"
    )
    test: float = Field(default=0.15, gt=0, lt=1, description="share looked at once, at the end")
    embargo: int = Field(
        default=60, ge=0, description="bars left out after each border, beyond the purged label windows"
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> "SplitConfig":
        total = self.train + self.validation + self.test
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise ValueError(f"train + validation + test must be 1, found {total:g}")
        return self


class DataConfig(Section):
    symbol: str | None = Field(default=None, min_length=1, description="what is traded; written into the artifact")
    bars_csv: ProjectPath | None = Field(default=None, description="its bars: CSV, CSV.gz or Parquet")
    files: dict[Symbol, ProjectPath] = Field(
        default={}, description="several symbols, in place of symbol and bars_csv: each with its bars"
    )
    on_bad_bar: Literal["refuse", "skip"] = Field(
        default="refuse", description="what a bar that is not valid does to the run"
    )
    calendar: Literal["us_equity", "utc_day"] = Field(default="us_equity", description="which session a bar belongs to")
    hours: Literal["all", "regular"] = Field(
        default="all", description="rows to learn from; features always see all bars"
    )
    max_gap: int = Field(default=5, ge=1, description="longest hole, in bars, that a label or a window may span")
    cache_dir: ProjectPath = Field(default="artifacts/.cache", description="feature matrices, kept by content")
    split: SplitConfig = SplitConfig()

    @property
    def sources(self) -> dict[str, str]:
        """Each symbol and the file of its bars."""
        if self.files:
            return dict(self.files)
        assert self.symbol is not None  # validated below
        assert self.bars_csv is not None
        return {self.symbol: self.bars_csv}

    @model_validator(mode="after")
    def _one_symbol_or_several(self) -> "DataConfig":
        single = {"symbol": self.symbol, "bars_csv": self.bars_csv}
        given = [name for name, value in single.items() if value is not None]
        owner: dict[str, str] = {}
        for symbol, path in self.files.items():
            if path in owner:
                raise ValueError(f"files: {owner[path]} and {symbol} are one file, {path}")
            owner[path] = symbol
        if self.files and given:
            raise ValueError(f"give either files or symbol and bars_csv, found files and {' and '.join(given)}")
        if not self.files and len(given) < len(single):
            missing = next(name for name in single if name not in given)
            raise PydanticCustomError(
                "missing_source",
                "data.{name} (or {name}): is missing; several symbols are given as data.files",
                {"name": missing},
            )
        return self


class FeaturesConfig(Section):
    spec: ProjectPath = Field(description="feature spec, JSON")


class LabelConfig(Section):
    kind: Literal["logret_fwd", "close_diff", "direction", "open_to_open", "triple_barrier"] = Field(
        default="logret_fwd", description="what the model forecasts"
    )
    horizon: int = Field(default=1, ge=1, description="bars that the label looks ahead")
    objective: Literal["direction", "regression"] = Field(
        default="direction",
        description="cross-entropy on the sign, weighted by the move; or Huber on the scaled return",
    )
    dead_band: float = Field(default=0.0, ge=0, description="kind direction: log returns this small count as no move")
    barrier: float = Field(
        default=1.0, gt=0, description="kind triple_barrier: distance in volatilities over the horizon"
    )
    volatility_window: int = Field(default=60, ge=2, description="bars of the trailing volatility that scales returns")

    @model_validator(mode="after")
    def _regression_needs_a_return(self) -> "LabelConfig":
        if self.objective == "regression" and self.kind in ("direction", "triple_barrier"):
            raise ValueError(
                f"objective regression needs a return (logret_fwd, close_diff or open_to_open), found kind {self.kind}"
            )
        return self


class ModelConfig(Section):
    kind: Literal["mlp", "transformer"] = Field(default="mlp", description="reads one row, or a sequence of rows")
    hidden: int = Field(default=128, ge=1, description="width of each hidden layer")
    layers: int = Field(default=2, ge=1, le=32, description="hidden layers; transformer: blocks")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of hidden units silenced in training")
    activation: Literal["gelu", "relu", "silu", "tanh"] = Field(
        default="gelu", description="between hidden layers; transformer: in a block's inner layer"
    )
    clip: float = Field(default=8.0, gt=0, description="inputs are clipped at this many standard deviations")
    sequence_length: int = Field(
        default=32, ge=2, le=4096, description="transformer: rows of a window, the last one's among them"
    )
    heads: int = Field(default=4, ge=1, description="transformer: attention heads; they divide the width")
    feedforward: int = Field(default=4, ge=1, le=64, description="transformer: widths of a block's inner layer")
    causal: bool = Field(default=False, description="transformer: whether a row attends to earlier rows alone")

    @property
    def window(self) -> int:
        """Rows that one forecast reads."""
        return self.sequence_length if self.kind == "transformer" else 1

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "ModelConfig":
        if self.kind == "transformer" and self.hidden % self.heads:
            raise ValueError(f"heads must divide hidden, found {self.heads} and {self.hidden}")
        return self


class TrainingConfig(Section):
    trainer: str = Field(default="tfa", description="which trainer of sentio_trainer.trainers runs")
    batch_size: int = Field(default=8192, ge=1, description="rows of one batch, at most; in each process")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    epochs: int = Field(default=10, ge=1, description="passes over the training rows, at most")
    max_steps: int | None = Field(default=None, ge=1, description="steps after which training stops; none: no limit")
    lr: float = Field(default=1e-3, gt=0, description="AdamW's highest learning rate")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps over which the learning rate rises")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decoupled weight decay")
    max_grad_norm: float | None = Field(
        default=1.0, gt=0, description="gradients are scaled down to this norm; none: not clipped"
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="objective direction: moves targets to 1/2")
    weighting: Literal["move", "class", "none"] = Field(
        default="move", description="objective direction: samples weigh as their move, their direction's rarity, or 1"
    )
    ema: float = Field(
        default=0.0, ge=0, lt=1, description="decay a step of an average of the weights that is used; 0: none"
    )
    monitor: Literal["loss", "auc", "ic", "rank_ic"] = Field(
        default="loss", description="validation metric that picks an epoch"
    )
    patience: int = Field(default=5, ge=1, description="epochs without a better one before training stops")
    seed: int = Field(default=7, ge=0, lt=2**63, description="of weights, dropout and block order")
    device: str = Field(
        default="auto", description="auto (cuda, mps or cpu, the first that is there) or a torch device"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", description="of the network's arithmetic; auto: bf16 or fp16 on cuda and mps, fp32 on cpu"
    )
    compile: Literal["auto", "on", "off"] = Field(default="auto", description="torch.compile; auto: on cuda alone")
    num_workers: int = Field(
        default=2, ge=0, le=256, description="threads that read batches ahead; 0 reads in between steps"
    )
    prefetch_factor: int = Field(default=4, ge=1, le=1024, description="batches that each of these threads keeps ready")
    checkpoint_steps: int | None = Field(
        default=None, ge=1, description="steps between checkpoints; none: one after each epoch"
    )
    keep_last: int = Field(default=2, ge=1, description="checkpoints that are kept, the best one's aside")


class DecisionConfig(Section):
    """The threshold rule that C++ trades by, and whether its two thresholds are chosen on validation bars."""

    tune: bool = Field(default=True, description="choose long_above and short_below on validation bars, after costs")
    long_above: float = Field(default=0.53, ge=0, le=1, description="probability from which to be long")
    short_below: float = Field(default=0.47, ge=0, le=1, description="probability up to which to be short")
    exit_long_below: float = Field(default=0.5, ge=0, le=1, description="probability at which a long is left")
    exit_short_above: float = Field(default=0.5, ge=0, le=1, description="probability at which a short is left")
    allow_short: bool = Field(default=True, description="whether short positions are taken")
    min_hold: int = Field(default=0, ge=0, description="bars that a position is kept at least")
    cooldown: int = Field(default=0, ge=0, description="bars to stay flat after a position is left")

    @model_validator(mode="after")
    def _thresholds_are_ordered(self) -> "DecisionConfig":
        low, high = self.short_below, self.long_above
        if not (low < high and low <= self.exit_long_below <= high and low <= self.exit_short_above <= high):
            raise ValueError(
                f"must be ordered short_below <= exits <= long_above, short_below < long_above; found {low:g}, "
                f"{self.exit_long_below:g} and {self.exit_short_above:g}, {high:g}"
            )
        return self


class CrossValidationConfig(Section):
    """What `sentio validate` does: many splits, a training for each."""

    scheme: Literal["walk_forward", "purged_k_fold", "combinatorial_purged"] = Field(
        default="walk_forward", description="how samples are split again and again"
    )
    window: Literal["anchored", "rolling"] = Field(
        default="anchored", description="walk_forward: learn from all known samples, or from the latest alone"
    )
    train: float = Field(default=0.5, gt=0, lt=1, description="walk_forward: share of the samples learned from first")
    folds: int = Field(default=6, ge=2, description="folds; walk_forward: blocks that the rest is tested in")
    test_folds: int = Field(default=2, ge=1, description="combinatorial_purged: folds tested at a time")
    embargo: int = Field(default=60, ge=0, description="bars left out between what is learned and what is tested")

    @model_validator(mode="after")
    def _some_folds_are_not_tested(self) -> "CrossValidationConfig":
        if self.scheme == "combinatorial_purged" and self.test_folds >= self.folds:
            raise ValueError(f"test_folds must be less than folds, found {self.test_folds} and {self.folds}")
        return self


class EvaluationConfig(Section):
    costs: Costs = Field(default="us_equity", description="cost model, by name or as a JSON file")
    standard_errors: float = Field(
        default=2.0, gt=0, description="distance from zero that an IC needs to count as an edge"
    )
    cross_validation: CrossValidationConfig = CrossValidationConfig()


class TrackingConfig(Section):
    progress: bool = Field(default=True, description="a progress bar, where standard error is a terminal")
    runs_dir: ProjectPath = Field(default="runs", description="where each training keeps its log and checkpoints")
    log_steps: int = Field(default=10, ge=1, description="steps between two lines of metrics.jsonl")
    plot: bool = Field(default=True, description="training.png in the run folder, where matplotlib is installed")
    tensorboard: bool = Field(default=False, description="write TensorBoard events [extra track]")
    wandb: Literal["off", "offline", "online"] = Field(default="off", description="Weights & Biases [extra track]")
    mlflow: str | None = Field(default=None, min_length=1, description="MLflow tracking URI or folder [extra track]")
    project: str = Field(default="sentio", min_length=1, description="name of the project in Weights & Biases, MLflow")


class ExportConfig(Section):
    out_dir: ProjectPath = Field(description="artifact folder; its last two parts are model id and version")
    probe_rows: int = Field(
        default=8,
        ge=1,
        le=1024,
        description="inputs stored with their logits, for C++ to replay; fewer if they were over a million numbers",
    )
    formats: list[ExportFormat] = Field(
        default=[], description="of onnx and pt2, those written beside the model for other runtimes [extra export]"
    )

    @field_validator("out_dir")
    @classmethod
    def _has_model_and_version(cls, out_dir: str) -> str:
        parts = PurePosixPath(out_dir).parts[-2:]
        if len(parts) < 2 or any(part.startswith(".") for part in parts):
            raise ValueError(f"must end in <model id>/<version>, found '{out_dir}'")
        return out_dir

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: list[ExportFormat]) -> list[ExportFormat]:
        for name in formats:
            if formats.count(name) > 1:
                raise ValueError(f"must name each format once, found '{name}' {formats.count(name)} times")
        return formats


class Config(Section):
    """The whole document."""

    data: DataConfig
    features: FeaturesConfig
    label: LabelConfig = LabelConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    decision: DecisionConfig = DecisionConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: TrackingConfig = TrackingConfig()
    export: ExportConfig


# Keys of the first published configs, which had no sections.
FLAT_KEYS = {
    "symbol": "data.symbol",
    "bars_csv": "data.bars_csv",
    "feature_spec": "features.spec",
    "out_dir": "export.out_dir",
    "batch_size": "training.batch_size",
    "epochs": "training.epochs",
    "lr": "training.lr",
    "num_workers": "training.num_workers",
    "prefetch_factor": "training.prefetch_factor",
    "hidden": "model.hidden",
    "label_horizon": "label.horizon",
    "label_kind": "label.kind",
}


def _walk(section: type[Section], prefix: str) -> Iterator[tuple[str, bool]]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield key, True
            yield from _walk(inner, f"{key}.")
        else:
            yield key, False


# Every section and every key, dotted, in document order.
SECTIONS = tuple(key for key, is_section in _walk(Config, "") if is_section)
KEYS = tuple(key for key, is_section in _walk(Config, "") if not is_section)
