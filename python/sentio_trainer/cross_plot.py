"""A cross-validation as a picture: the IC of each fold, and what each path earned."""

import io

from sentio_trainer.cross_training import CrossValidation

_INCHES = (9.0, 6.5)
_DPI = 120
# Okabe and Ito's colours, which differ for the colour-blind too.
_MODEL, _LOGISTIC, _HELD = "#0072B2", "#D55E00", "#666666"


def plot_png(result: CrossValidation) -> bytes:
    """Two panels over the folds, oldest first. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws without a screen
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    at = range(1, len(result.folds) + 1)

    points = [(each.fold + 1, each.figures.ic) for split in result.splits for each in split.tested]
    known = [(fold, ic) for fold, ic in points if ic is not None]
    upper.scatter([fold for fold, _ in known], [ic for _, ic in known], color=_MODEL, label="a split's model")
    rival = "logistic regression"
    upper.scatter(
        at, [fold.rival_ics[rival] for fold in result.folds], color=_LOGISTIC, marker="x", label=f"{rival}, mean"
    )
    mean = result.fold_ic
    upper.axhline(mean.value, color=_MODEL, linewidth=1.0, label=f"mean {mean.value:+.4f}")
    if mean.interval is not None:
        upper.axhspan(mean.interval.low, mean.interval.high, color=_MODEL, alpha=0.12)
    upper.axhline(0.0, color="black", linewidth=0.8)
    upper.set_ylabel("IC on the tested fold")
    upper.legend(loc="best", fontsize="small")
    upper.set_title(result.verdict, fontsize="small", wrap=True, loc="left")

    returns = {(split.number, each.fold): each.return_after_costs for split in result.splits for each in split.tested}
    for path in result.paths:
        growth = [1.0]
        for fold, split in enumerate(path.splits):
            growth.append(growth[-1] * (1.0 + (returns[split, fold] or 0.0)))
        lower.plot(range(len(growth)), [value - 1.0 for value in growth], color=_MODEL, alpha=0.6, linewidth=1.2)
    held = [1.0]
    for each in result.folds:
        held.append(held[-1] * (1.0 + (each.buy_and_hold_return or 0.0)))
    lower.plot(range(len(held)), [value - 1.0 for value in held], color=_HELD, linestyle="--", label="buy and hold")
    lower.plot([], [], color=_MODEL, label="model, after costs" + (", each path" if len(result.paths) > 1 else ""))
    lower.axhline(0.0, color="black", linewidth=0.8)
    lower.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    lower.set_ylabel("return by the end of the fold")
    lower.set_xlabel("fold")
    lower.set_xticks(list(at), [f"{i}\n{fold.span[0][:10]}" for i, fold in zip(at, result.folds, strict=True)])
    lower.legend(loc="best", fontsize="small")

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
    return png.getvalue()
