"""What a model says of rows of a matrix, in evaluation mode, a chunk at a time."""

import numpy as np
import torch
from torch import nn

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.batches import gather
from sentio_trainer.cache import Float32
from sentio_trainer.data_set import DataSet

# Rows of features gathered at a time: 14 MB of 55 columns.
_CHUNK_ROWS = 65_536


def outputs(model: nn.Module, x: Float32, last_rows: Int64, *, window: int, device: torch.device) -> Float64:
    """The model's output for each window of `window` rows that ends with one of `last_rows`, shape [m]."""
    model.eval()
    result = np.empty(len(last_rows))
    chunk = max(1, _CHUNK_ROWS // window)
    with torch.inference_mode():
        for begin in range(0, len(last_rows), chunk):
            inputs = torch.from_numpy(gather(x, last_rows[begin : begin + chunk], window=window))
            result[begin : begin + chunk] = model(inputs.to(device))[:, 0].float().cpu().numpy()
    return result


def bar_outputs(model: nn.Module, data: DataSet, rows: slice, *, window: int, device: torch.device) -> Float64:
    """The model's output at each bar of a range within one symbol, shape [rows]; NaN before the first whole window.

    As when trading, every bar after the warm-up has a forecast, whatever holes its window spans.
    """
    first = max(rows.start, data.series_of(rows).rows.start + first_forecast(data, window=window))
    result = np.full(rows.stop - rows.start, np.nan)
    if first < rows.stop:
        result[first - rows.start :] = outputs(model, data.x, np.arange(first, rows.stop), window=window, device=device)
    return result


def first_forecast(data: DataSet, *, window: int) -> int:
    """Bars of a symbol before its first forecast: rows that hold padding teach nothing and say nothing."""
    return max(data.spec.emit_from, data.spec.warmup) + window - 1
