"""What a sweep varies: keys whose values are drawn, as `--set 'training.lr=loguniform(1e-4,1e-2)'` names them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sentio_trainer.config import Given, LoadedConfig, given_by_flag, given_on_command_line, load_config
from sentio_trainer.errors import ConfigError
from sentio_trainer.suggest import hint
from sentio_trainer.yaml_reader import parse_scalar

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str | None
Kind = Literal["loguniform", "uniform", "int", "intlog", "choice"]

# How each is written.
FORMS: dict[Kind, str] = {
    "loguniform": "loguniform(1e-4, 1e-2)",
    "uniform": "uniform(0, 0.5)",
    "int": "int(1, 4) or int(32, 256, 32)",
    "intlog": "intlog(16, 512)",
    "choice": "choice(mlp, transformer)",
}
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)

# Sections that all trials must share: their bars, and what is done after a training.
_SHARED = ("data", "decision", "evaluation", "tracking", "export")
_SHARED_KEYS = ("training.trainer", "training.monitor")
# Keys that change what the loss measures.
_OF_THE_LOSS = ("label.", "training.weighting")


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One key, and the values that it may take."""

    key: str
    flag: str  # '--set lr', as it was written
    kind: Kind
    low: float = 0.0  # of numbers: both ends are among them
    high: float = 0.0
    step: int = 1  # of int
    choices: tuple[Value, ...] = ()

    def __str__(self) -> str:
        if self.kind == "choice":
            return f"choice({', '.join(map(shown_value, self.choices))})"
        numbers = [self.low, self.high, *([self.step] if self.step != 1 else [])]
        return f"{self.kind}({', '.join(map(str, numbers))})"

    @property
    def extremes(self) -> tuple[Value, ...]:
        """The values that the schema must allow, so that it allows the others."""
        return self.choices if self.kind == "choice" else (self.low, self.high)

    def draw(self, trial: "optuna.Trial") -> Value:
        """Asks for a value, under the name of the key."""
        match self.kind:
            case "loguniform" | "uniform":
                return float(trial.suggest_float(self.key, self.low, self.high, log=self.kind == "loguniform"))
            case "int" | "intlog":
                low, high, log = int(self.low), int(self.high), self.kind == "intlog"
                return int(trial.suggest_int(self.key, low, high, step=self.step, log=log))
            case "choice":
                value: Value = trial.suggest_categorical(self.key, self.choices)
                return value


@dataclass(frozen=True, kw_only=True)
class Space:
    """A configuration with keys left to draw."""

    config: Path
    fixed: tuple[Given, ...]
    dimensions: tuple[Dimension, ...]
    environment: Mapping[str, str]

    def load(self, values: Mapping[str, Value]) -> LoadedConfig:
        """The configuration of a trial.

        Raises:
            ConfigError: the values do not go together.
        """
        flags = {dimension.key: dimension.flag for dimension in self.dimensions}
        drawn = [given_by_flag(key, value, flag=flags[key]) for key, value in values.items()]
        return load_config(self.config, overrides=[*self.fixed, *drawn], environment=self.environment)

    def corner(self) -> dict[str, Value]:
        """The first value of each key."""
        return {dimension.key: dimension.extremes[0] for dimension in self.dimensions}


def open_space(config: Path, settings: Sequence[str], *, environment: Mapping[str, str]) -> Space:
    """Parses `KEY=VALUE` settings, of which at least one is a distribution, and checks the ends of each.

    Raises:
        ConfigError: a setting is wrong, or the schema does not allow an end.
    """
    fixed: list[Given] = []
    dimensions: list[Dimension] = []
    for text in settings:
        given = given_on_command_line(text)
        call = _CALL.fullmatch(text.partition("=")[2])
        if call is None:
            fixed.append(given)
            continue
        if any(given.key == dimension.key for dimension in dimensions):
            raise ConfigError(f"{given.place}: is given two distributions")
        dimensions.append(_dimension(given, name=call.group(1), inner=call.group(2)))
    if not dimensions:
        raise ConfigError(f"a sweep needs a key to vary, such as --set 'training.lr={FORMS['loguniform']}'")
    if both := {given.key for given in fixed} & {dimension.key for dimension in dimensions}:
        raise ConfigError(f"--set {min(both)}: is given both a value and a distribution")
    space = Space(config=config, fixed=tuple(fixed), dimensions=tuple(dimensions), environment=dict(environment))
    _check(space)
    return space


def _check(space: Space) -> None:
    corner = space.corner()
    monitor = space.load(corner).config.training.monitor
    for dimension in space.dimensions:
        key, place = dimension.key, dimension.flag
        if key in _SHARED_KEYS or key.partition(".")[0] in _SHARED:
            raise ConfigError(f"{place}: must be the same for all trials, for they are compared; give it one value")
        if monitor == "loss" and key.startswith(_OF_THE_LOSS):
            raise ConfigError(
                f"{place}: changes what the loss measures, so that trials cannot be compared by it; "
                "choose another metric, such as --set training.monitor=ic"
            )
        for value in dimension.extremes:
            space.load({**corner, key: value})


def _dimension(given: Given, *, name: str, inner: str) -> Dimension:
    if name not in FORMS:
        raise ConfigError(f"{given.place}: unknown distribution '{name}'; {hint(name, FORMS, cutoff=0.7)}")
    kind: Kind = next(known for known in FORMS if known == name)
    parsed = parse_scalar(f"[{inner}]")
    values = parsed if isinstance(parsed, list) else []

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"{given.place}: {what}, such as {FORMS[kind]}; found {name}({inner})")

    if kind == "choice":
        if not all(value is None or isinstance(value, (bool, int, float, str)) for value in values):
            raise wrong("choice takes single values")
        # 1, 1.0 and true are different values of a key.
        if len(values) < 2 or len({(type(value), value) for value in values}) < len(values):
            raise wrong("choice takes two or more different values")
        return Dimension(key=given.key, flag=given.place, kind=kind, choices=tuple(values))
    whole = kind in ("int", "intlog")
    count = len(values)
    if not (count == 2 or (kind == "int" and count == 3)) or not all(_is_number(value, whole) for value in values):
        kinds = "whole numbers" if whole else "numbers"
        raise wrong(f"{kind} takes two {kinds}")
    if not values[0] < values[1]:
        raise wrong(f"the first number of {kind} must be below the second")
    if kind in ("loguniform", "intlog") and values[0] <= 0:
        raise wrong(f"the numbers of {kind} must be above 0")
    step = values[2] if count == 3 else 1
    if count == 3 and (step < 1 or (values[1] - values[0]) % step):
        raise wrong("the third number of int is a step that leads from the first to the second")
    low, high = (values[0], values[1]) if whole else (float(values[0]), float(values[1]))
    return Dimension(key=given.key, flag=given.place, kind=kind, low=low, high=high, step=step)


def _is_number(value: object, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) if whole else math.isfinite(value)


def shown_value(value: object) -> str:
    """A value in a line or a table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else str(value).lower()
