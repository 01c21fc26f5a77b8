"""The `sentio` command: training, validation and sweeps, what is done with an artifact, configs, data, `doctor`.

Exit codes: 0 done, 1 the run failed, 2 wrong usage or configuration, 3 bad input data, 4 bad artifact, 130 interrupted.
Errors are one line on standard error.
"""

import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sentio_trainer.config import Given, LoadedConfig, given_by_flag, given_on_command_line, load_config
from sentio_trainer.errors import ArtifactError, SentioError
from sentio_trainer.paths import shown_path
from sentio_trainer.several_words import SeveralWordsCommand

INTERRUPTED = 130


def _application(about: str | None = None) -> typer.Typer:
    # Plain help: rich would take "[training.lr]" for markup.
    return typer.Typer(
        help=about,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 100},
    )


app = _application("Trains Sentio's models offline.")
config_app = _application("Look at a training configuration.")
data_app = _application("Make bars.")
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")
train_app = _application()

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Training configuration, YAML.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key, such as training.lr=3e-4; may be repeated."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sentio {version('sentio')}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del show_version  # handled before any command
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command()
@train_app.command()
def train(
    config: ConfigOption,
    set_: SetOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the version if it exists.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps. [training.device]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows. [training.epochs]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of a batch. [training.batch_size]")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate. [training.lr]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, dropout and block order. [training.seed]")] = None,
    out: Annotated[str | None, typer.Option(help="Artifact folder, .../<model id>/<version>. [export.out_dir]")] = None,
    resume_from: Annotated[
        str | None,
        typer.Option(metavar="DIR|latest", help="Go on with an interrupted run, or from one of its checkpoints."),
    ] = None,
) -> None:
    """Train a model and write its artifact.

    A value comes from the command line, else from the environment (SENTIO_<SECTION>__<KEY>, such as
    SENTIO_TRAINING__LR), else from the file, else from the defaults. Paths are relative to the project root: the
    nearest folder above the config with a pyproject.toml. Records and checkpoints are kept in [tracking.runs_dir].

    Started by torchrun --nproc-per-node=N, N processes train one model, each with batches of [training.batch_size].
    """
    flags = {
        "training.device": ("--device", device),
        "training.epochs": ("--epochs", epochs),
        "training.batch_size": ("--batch-size", batch_size),
        "training.lr": ("--lr", lr),
        "training.seed": ("--seed", seed),
        "export.out_dir": ("--out", out),
    }
    overrides = [given_by_flag(key, value, flag=flag) for key, (flag, value) in flags.items() if value is not None]
    loaded = _load(config, set_, overrides)
    # Threads of OpenMP that wait by spinning starve each other on a busy machine; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Torch takes seconds to import; only training waits for it.
    from sentio_trainer.console import ConsoleReport, print_trained
    from sentio_trainer.trainers import find_trainer

    trainer = find_trainer(loaded.config.training.trainer)
    report = ConsoleReport(progress=loaded.config.tracking.progress)
    trained = trainer(loaded, overwrite=overwrite, resume_from=resume_from, report=report)
    if trained is not None:
        print_trained(trained)


@app.command()
def validate(
    config: ConfigOption,
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write. [<runs>/<model id>/validate-<UTC time>]")] = None,
) -> None:
    """Cross-validate: train and test on many splits, by evaluation.cross_validation, and say whether there is an edge.

    The test part of data.split is left unseen, for the test of a training.
    """
    loaded = _load(config, set_)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for train
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.cross_console import print_cross_validation
    from sentio_trainer.cross_document import check_free, validation_folder, write_validation
    from sentio_trainer.cross_training import cross_validate
    from sentio_trainer.trainers import find_trainer

    find_trainer(loaded.config.training.trainer)
    if out is not None:
        check_free(out)
    report = ConsoleReport(progress=loaded.config.tracking.progress)
    result = cross_validate(loaded, report)
    folder = out if out is not None else validation_folder(loaded, result)
    write_validation(folder, loaded, result, report)
    standard_errors = loaded.config.evaluation.standard_errors
    print_cross_validation(result, standard_errors=standard_errors, folder=shown_path(folder))


@app.command()
def walkforward(
    config: ConfigOption,
    set_: SetOption = None,
    train: Annotated[str, typer.Option(help="History of a training: 120d, sessions, or 50000b, bars.")] = "120d",
    test: Annotated[str, typer.Option(help="What its model trades behind that, before the next one.")] = "20d",
    step: Annotated[
        str | None, typer.Option(help="From one window to the next, at most --test. [--test]", show_default=False)
    ] = None,
    windows: Annotated[
        int | None, typer.Option(help="The last so many windows, each whole. [all]", show_default=False)
    ] = None,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Learn from the first bar on, instead of from the last --train alone.")
    ] = False,
    costs: Annotated[
        str | None, typer.Option(help="Cost model, by name or as a JSON file. [evaluation.costs]", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. [<runs>/<model id>/walkforward-<UTC time>]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in --out; finished windows are kept.")] = False,
) -> None:
    """Walk forward: train, freeze the artifact, test it on the bars behind, roll; then trade all tests as one run.

    Each model trades bars that neither it nor its thresholds have seen: its labels end data.split.embargo bars before
    its test. data.split shares the history of a training out to learn from and to choose by; it has no test part here,
    as all bars behind the first training are tested on. Every window is a trial of one study in <model id>/trials.csv,
    and all of them one configuration. Written are the sealed artifact of each window, the report of the stitched run of
    each symbol (reports/<SYMBOL>, as of sentio_cli backtest --out), and walkforward.json.
    """
    given = [] if costs is None else [given_by_flag("evaluation.costs", costs, flag="--costs")]
    loaded = _load(config, set_, given)
    from sentio_trainer.walk_windows import make_cut

    cut = make_cut(train=train, test=test, step=step, windows=windows, anchored=anchored)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for train
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.trainers import find_trainer
    from sentio_trainer.walk_console import print_walk_forward
    from sentio_trainer.walk_document import write_walk_forward
    from sentio_trainer.walk_forward import walk_forward

    find_trainer(loaded.config.training.trainer)
    report = ConsoleReport(progress=loaded.config.tracking.progress)
    result = walk_forward(loaded, cut, report, folder=out, resume=resume)
    write_walk_forward(loaded, result)
    print_walk_forward(result, standard_errors=loaded.config.evaluation.standard_errors)


@app.command()
def sweep(
    config: ConfigOption,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A value, or a distribution to draw it from; may be repeated."),
    ] = None,
    trials: Annotated[int, typer.Option(help="Trainings in all, those of earlier runs of the study among them.")] = 20,
    jobs: Annotated[int, typer.Option(help="Processes that train at a time, each with its share of the threads.")] = 1,
    study: Annotated[str, typer.Option(help="Name of the study, <model id>/sweeps/<study>.db.")] = "sweep",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study that exists.")] = False,
) -> None:
    """Train with many values of some keys and say which did best on the validation bars.

    Distributions: 'training.lr=loguniform(1e-4,1e-2)', 'model.dropout=uniform(0,0.5)', 'model.hidden=int(32,256,32)',
    'training.batch_size=intlog(256,8192)', 'model.kind=choice(mlp,transformer)'. Trials that fall behind are pruned.
    The test period stays unseen, and no artifact is written; every trial goes into <model id>/trials.csv.
    """
    from sentio_trainer.sweep import run_sweep
    from sentio_trainer.sweep_space import open_space

    space = open_space(config, set_ or (), environment=os.environ)
    training = space.load(space.corner()).config.training
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for train
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.sweep_report import print_sweep
    from sentio_trainer.trainers import TRIALS, find_trainer

    find_trainer(training.trainer)
    result = run_sweep(
        space,
        study=study,
        trials=trials,
        jobs=jobs,
        resume=resume,
        train_trial=TRIALS[training.trainer],
        report=ConsoleReport(progress=False),
    )
    print_sweep(result)


@app.command(cls=SeveralWordsCommand)
def evaluate(
    models: Annotated[
        list[str],
        typer.Option(
            "--models",
            metavar="LABEL:MODEL...",
            help="A rule, or an artifact folder: b:buy_and_hold 'f:sma_cross(fast=5,slow=20)' v1:artifacts/TFA/v1",
            show_default=False,
        ),
    ],
    test_symbols: Annotated[
        list[str], typer.Option("--test-symbols", metavar="SYMBOL...", help="Whose bars.", show_default=False)
    ],
    test_days: Annotated[int, typer.Option(help="Sessions measured: the last that all symbols have.")] = 90,
    data_dir: Annotated[Path, typer.Option(help="Where SYMBOL*.csv and SYMBOL*.csv.gz lie.")] = Path("data/equities"),
    bars: Annotated[
        list[str] | None, typer.Option("--bars", metavar="SYMBOL=FILE...", help="Files, before those of --data-dir.")
    ] = None,
    costs: Annotated[str, typer.Option(help="A shipped cost model or a file.")] = "us_equity",
    session: Annotated[
        str | None, typer.Option(help="Calendar, us_equity or utc_day. [what the models were trained with]")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Backtests at a time.")] = 1,
    out: Annotated[Path, typer.Option(help="Where eval_<UTC time>/ is written.")] = Path("evaluation_results"),
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    allow_in_sample: Annotated[
        bool, typer.Option("--allow-in-sample", help="Rank also models that were trained on measured bars.")
    ] = False,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="No picture; it needs sentio[report].")] = False,
) -> None:
    """Run several models over the same bars and say which is better, and whether beyond chance.

    --models, --test-symbols and --bars take several words each, and may be repeated. All earlier bars warm the models
    up. Intervals come from a bootstrap of the sessions, the same ones for all models.
    """
    from sentio_trainer.comparison_console import print_comparison
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.model_evaluation import evaluate_models

    report = ConsoleReport(progress=True)
    evaluated = evaluate_models(
        models,
        test_symbols,
        steps=lambda total: report.steps(total, "backtests"),
        test_days=test_days,
        data_dir=data_dir,
        bars=bars or (),
        costs=costs,
        session=session,
        jobs=jobs,
        out=out,
        seed=seed,
        allow_in_sample=allow_in_sample,
        plots=not no_plots,
    )
    print_comparison(evaluated.document, folder=shown_path(evaluated.folder))


@app.command()
def replay(
    log: Annotated[Path, typer.Argument(help="What sentio_cli stream wrote to stdout, of one run or several.")],
    bars: Annotated[Path, typer.Argument(help="Bars of that time and before, CSV or gzip.")],
    artifact: Annotated[
        Path | None, typer.Option(help="Folder of the model, such as artifacts/TFA/v1; not for a rule.")
    ] = None,
) -> None:
    """Compare a recorded live log with a fresh run over the bars and name the first difference.

    Decisions must have the same bits. A run that was warmed up with another history than BARS is compared from the bar
    on at which its features are settled. The exit code is 1 if anything differs, also the model, spec or backend.
    """
    from sentio_trainer.replay import print_replay, require_same
    from sentio_trainer.replay import replay as replay_log

    result = replay_log(log, bars, artifact)
    print_replay(result)
    require_same(result)


@app.command("report")
def report_(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What backtest, tpa_test or walkforward wrote with --out.")
    ],
    html: Annotated[Path | None, typer.Option(help="The page, one file that works offline. [DIR/report.html]")] = None,
    png: Annotated[Path | None, typer.Option(help="The picture. [DIR/report.png]")] = None,
    markdown: Annotated[Path | None, typer.Option(help="The text, with its tables. [DIR/report.md]")] = None,
    title: Annotated[str | None, typer.Option(help="Heading. [<strategy> on <symbol>]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Make a page, a picture and a text of a backtest. Of the three only those named are made, or all if none is.

    If DIR has a folder for each of several symbols, the three are made in each, and DIR/report.html leads to them.
    """
    from sentio_trainer.pages.write import write_report

    made = write_report(folder, html=html, png=png, markdown=markdown, title=title, overwrite=overwrite)
    for path in made:
        typer.echo(f"{shown_path(path)}: {path.stat().st_size:,} bytes")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Artifact folder, <model id>/<version>.")],
    formats: Annotated[
        list[str], typer.Option("--format", metavar="onnx|pt2", help="May be repeated.", show_default=False)
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace exports that exist.")] = False,
) -> None:
    """Write a trained model for other runtimes, into its artifact: ONNX, or PT2 (torch.export).

    Each file must give the logits of the artifact's probe, one row at a time and all at once, or nothing is written.
    """
    from sentio_trainer.export_command import export_artifact
    from sentio_trainer.export_console import print_exported

    print_exported(export_artifact(folder, formats, overwrite=overwrite))


@app.command(cls=SeveralWordsCommand)
def deploy(
    models: Annotated[
        list[str],
        typer.Option("--models", metavar="NAME:DIR ...", help="Artifacts, by their names there.", show_default=False),
    ],
    min_sharpe: Annotated[float | None, typer.Option(help="Gate: annualised Sharpe ratio.")] = None,
    max_drawdown: Annotated[float | None, typer.Option(help="Gate: a fraction of equity.")] = None,
    min_win_rate: Annotated[float | None, typer.Option(help="Gate: a fraction of the trades.")] = None,
    min_profit_factor: Annotated[float | None, typer.Option(help="Gate: gains over losses.")] = None,
    min_deflated_sharpe: Annotated[float | None, typer.Option(help="Gate: a probability.")] = None,
    min_trades: Annotated[int, typer.Option(help="Gate: trades completed; always there.")] = 1,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", metavar="SYMBOL ...", help="Judge on these. [the model's]")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder in which symbols are looked up. [the files of the training]")
    ] = None,
    bars: Annotated[Path | None, typer.Option(help="Bars of the one symbol, CSV or gzip.")] = None,
    on_bad_bar: Annotated[str, typer.Option(metavar="refuse|skip", help="What to do with bad bars.")] = "refuse",
    costs: Annotated[str, typer.Option(help="A shipped cost model or a cost file.")] = "us_equity",
    test_days: Annotated[int | None, typer.Option(help="Judge on the last N unseen sessions. [all]")] = None,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Take synthetic bars and models trained on them.")
    ] = False,
    keep: Annotated[int, typer.Option(help="Releases that stay on the disk.")] = 5,
    production: Annotated[Path, typer.Option(help="The link to make live.")] = Path("models/production"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all in a temporary folder.")] = False,
) -> None:
    """Make artifacts live if they pass the gates on bars that they have not seen, after costs.

    The live release is backed up, the link is turned in one step, and C++ verifies the release before and after it;
    on a failure the link is turned back. Names that are live and not given stay as they are.
    """
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.deployment import DeploymentError, ModelDeployer, deployed_models
    from sentio_trainer.deployment_console import print_deployment
    from sentio_trainer.gates import Bench, Limits, bad_bar_rule

    bench = Bench(
        limits=Limits(
            min_sharpe=min_sharpe,
            max_drawdown=max_drawdown,
            min_win_rate=min_win_rate,
            min_profit_factor=min_profit_factor,
            min_deflated_sharpe=min_deflated_sharpe,
            min_trades=min_trades,
        ),
        symbols=symbols or (),
        data_dir=data_dir,
        bars=bars,
        costs=costs,
        test_days=test_days,
        on_bad_bar=bad_bar_rule(on_bad_bar),
        allow_synthetic=allow_synthetic,
    )
    deployer = ModelDeployer(production, keep=keep, report=ConsoleReport(progress=False))
    try:
        deployment = deployer.deploy(deployed_models(models), bench, dry_run=dry_run)
    except DeploymentError as error:
        print_deployment(error.deployment)
        raise
    print_deployment(deployment)


@app.command()
def rollback(
    backup: Annotated[str | None, typer.Argument(help="backup_<time>. [what was live before]")] = None,
    production: Annotated[Path, typer.Option(help="The link to turn.")] = Path("models/production"),
) -> None:
    """Make a backup live again, as a new release; each call without BACKUP goes one deployment further back."""
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.deployment import ModelDeployer
    from sentio_trainer.deployment_console import print_deployment

    print_deployment(ModelDeployer(production, report=ConsoleReport(progress=False)).rollback(backup))


@app.command()
def deployments(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    production: Annotated[Path, typer.Option(help="The link that is live.")] = Path("models/production"),
) -> None:
    """List deployments and rollbacks, refused ones too, and verify the live release.

    The exit code is 4 if what is live is damaged.
    """
    from sentio_trainer.console import ConsoleReport
    from sentio_trainer.deployment import Current, ModelDeployer
    from sentio_trainer.deployment_console import history_json, print_history, require_sound
    from sentio_trainer.releases import UnderWayError

    report = ConsoleReport(progress=False)
    deployer = ModelDeployer(production, report=report)
    try:
        deployer.recover()
    except (UnderWayError, PermissionError) as error:  # looking is allowed nevertheless
        report.warn(f"nothing is cleaned up: {error}")
    history = deployer.history()

    def show(live: Current | None) -> None:
        if as_json:
            typer.echo(history_json(history, live))
        else:
            print_history(history, live)

    try:
        current = deployer.current()
    except ArtifactError:  # there is no saying what is live: what to go back to is seen all the same
        show(None)
        raise
    show(current)
    require_sound(current)


@config_app.command("show")
def config_show(config: ConfigOption, set_: SetOption = None) -> None:
    """Print the resolved configuration and where each value comes from."""
    text = _load(config, set_).to_yaml(with_origins=True)
    Console(highlight=False, soft_wrap=True).print(text, markup=False, end="")


@config_app.command("check")
def config_check(config: ConfigOption, set_: SetOption = None) -> None:
    """Check a configuration, the files that it names and what it needs of this machine, without training."""
    loaded = _load(config, set_)
    from sentio_trainer.config_check import check_config
    from sentio_trainer.trainers import find_trainer

    find_trainer(loaded.config.training.trainer)
    for line in check_config(loaded):
        typer.echo(line)
    typer.echo(f"{shown_path(config)}: in order")


@data_app.command("synth")
def data_synth(
    symbol: Annotated[str, typer.Option(help="Name of the made-up share.")] = "QQQ",
    out: Annotated[Path | None, typer.Option(help="CSV to write. [data/equities/<SYMBOL>_NH.csv]")] = None,
    days: Annotated[int, typer.Option(help="Sessions.")] = 250,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    ic: Annotated[float, typer.Option(help="Planted edge: the best possible information coefficient.")] = 0.10,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = datetime(2024, 1, 2),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace bars that are not synthetic.")] = False,
) -> None:
    """Make a synthetic intraday market: minute bars with a weak, known, planted edge.

    Beside the bars lies <file>.synthetic.json, which marks them as synthetic in every report that uses them.
    """
    from sentio_trainer.market import MarketSpec, write_market

    path = out if out is not None else Path("data/equities") / f"{symbol}_NH.csv"
    spec = MarketSpec(symbol=symbol, days=days, seed=seed, ic=ic, start=date(start.year, start.month, start.day))
    market = write_market(spec, path, overwrite=overwrite)
    typer.echo(f"{shown_path(path)}: {len(market.close):,} SYNTHETIC bars in {days} sessions, seed {seed}")
    typer.echo(f"theoretical information coefficient of the planted edge: {abs(ic):.4f}")


@app.command()
def seal(folder: Annotated[Path, typer.Argument(help="Artifact folder, .../<model id>/<version>.")]) -> None:
    """Accept an artifact that was changed by hand: hash its files again and seal its metadata.

    Prints what changed. An artifact that does not load then, such as one whose model gives other logits than its probe
    holds, is refused and left as it was.
    """
    from sentio_trainer.seal import seal_folder

    for line in seal_folder(folder):
        typer.echo(line)


@app.command()
def analyze(
    symbol: Annotated[str, typer.Argument(help="Whose last bar is looked at.")],
    model: Annotated[str, typer.Option(help="Name of a deployed model.")] = "tfa",
    production: Annotated[Path, typer.Option(help="Where models are deployed.")] = Path("models/production"),
    artifact: Annotated[Path | None, typer.Option(help="Artifact folder, in place of a deployed model.")] = None,
    bars: Annotated[Path | None, typer.Option(help="Bars file. [the symbol's in --data-dir]")] = None,
    data_dir: Annotated[Path, typer.Option(help="Where SYMBOL*.csv and SYMBOL*.csv.gz lie.")] = Path("data/equities"),
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The last bar that opened then or before. [the last bar]")
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="integrated_gradients|permutation", help="How contributions are found.")
    ] = "integrated_gradients",
    top: Annotated[int, typer.Option(help="Features shown.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the bars that permutation draws.")] = 0,
    max_age: Annotated[
        float | None, typer.Option(metavar="HOURS", help="Warn if the bar is older by the clock.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Say what a deployed model wants after the last bar, how sure that is, and which features drove it.

    Probability and decision have the bits of live trading. The interval is what followed similar probabilities on
    earlier bars that the model had not seen; where these are too few there is none. The method is stated.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for train
    from sentio_trainer.analysis_console import print_analysis
    from sentio_trainer.artifact import to_json
    from sentio_trainer.named_bars import read_named_bars
    from sentio_trainer.symbol_analysis import analyse_symbol, deployed_artifact, parse_method

    parsed = parse_method(method)
    folder = artifact if artifact is not None else deployed_artifact(production, model)
    named = read_named_bars(symbol, files={} if bars is None else {symbol: bars}, data_dir=data_dir)
    document = analyse_symbol(folder, named, at=at, method=parsed, top=top, seed=seed, max_age_h=max_age)
    if as_json:
        typer.echo(to_json(document).decode(), nl=False)
    else:
        print_analysis(document)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Say what works here, what is missing, and the line that installs it.

    Everything is tried. The exit code is 0 if a model can be trained and backtested here, else 1.
    """
    from sentio_trainer.doctor import examine
    from sentio_trainer.findings import findings_json, print_findings

    findings = list(examine())
    if as_json:
        typer.echo(findings_json(findings))
    else:
        print_findings(findings)
    lacking = [f"{finding.name}: {finding.found}" for finding in findings if finding.needed and not finding.works]
    if lacking:
        raise SentioError(f"training and backtests need what does not work here: {'; '.join(lacking)}")


def _load(config: Path, set_: Sequence[str] | None, overrides: Sequence[Given] = ()) -> LoadedConfig:
    given = [given_on_command_line(text) for text in set_ or ()]
    return load_config(config, overrides=[*given, *overrides], environment=os.environ)


def run(application: typer.Typer, arguments: Sequence[str], *, program: str) -> int:
    """Runs a command and returns its exit code; a failure is one line on standard error."""
    try:
        code = application(list(arguments), prog_name=program, standalone_mode=False)
    except typer.TyperException as error:  # wrong usage
        return _fail(program, error.format_message(), getattr(error, "exit_code", 2))
    except SentioError as error:
        return _fail(program, str(error), error.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(program, f"{place}{error.strerror or error}", SentioError.exit_code)
    if code == INTERRUPTED:
        return _fail(program, "interrupted; no artifact was written", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _fail(program: str, message: str, code: int) -> int:
    sys.stderr.write(f"{program}: {' '.join(message.split())}\n")
    return code


def main() -> None:
    """The console command."""
    sys.exit(run(app, sys.argv[1:], program="sentio"))


def train_models(arguments: Sequence[str]) -> int:
    """`train_models.py`: the train command alone."""
    return run(train_app, arguments, program="train_models.py")
