"""What a model says of the last bar of a symbol, how sure that is, and which features made it say so."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError
from sentio_features import Bars, FeatureBuilder, FeatureSpec, InputError
from sentio_inference import Artifact, backtest
from sentio_inference import ArtifactError as LoadError

from sentio_trainer.artifact import METADATA
from sentio_trainer.attribution import integrated_gradients, permutation
from sentio_trainer.bars import Float64, Int64, iso_time
from sentio_trainer.cache import Float32
from sentio_trainer.errors import ArtifactError, ConfigError, DataError, SentioError
from sentio_trainer.files import sha256_file
from sentio_trainer.labels import make_labels
from sentio_trainer.named_bars import NamedBars
from sentio_trainer.network import MODEL, WEIGHTS, parse_network
from sentio_trainer.network_module import NetworkModule
from sentio_trainer.paths import shown_path
from sentio_trainer.schema import LabelConfig
from sentio_trainer.similar_outcomes import CONFIDENCE, similar_outcomes
from sentio_trainer.suggest import hint

SCHEMA_VERSION = "1.0"
Method = Literal["integrated_gradients", "permutation"]
METHODS: tuple[Method, ...] = ("integrated_gradients", "permutation")

# Other bars that each feature is taken from.
_DRAWS = 256
# Between the network that explains and the one that trades: float32 leaves 1e-6 or so.
_LOGITS_APART = 1e-3
_DEPLOYMENT = "deployment.json"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model, and the bars up to the one that is looked at."""

    artifact: Artifact
    named: NamedBars
    bars: Bars

    @property
    def data(self) -> Mapping[str, Any]:
        """What the artifact says of the bars that it was made with."""
        data: Mapping[str, Any] = self.artifact.metadata.get("data", {})
        return data

    @property
    def time_ns(self) -> int:
        """Open time of the bar."""
        return int(self.bars.ts[-1])

    @property
    def session(self) -> str:
        return self.data.get("session") or "us_equity"


def parse_method(text: str) -> Method:
    """Raises:
    ConfigError: there is no such method.
    """
    for method in METHODS:
        if text == method:
            return method
    raise ConfigError(f"--method: unknown method '{text}'; {hint(text, METHODS)}")


def deployed_artifact(production: Path, model: str) -> Path:
    """`<production>/<model>`.

    Raises:
        ArtifactError: no such model is deployed.
    """
    folder = production / model
    if (folder / METADATA).is_file():
        return folder
    known = sorted(path.parent.name for path in production.glob(f"*/{METADATA}"))
    there = hint(model, known) if known else "none is; sentio deploy does it, and --artifact DIR names any other"
    raise ArtifactError(f"{shown_path(folder)}: no deployed model '{model}'; {there}")


def analyse_symbol(
    folder: Path,
    named: NamedBars,
    *,
    at: str | None = None,
    method: Method = "integrated_gradients",
    top: int = 10,
    seed: int = 0,
    max_age_h: float | None = None,
) -> dict[str, Any]:
    """The analysis of one bar as a JSON document. Probability and decision are those of the stream that trades.

    Args:
        folder: of the artifact.
        named: the symbol's bars; those after the bar that is looked at are not used.
        at: the bar is the last that opened at this time or before, ISO 8601, UTC unless it says; the last one if None.
        method: how contributions of features are found.
        top: features told of, those that moved the logit most.
        seed: draws the other bars of `permutation`.
        max_age_h: hours of age of the bar, by the clock, above which there is a warning; None: no look at the clock.

    Raises:
        ArtifactError: the artifact is wrong.
        ConfigError: an argument is wrong.
        DataError: the features are not ready at the bar.
        SentioError: the model cannot be explained.
    """
    if top < 1:
        raise ConfigError(f"--top: must be at least 1, found {top}")
    if seed < 0:
        raise ConfigError(f"--seed: must be at least 0, found {seed}")
    if max_age_h is not None and not 0.0 <= max_age_h < math.inf:
        raise ConfigError(f"--max-age: must be hours, at least 0, found {max_age_h:g}")
    try:
        artifact = Artifact.load(folder)
    except LoadError as error:
        raise ArtifactError(str(error)) from error
    subject = Subject(artifact=artifact, named=named, bars=_until(named, at))
    require_ready(subject)
    try:
        decided = _decision(subject)
        features, explained = _features(subject, decided["logit"], method=method, seed=seed)
    except InputError as error:
        raise ArtifactError(str(error)) from error
    interval, interval_note = _interval(subject, decided["probability"], decided.pop("past"))
    features.sort(key=lambda each: -abs(each["contribution"]))
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": {"sentio": version("sentio")},
        "symbol": named.symbol,
        "model": _model_document(folder, artifact),
        "bars": {
            "file": shown_path(named.path),
            "sha256": named.sha256,
            "used": len(subject.bars),
            "interval_s": subject.bars.interval_s,
            "synthetic": named.bars.synthetic,
        },
        "bar": {
            "time": iso_time(subject.time_ns),
            "close": float(subject.bars.close[-1]),
            "sample": sample_of(subject),
        },
        **decided,
        "interval": interval,
        "interval_note": interval_note,
        "method": explained,
        "features": features[:top],
        "features_left_out": max(0, len(features) - top),
        "warnings": _warnings(subject, decided["missing_bars"], max_age_h),
    }


def _until(named: NamedBars, at: str | None) -> Bars:
    if at is None:
        return named.bars
    try:
        moment = datetime.fromisoformat(at.replace("Z", "+00:00"))
    except ValueError as error:
        raise ConfigError(f"--at: must be a time such as 2024-08-30T19:59:00Z, found '{at}'") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    # Whole microseconds: a float of seconds would lose the last digits.
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    time_ns = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    count = int(np.searchsorted(named.bars.ts, time_ns, side="right"))
    if count == 0:
        raise DataError(
            f"--at {at}: {shown_path(named.path)} has no bar as early; the first is of {iso_time(named.bars.ts[0])}"
        )
    return named.bars[:count]


def require_ready(subject: Subject) -> None:
    """Raises:
    DataError: the model has no logit at the bar yet.
    """
    needed = subject.artifact.warmup + 1
    if len(subject.bars) < needed:
        raise DataError(
            f"{shown_path(subject.named.path)}: the features are not ready at {iso_time(subject.time_ns)}: the model "
            f"needs {needed:,} bars, found {len(subject.bars):,}"
        )


def _decision(subject: Subject) -> dict[str, Any]:
    """What the model wants after the bar, and wanted before it; `past`: probabilities of all bars, shape [n]."""
    stream = subject.artifact.stream(session=subject.session)
    stream.warm(subject.bars[:-1])
    last = subject.bars[-1:]
    decision = stream.push(
        int(last.ts[0]), *(float(last[name][0]) for name in ("open", "high", "low", "close", "volume"))
    )
    if decision.probability is None or decision.logit is None:
        raise DataError(f"{subject.named.symbol}: the model has no probability at {iso_time(subject.time_ns)}")
    series = backtest(subject.bars, "tfa", artifact=subject.artifact, session=subject.session)["series"]
    earlier = series["exposure"][:-1]
    before = float(earlier[-1]) if len(earlier) else 0.0
    changes = np.flatnonzero(earlier != before)
    return {
        "recommendation": {
            "side": side_of(decision.exposure),
            "exposure": decision.exposure,
            "reason": decision.reason,
            "filled_at": "the open of the next bar",
            "before": {
                "side": side_of(before),
                "exposure": before,
                "bars": len(earlier) - (int(changes[-1]) + 1 if len(changes) else 0),
            },
        },
        "decision_rule": subject.artifact.decision,
        "probability": decision.probability,
        "logit": decision.logit,
        "missing_bars": decision.missing_bars,
        "past": series["probability"],
    }


def side_of(exposure: float) -> str:
    """long, short or flat."""
    return "long" if exposure > 0.0 else "short" if exposure < 0.0 else "flat"


def _features(
    subject: Subject, logit: float, *, method: Method, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Each feature, and how its contribution was found."""
    artifact = subject.artifact
    x = FeatureBuilder(FeatureSpec.from_json(artifact.spec_json)).build(subject.bars)
    rows = artifact.sequence_length
    # Windows that hold no padding end with these rows; the last is the bar's own.
    ends = np.arange(artifact.warmup, len(x))
    window, history = x[-rows:], x[artifact.warmup - rows + 1 :]
    if method == "integrated_gradients":
        contributions, explained = _by_gradients(subject, window, history, logit)
        errors = None
    else:
        contributions, errors, explained = _by_permutation(subject, x, ends, seed=seed)
    last = window[-1]
    percentiles = [percentile(history[:, j], last[j]) for j in range(x.shape[1])]
    return [
        {
            "name": name,
            "value": float(last[j]),
            "percentile": percentiles[j],
            "contribution": float(contributions[j]),
            "standard_error": None if errors is None else float(errors[j]),
        }
        for j, name in enumerate(artifact.feature_names)
    ], explained


def percentile(history: Float32, value: float) -> float:
    """The share of `history` below a value, equal ones counting one half; in [0, 1]."""
    below, equal = np.count_nonzero(history < value), np.count_nonzero(history == value)
    return float((below + 0.5 * equal) / len(history))


def _by_gradients(subject: Subject, window: Float32, history: Float32, logit: float) -> tuple[Float64, dict[str, Any]]:
    folder = subject.artifact.folder
    if not (folder / MODEL).is_file():
        raise ConfigError(
            f"{shown_path(folder)}: has no {MODEL}, which gradients are taken of; use --method permutation"
        )
    module = NetworkModule(parse_network((folder / MODEL).read_bytes(), (folder / WEIGHTS).read_bytes())).double()
    mean = subject.artifact.metadata.get("normalization", {}).get("mean")
    baseline = np.median(history, axis=0).astype(np.float64) if mean is None else np.array(mean, dtype=np.float64)
    found = integrated_gradients(module, window, baseline)
    apart = abs(found.logit - logit)
    if apart > _LOGITS_APART:
        raise SentioError(
            f"{shown_path(folder)}: the network of {MODEL} gives a logit of {found.logit:+.6f} and the model that "
            f"trades {logit:+.6f}; one cannot explain the other"
        )
    return found.contributions, {
        "name": "integrated_gradients",
        "source": "Sundararajan, Taly & Yan 2017",
        "baseline": "median of this symbol's earlier bars" if mean is None else "mean of the training bars",
        "baseline_logit": found.baseline_logit,
        "steps": found.steps,
        "error": found.error,
        "logits_apart": apart,
    }


def _by_permutation(subject: Subject, x: Float32, ends: Int64, *, seed: int) -> tuple[Float64, Float64, dict[str, Any]]:
    artifact, rows = subject.artifact, subject.artifact.sequence_length
    earlier = ends[:-1]
    if len(earlier) < 2:
        raise DataError(f"{subject.named.symbol}: fewer than 2 earlier bars with features, to take others' values from")
    drawn = np.random.default_rng(seed).choice(earlier, size=min(_DRAWS, len(earlier)), replace=False)
    history = np.stack([x[end - rows + 1 : end + 1] for end in drawn])

    def logits(windows: Float32) -> Float64:
        return artifact.logits(windows[:, 0] if rows == 1 else windows).astype(np.float64)

    found = permutation(logits, x[-rows:], history)
    return (
        found.contributions,
        found.standard_errors,
        {"name": "permutation", "source": "Breiman 2001, at one bar", "draws": found.draws, "seed": seed},
    )


def _interval(subject: Subject, probability: float, past: Float64) -> tuple[dict[str, Any] | None, str]:
    """What followed similar probabilities on unseen earlier bars; else None, and why."""
    seen_until = _seen_until_ns(subject)
    if seen_until is None:
        return None, "none: the model does not say what it was trained on"
    if "label" not in subject.artifact.metadata:
        return None, "none: the model does not say what it forecasts"
    try:
        label = LabelConfig.model_validate(subject.artifact.metadata["label"])
    except ValidationError as error:
        raise ArtifactError(f"{shown_path(subject.artifact.folder / METADATA)}: label: {error}") from error
    bars = subject.bars
    # Nights and holes count as they do in trading: no outcome is left out for them.
    widest = 1 + int((bars.ts[-1] - bars.ts[0]) / (bars.interval_s * 1e9))
    outcome = make_labels(bars, label, max_gap=widest).value
    usable = (bars.ts > seen_until) & np.isfinite(past) & np.isfinite(outcome) & (outcome != 0.0)
    found = similar_outcomes(probability, past[usable], outcome[usable] > 0.0, horizon=label.horizon)
    count = int(np.count_nonzero(usable))
    if found is None:
        return None, f"none: only {count:,} earlier bars with a known outcome lie after the training and validation"
    document = {**asdict(found), "confidence": CONFIDENCE, "out_of_sample_bars": count, "horizon": label.horizon}
    over = "the next bar" if label.horizon == 1 else f"{label.horizon} bars"
    note = (
        f"share of rises over {over} among the {found.count:,} nearest of {count:,} earlier "
        f"out-of-sample probabilities ({found.nearest.low:.4f} to {found.nearest.high:.4f}), Wilson {CONFIDENCE:.0%}"
    )
    if label.horizon > 1:
        note += f", counted as {found.independent:,.0f} since outcomes overlap"
    return document, note


def _spans(subject: Subject) -> dict[str, tuple[int, int] | None]:
    def span(name: str) -> tuple[int, int] | None:
        ends = subject.data.get(name)
        return None if ends is None else (_time_ns(ends[0]), _time_ns(ends[1]))

    return {name: span(name) for name in ("train", "validation")}


def _time_ns(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _seen_until_ns(subject: Subject) -> int | None:
    spans = _spans(subject).values()
    known = [span[1] for span in spans if span is not None]
    return max(known) if len(known) == len(spans) else None


def sample_of(subject: Subject) -> str:
    """What the bar was to the model, in the words of a backtest."""
    spans = _spans(subject)
    for name, word in (("train", "in-sample"), ("validation", "validation")):
        span = spans[name]
        if span is not None and span[0] <= subject.time_ns <= span[1]:
            return word
    return "unknown" if None in spans.values() else "out-of-sample"


def _warnings(subject: Subject, missing_bars: int, max_age_h: float | None) -> list[str]:
    data, named = subject.data, subject.named
    warnings = list(subject.artifact.warnings)
    sample = sample_of(subject)
    if sample in ("in-sample", "validation"):
        warnings.append(f"IN-SAMPLE: the model was {'trained' if sample == 'in-sample' else 'tuned'} on this very bar")
    elif sample == "unknown":
        warnings.append("the model does not say what it was trained on; this bar may be among it")
    if named.bars.synthetic is not None:
        warnings.append("SYNTHETIC bars: this says nothing about a real market")
    if data.get("synthetic"):
        warnings.append("the model was trained on SYNTHETIC bars")
    if (symbols := data.get("symbols")) and named.symbol not in symbols:
        warnings.append(f"the model was trained on {', '.join(symbols)}, not on {named.symbol}")
    if (interval_s := data.get("bar_interval_s")) and interval_s != subject.bars.interval_s:
        warnings.append(
            f"the model was trained on bars of {interval_s:g} s, and these are of {subject.bars.interval_s:g} s"
        )
    if missing_bars:
        warnings.append(f"{missing_bars:,} bars are missing right before this one")
    if max_age_h is not None:
        age_h = (datetime.now(timezone.utc).timestamp() - subject.time_ns / 1e9) / 3600.0
        if age_h > max_age_h:
            warnings.append(f"STALE: the bar is {age_h:,.1f} h old, more than --max-age {max_age_h:g}")
    return warnings


def _model_document(folder: Path, artifact: Artifact) -> dict[str, Any]:
    metadata, data = artifact.metadata, artifact.metadata.get("data", {})
    return {
        "folder": shown_path(folder),
        "model_id": metadata.get("model_id"),
        "version": metadata.get("version"),
        # Of the folder that was loaded: a link may lead elsewhere by now.
        "metadata_hash": sha256_file(artifact.folder / METADATA),
        "backend": artifact.backend,
        "trained_on": {key: data.get(key) for key in ("symbols", "bar_interval_s", "train", "validation")},
        "deployment": _deployment(artifact.folder.parent / _DEPLOYMENT),
    }


def _deployment(path: Path) -> Any:
    """What is said of the deployment; None beside a model that is not deployed."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ArtifactError(f"{shown_path(path)}: is not valid JSON: {error}") from error
