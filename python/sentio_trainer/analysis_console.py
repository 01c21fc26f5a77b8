"""Prints the analysis of a symbol."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from sentio_trainer.tables import plain_table


def print_analysis(document: Mapping[str, Any]) -> None:
    """Warnings, recommendation, probability with its interval, and the features."""
    console = Console(highlight=False, soft_wrap=True)
    bar, model = document["bar"], document["model"]
    console.print(
        f"{document['symbol']}  bar of {bar['time']}, close {bar['close']:g}, {bar['sample']}; model {model['folder']} "
        f"({model['model_id']}/{model['version']}, {model['backend']})",
        markup=False,
    )
    for warning in document["warnings"]:
        console.print(f"warning: {warning}", markup=False, style="yellow")
    wanted = document["recommendation"]
    before = wanted["before"]
    console.print(
        f"recommendation: {wanted['side']}, exposure {wanted['exposure']:+.2f}, at {wanted['filled_at']} "
        f"({wanted['reason']}); before: {before['side']} {before['exposure']:+.2f} for {before['bars']:,} bars",
        markup=False,
        style="bold",
    )
    console.print(
        f"probability of a rise: {document['probability']:.4f} (logit {document['logit']:+.4f})", markup=False
    )
    interval = document["interval"]
    if interval is None:
        console.print(f"interval: {document['interval_note']}", markup=False)
    else:
        low, high = interval["interval"]["low"], interval["interval"]["high"]
        console.print(
            f"interval: {low:.4f} to {high:.4f}, observed {interval['rose']:.4f}: {document['interval_note']}",
            markup=False,
        )
    _print_features(console, document)


def _print_features(console: Console, document: Mapping[str, Any]) -> None:
    method = document["method"]
    table = plain_table("Features by their contribution to the logit")
    table.add_column("feature")
    for heading in ("value", "percentile", "contribution", "±"):
        table.add_column(heading, justify="right")
    for each in document["features"]:
        error = each["standard_error"]
        table.add_row(
            each["name"],
            f"{each['value']:.5g}",
            f"{each['percentile']:.1%}",
            f"{each['contribution']:+.4f}",
            "" if error is None else f"{error:.4f}",
        )
    console.print(table)
    if document["features_left_out"]:
        console.print(f"{document['features_left_out']} features moved it less", markup=False)
    if method["name"] == "integrated_gradients":
        console.print(
            f"method: integrated gradients ({method['source']}) from the {method['baseline']}, logit "
            f"{method['baseline_logit']:+.4f}; {method['steps']} steps, contributions add up to {method['error']:.1e}; "
            f"the explaining network and the trading one differ by {method['logits_apart']:.1e} in logit",
            markup=False,
        )
    else:
        console.print(
            f"method: permutation ({method['source']}): the logit less its mean over {method['draws']} other bars' "
            "values of the feature; ± one standard error; contributions need not add up",
            markup=False,
        )
