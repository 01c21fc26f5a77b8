"""A fitted model, judged: thresholds chosen on validation bars, scores and returns on test bars beside baselines."""

import numpy as np
import torch

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.baselines import LogisticRegression, fit_logistic, last_return, last_sign, up_share
from sentio_trainer.config import LoadedConfig
from sentio_trainer.data_set import DataSet
from sentio_trainer.evaluation import LOGISTIC, Evaluation, evaluate
from sentio_trainer.forecast import bar_outputs, outputs
from sentio_trainer.learning import Learned
from sentio_trainer.rows import RowSet
from sentio_trainer.samples import Samples
from sentio_trainer.scores import Forecast
from sentio_trainer.thresholds import Choice, Forecasts, Venue, choose_thresholds, probability_of


def choose(
    loaded: LoadedConfig, samples: Samples, learned: Learned, validation: RowSet, venue: Venue, device: torch.device
) -> Choice:
    """The decision rule: thresholds by the backtest over the validation bars, after costs."""
    return choose_thresholds(forecasts_over(samples, learned, validation, device), loaded.config.decision, venue)


def assess(
    loaded: LoadedConfig,
    samples: Samples,
    learned: Learned,
    choice: Choice,
    *,
    train: RowSet,
    test: RowSet,
    venue: Venue,
    looks: int,
    device: torch.device,
) -> Evaluation:
    """The model beside its baselines on the test rows, which this training has not looked at before.

    `looks` counts the models that were scored on these bars, this one included.
    """
    data = samples.data
    rows = in_time_order(data, test.indices())
    logit = outputs(learned.model, data.x, rows, window=samples.window, device=device)
    traded = venue.trade_each(forecasts_over(samples, learned, test, device), choice.decision)
    return evaluate(
        Forecast(key="model", name="model", score=logit, probability=probability_of(logit)),
        _baselines(loaded, samples, learned, train=train, rows=rows),
        samples.labels.forward_return[rows],
        # Rows of one bar are as much alike as rows of neighbouring bars.
        horizon=loaded.config.label.horizon * len(data.series),
        standard_errors=loaded.config.evaluation.standard_errors,
        looks=looks,
        return_after_costs=traded.total_return,
        buy_and_hold_return=traded.buy_and_hold_return,
        synthetic=data.synthetic,
    )


def forecasts_over(samples: Samples, learned: Learned, rows: RowSet, device: torch.device) -> list[Forecasts]:
    """What the model says at every bar of the ranges, as when trading."""
    return [
        forecasts_of(
            samples.data,
            each,
            bar_outputs(learned.model, samples.data, each, window=samples.window, device=device),
        )
        for each in rows.ranges
    ]


def forecasts_of(data: DataSet, rows: slice, logit: Float64) -> Forecasts:
    """What these logits say of the bars of a range within one symbol, to be traded."""
    return Forecasts(symbol=data.series_of(rows).symbol, bars=data.bars(rows), probability=probability_of(logit))


def linear_rival(loaded: LoadedConfig, samples: Samples, learned: Learned, train: RowSet) -> LogisticRegression:
    """Logistic regression on what the model learned from."""
    return fit_logistic(
        samples.data.x, samples.learned, train, learned.goal, learned.moments, clip=loaded.config.model.clip
    )


def in_time_order(data: DataSet, rows: Int64) -> Int64:
    """Blocks of neighbouring samples are resampled together: those of one time must be neighbours."""
    return rows if len(data.series) == 1 else rows[np.argsort(data.time_ns[rows], kind="stable")]


def _baselines(
    loaded: LoadedConfig, samples: Samples, learned: Learned, *, train: RowSet, rows: Int64
) -> list[Forecast]:
    """What stands beside the model on these rows; learned from training rows alone."""
    data = samples.data
    share = np.full(len(rows), up_share(samples.labels.forward_return, train))
    sign = last_sign(last_return(data.close, rows))
    logit = linear_rival(loaded, samples, learned, train).logits(data.x, rows)
    return [
        Forecast(key="constant", name="constant", score=share, probability=share),
        Forecast(key="last_sign", name="last return's sign", score=sign, probability=None),
        Forecast(key=LOGISTIC, name="logistic regression", score=logit, probability=probability_of(logit)),
    ]
