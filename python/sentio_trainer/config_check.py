"""Whether a configuration can be trained here: all that a training would stumble over before its first step."""

from sentio_trainer.bars import iso_time, load_bars
from sentio_trainer.config import LoadedConfig
from sentio_trainer.device import pick_device, pick_dtype
from sentio_trainer.errors import DataError
from sentio_trainer.paths import shown_path
from sentio_trainer.samples import load_spec
from sentio_trainer.thresholds import Venue
from sentio_trainer.tracking import check_tracking


def check_config(loaded: LoadedConfig) -> list[str]:
    """A line for each thing that is in order; what takes long, reading the bars, is looked at last.

    Raises:
        ConfigError: the device, a tracker's package or the cost model is not there.
        DataError: the feature spec or the bars are wrong, or too few for one sample.
    """
    config = loaded.config
    device = pick_device(config.training.device)
    dtype = pick_dtype(config.training.precision, device)
    check_tracking(config.tracking)
    Venue.of(loaded).check()
    spec = load_spec(loaded)
    folder = loaded.path(config.export.out_dir)
    lines = [
        f"device: {device}, {'float32' if dtype is None else str(dtype).removeprefix('torch.')}",
        f"costs: {config.evaluation.costs}",
        f"features: {spec.width} of {config.features.spec}",
        *(f"warning: {text}" for text in spec.warnings),
        f"artifact: {config.export.out_dir}{', which exists: train with --overwrite' if folder.exists() else ''}",
    ]
    # The first sample ends its window after the warm-up, and its label the horizon later.
    needed = max(spec.emit_from, spec.warmup) + config.model.window + config.label.horizon
    for symbol, path in config.data.sources.items():
        bars = load_bars(loaded.path(path), on_bad_bar=config.data.on_bad_bar).bars
        if len(bars) < needed:
            raise DataError(f"{shown_path(loaded.path(path))}: {len(bars)} bars, and the first sample needs {needed}")
        times = f"from {iso_time(bars.ts[0])} to {iso_time(bars.ts[-1])}"
        lines.append(f"{symbol}: {len(bars):,} bars of {bars.interval_s:g} s {times}, {path}")
    return lines
