"""A list of models as a person writes it: `label:rule`, `label:rule(key=value,key=value)`, `label:folder`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sentio_inference

from sentio_trainer.artifact import METADATA
from sentio_trainer.errors import ArtifactError, ConfigError
from sentio_trainer.paths import shown_path

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_RULE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(\((?P<params>.*)\))?")
_FORMS = "LABEL:RULE, LABEL:RULE(KEY=VALUE,KEY=VALUE) or LABEL:ARTIFACT_FOLDER, such as v1:artifacts/TFA/v1"


Param = float | bool | str


@dataclass(frozen=True, kw_only=True)
class RuleModel:
    """A rule strategy; params that are not given have their defaults."""

    label: str
    rule: str
    params: Mapping[str, Param]


@dataclass(frozen=True, kw_only=True)
class ArtifactModel:
    """A trained model."""

    label: str
    folder: Path


ListedModel = RuleModel | ArtifactModel


def parse_models(texts: Sequence[str]) -> list[ListedModel]:
    """The models of a command line, in their order, each known to exist.

    A text behind the colon is a folder if it has a slash or such a folder is there, else a rule.

    Raises:
        ConfigError: a text has another form, a label is unfit or given twice, or a rule or param is not known.
        ArtifactError: a folder is not an artifact.
    """
    models: list[ListedModel] = []
    for text in texts:
        model = _parse(text)
        if model.label in [other.label for other in models]:
            raise ConfigError(f"--models {text}: label '{model.label}' is given twice; each model needs its own")
        models.append(model)
    return models


def _parse(text: str) -> ListedModel:
    label, colon, what = text.partition(":")
    if not colon or not what:
        raise ConfigError(f"--models {text}: must be {_FORMS}")
    if not LABEL.fullmatch(label):
        raise ConfigError(
            f"--models {text}: a label is made of 1 to 32 letters, digits, '.', '_', '-', found '{label}'"
        )
    folder = Path(what)
    if "/" in what or folder.is_dir():
        if not (folder / METADATA).is_file():
            raise ArtifactError(f"--models {text}: {shown_path(folder)} is not an artifact: it has no {METADATA}")
        return ArtifactModel(label=label, folder=folder)
    return _rule(text, label, what)


def _rule(text: str, label: str, what: str) -> RuleModel:
    found = _RULE.fullmatch(what)
    if found is None:
        raise ConfigError(f"--models {text}: must be {_FORMS}")
    if found["name"] == "tfa":
        raise ConfigError(f"--models {text}: a trained model is named by its folder, such as {label}:artifacts/TFA/v1")
    params = _params(text, found["params"] or "")
    try:
        sentio_inference.rule_stream(found["name"], params)
    except ValueError as error:
        raise ConfigError(f"--models {text}: {error}; sentio_cli list strategies has all rules") from error
    return RuleModel(label=label, rule=found["name"], params=params)


def _params(text: str, inside: str) -> dict[str, Param]:
    params: dict[str, Param] = {}
    for item in filter(None, (part.strip() for part in inside.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not key:
            raise ConfigError(f"--models {text}: params are written (key=value,key=value), found '{item}'")
        if key in params:
            raise ConfigError(f"--models {text}: param {key} is given twice")
        params[key] = _value(value)
    return params


def _value(text: str) -> Param:
    """A flag, a number, else a word; the rule says which of them it takes."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
