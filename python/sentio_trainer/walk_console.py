"""Draws a walk-forward on standard output: its windows, the stitched run of each symbol, and the verdict."""

from rich.console import Console
from rich.table import Table

from sentio_trainer.paths import shown_path
from sentio_trainer.tables import percent, plain_table, shown_estimate
from sentio_trainer.walk_forward import WalkForward
from sentio_trainer.walk_trading import Stitched


def print_walk_forward(result: WalkForward, *, standard_errors: float) -> None:
    """Tables, the verdict, and where the rest is."""
    console = Console(highlight=False, soft_wrap=True)
    for number, stitched in enumerate(result.stitched):
        console.print(_windows_table(result, number, stitched))
    console.print(_stitched_table(result))
    console.print(
        f"IC, mean over {len(result.windows)} windows ± {standard_errors:g} standard errors: "
        f"{shown_estimate(result.window_ic, '+.4f')} as windows vary, "
        f"{shown_estimate(result.overall.ic, '+.4f')} as bars do",
        markup=False,
    )
    console.print(
        f"walk-forwards over these bars so far: {result.trials}; models tried on them: {result.tried}; the best of "
        "many looks better than it is",
        markup=False,
    )
    console.print(result.verdict, markup=False, style="bold")
    console.print(f"walk-forward: {shown_path(result.folder)}", markup=False)


def _windows_table(result: WalkForward, number: int, stitched: Stitched) -> Table:
    table = plain_table(f"{stitched.symbol}: tests as parts of one run after costs; Sharpe of the stretch")
    for heading in ("#", "train from", "test from"):
        table.add_column(heading)
    for heading in ("IC", "return", "hold", "Sharpe", "fills", "long", "short"):
        table.add_column(heading, justify="right")
    for each in result.windows:
        stretch = each.stretches[number]
        figures = ("–", "–", "–", "–")
        if stretch is not None:
            sharpe = "–" if stretch.sharpe is None else f"{stretch.sharpe:+.1f}"
            returns = f"{stretch.total_return:+.1%}", f"{stretch.buy_and_hold_return:+.1%}"
            figures = (*returns, sharpe, str(stretch.fills))
        rule = each.decision
        short = f"{rule['short_below']:.3f}" if rule.get("allow_short", True) else "–"
        table.add_row(
            str(each.window.number),
            each.train_span[0][:10],
            each.test_span[0][:10],
            "–" if each.figures.ic is None else f"{each.figures.ic:+.4f}",
            *figures,
            f"{rule['long_above']:.3f}",
            short,
        )
    return table


def _stitched_table(result: WalkForward) -> Table:
    table = plain_table("Stitched: one position and one equity curve through all windows, after costs")
    table.add_column("symbol")
    for heading in ("return", "buy and hold", "Sharpe", "max drawdown", "trades", "deflated Sharpe"):
        table.add_column(heading, justify="right")
    for each in result.stitched:
        metrics, evidence = each.report["metrics"], each.report["evidence"]
        table.add_row(
            each.symbol,
            percent(metrics["total_return"]),
            percent(each.report["buy_and_hold"]["total_return"]),
            _number(metrics["sharpe"], "+.2f"),
            f"{metrics['max_drawdown']['depth']:.2%}",
            str(metrics["trades"]["count"]),
            _number(evidence["deflated_sharpe"], ".3f"),
        )
    if len(result.stitched) > 1:
        table.add_row("mean", percent(result.total_return), percent(result.buy_and_hold_return))
    return table


def _number(value: float | None, digits: str) -> str:
    return "–" if value is None else f"{value:{digits}}"
