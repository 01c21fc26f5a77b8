"""Whether a configuration can be trained here: all that a training would stumble over before its first step."""

from sentio_trainer import ledger
from sentio_trainer.bars import iso_time, read_through
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import check_cached
from sentio_trainer.device import pick_device, pick_dtype
from sentio_trainer.errors import DataError
from sentio_trainer.exports import check_packages
from sentio_trainer.paths import shown_path
from sentio_trainer.samples import load_spec
from sentio_trainer.thresholds import Venue
from sentio_trainer.tracking import check_tracking


def check_config(loaded: LoadedConfig) -> list[str]:
    """A line for each thing that is in order; what takes long, reading the bars, is looked at last.

    Raises:
        ConfigError: the device, the package of a tracker or of an export, or the cost model is not there.
        ArtifactError: the ledger is damaged.
        DataError: the feature spec or the bars are wrong, or too few for one sample.
    """
    config = loaded.config
    device = pick_device(config.training.device)
    dtype = pick_dtype(config.training.precision, device)
    check_tracking(config.tracking)
    check_packages(config.export.formats, where="export.formats")
    Venue.of(loaded).check()
    spec = load_spec(loaded)
    folder = loaded.path(config.export.out_dir)
    ledger.read(ledger.ledger_path(folder))
    lines = [
        f"device: {device}, {'float32' if dtype is None else str(dtype).removeprefix('torch.')}",
        f"costs: {config.evaluation.costs}",
        f"features: {spec.width} of {config.features.spec}",
        *(f"warning: {text}" for text in spec.warnings),
        f"artifact: {config.export.out_dir}{', which exists: train with --overwrite' if folder.exists() else ''}",
    ]
    # The first sample ends its window after the warm-up, and its label the horizon later.
    needed = max(spec.emit_from, spec.warmup) + config.model.window + config.label.horizon
    files = {symbol: loaded.path(path) for symbol, path in config.data.sources.items()}
    on_bad_bar = config.data.on_bad_bar
    for symbol, path in files.items():
        found = read_through(path, on_bad_bar=on_bad_bar)
        if found.count < needed:
            raise DataError(f"{shown_path(path)}: {found.count} bars, and the first sample needs {needed}")
        times = f"from {iso_time(found.first_ns)} to {iso_time(found.last_ns)}"
        lines.append(f"{symbol}: {found.count:,} bars {times}, {config.data.sources[symbol]}")
    cache_dir = loaded.path(config.data.cache_dir)
    check_cached(files, spec, on_bad_bar=on_bad_bar, cache_dir=cache_dir, say=lines.append)
    return lines
