"""What a decision rule earned in each session, after costs: small enough to keep of every trial of a sweep."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentio_inference
from sentio_features import session_days

from sentio_trainer.bars import Float64, Int64
from sentio_trainer.errors import SentioError
from sentio_trainer.files import write_atomic
from sentio_trainer.paths import shown_path
from sentio_trainer.thresholds import Forecasts, Venue

_ROW = np.dtype([("session", "<i8"), ("return", "<f8")])


@dataclass(frozen=True, kw_only=True)
class SessionReturns:
    """Simple returns after costs, from the last close of one session to that of the next."""

    session: Int64  # local dates as days since 1970, ascending, shape [T]
    value: Float64  # shape [T]


def session_returns(forecasts: Sequence[Forecasts], decision: dict[str, object], venue: Venue) -> SessionReturns:
    """Trades each stretch by itself, from a flat position; several symbols as equal shares, a mean a session.

    A symbol without bars in a session earned nothing in it.
    """
    days, values = [], []
    for each in forecasts:
        report = sentio_inference.simulate(each.bars, each.probability, decision, venue.costs, session=venue.calendar)
        day = session_days(each.bars.ts, venue.calendar)
        last = np.flatnonzero(np.append(np.diff(day) != 0, True))
        equity = np.concatenate([[report["metrics"]["start_equity"]], report["series"]["equity"][last]])
        # Nothing is earned any more once all is lost.
        before = np.where(equity[:-1] > 0.0, equity[:-1], 1.0)
        values.append(np.where(equity[:-1] > 0.0, equity[1:] / before - 1.0, 0.0))
        days.append(day[last].astype(np.int64))
    session, place = np.unique(np.concatenate(days), return_inverse=True)
    symbols = len({each.symbol for each in forecasts})
    return SessionReturns(
        session=session, value=np.bincount(place, weights=np.concatenate(values), minlength=len(session)) / symbols
    )


def write_session_returns(path: Path, returns: SessionReturns) -> None:
    """An array of pairs, whole or absent."""
    rows = np.empty(len(returns.session), dtype=_ROW)
    rows["session"], rows["return"] = returns.session, returns.value
    content = io.BytesIO()
    np.save(content, rows, allow_pickle=False)
    write_atomic(path, content.getvalue())


def read_session_returns(path: Path) -> SessionReturns:
    """What `write_session_returns` wrote.

    Raises:
        SentioError: it is something else.
    """
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise SentioError(f"{shown_path(path)}: is not an array of session returns: {error}") from error
    if rows.dtype != _ROW or rows.ndim != 1:
        raise SentioError(f"{shown_path(path)}: must hold pairs of session and return, found {rows.dtype}")
    return SessionReturns(session=rows["session"].copy(), value=rows["return"].copy())
