"""Shows deployments: the gates with value and limit, and the history."""

import json
from collections.abc import Sequence

from rich.console import Console

from sentio_trainer.deployment import Current, Deployment
from sentio_trainer.errors import ArtifactError
from sentio_trainer.paths import shown_path
from sentio_trainer.tables import plain_table


def print_deployment(deployment: Deployment) -> None:
    """The bars and the gates of each model, then how it ended."""
    console = Console(highlight=False, soft_wrap=True)
    for name, gates in deployment.gates.items():
        model = deployment.document["models"][name]
        for evidence in model["evidence"]:
            measured = evidence["measured"]
            synthetic = ", SYNTHETIC" if evidence["synthetic"] else ""
            console.print(
                f"{name}: {evidence['symbol']}, {evidence['bars']}{synthetic}, {evidence['sessions']} unseen sessions, "
                f"{measured['first']} to {measured['last']}, costs {evidence['cost_model']['name']}, "
                f"trials {evidence['trials'] or 'unknown'}",
                markup=False,
            )
        table = plain_table(f"Gates of {name}, out of sample, after costs")
        for heading in ("symbol", "figure", "value", "limit", "result"):
            table.add_column(heading, justify="right" if heading in ("value", "limit") else "left")
        for gate in gates:
            result = "[green]pass[/green]" if gate.passed else "[bold red]FAIL[/bold red]"
            table.add_row(gate.symbol, gate.figure, gate.shown, f"{gate.comparison} {gate.limit:g}", result)
        console.print(table)
    what = f"{deployment.action} {deployment.id}: {deployment.outcome}"
    backup = f"; backup of what was live: {deployment.backup}" if deployment.backup and _is_live(deployment) else ""
    console.print(f"{what}{backup}", markup=False, style="bold")


def print_history(history: Sequence[Deployment], current: Current | None) -> None:
    """A row a deployment, oldest first, then what is live."""
    console = Console(highlight=False, soft_wrap=True)
    if not history:
        console.print("nothing was deployed")
    else:
        table = plain_table("Deployments")
        for heading in ("time", "action", "outcome", "live"):
            table.add_column(heading, no_wrap=True)
        for heading in ("models", "backup, reason"):
            table.add_column(heading, overflow="fold")
        for each in history:
            models = ", ".join(
                f"{name} ({model.get('model_id')} {model.get('version')})"
                for name, model in each.document["models"].items()
            )
            live = "live" if current is not None and current.id == each.id else ""
            row = (each.id, each.action, each.outcome, live, models, _why(each))
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        if not console.is_terminal:  # a pipe has no width that names of backups would have to be broken for
            console.width = 240
        console.print(table, soft_wrap=False)
    if current is not None:
        verdict = "DAMAGED" if current.fault else "verified: hashes fit, C++ loads it, the probe gives its logits"
        console.print(f"live: {shown_path(current.folder)}, {verdict}", markup=False, style="bold")


def history_json(history: Sequence[Deployment], current: Current | None) -> str:
    """All records, and what is live."""
    live = None if current is None else {"id": current.id, "verified": current.fault is None, "fault": current.fault}
    return json.dumps({"live": live, "deployments": [each.document for each in history]}, indent=2, ensure_ascii=False)


def require_sound(current: Current | None) -> None:
    """Raises:
    ArtifactError: what is live is damaged.
    """
    if current is not None and current.fault is not None:
        raise ArtifactError(f"{current.fault}; sentio rollback replaces what is live by its backup")


def _why(deployment: Deployment) -> str:
    failed = [
        f"{gate.symbol} {gate.figure}" for gates in deployment.gates.values() for gate in gates if not gate.passed
    ]
    if failed:
        return f"fails {', '.join(failed)}"
    backup = deployment.backup if _is_live(deployment) else None
    return "; ".join(text for text in (backup, deployment.reason) if text)


def _is_live(deployment: Deployment) -> bool:
    """Whether it came to be."""
    return deployment.outcome == "deployed"
