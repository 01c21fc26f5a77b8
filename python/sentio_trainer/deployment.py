"""Deploys trained models: gates, a verified release, a swap in one step, and the way back.

A deployment copies the artifacts, judges the copies, verifies the release, makes a backup of what is live, turns the
link, verifies again through it, and records all that. Whatever fails before the link is turned changes nothing;
whatever fails behind it turns the link back. See `releases` for the folders.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from sentio_inference import Artifact

from sentio_trainer.artifact import sole_writer, versions_document
from sentio_trainer.deployment_check import (
    bars_changed,
    check_files,
    check_loads,
    check_trades,
    count_trials,
    load_model,
)
from sentio_trainer.errors import ArtifactError, ConfigError, SentioError, StoppedError
from sentio_trainer.gates import Bench, Gate, judge
from sentio_trainer.paths import shown_path
from sentio_trainer.releases import Document, ReleaseStore, copy_artifact
from sentio_trainer.report import Report, Silence

PRODUCTION = Path("models/production")
KEPT_RELEASES = 5
SCHEMA_VERSION = "1.0"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Outcome = Literal["deployed", "refused", "rolled back", "dry run"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment or rollback, as its record has it."""

    document: Document

    @property
    def id(self) -> str:
        """UTC time at which it began."""
        return str(self.document["id"])

    @property
    def action(self) -> Literal["deploy", "rollback"]:
        return "rollback" if self.document["action"] == "rollback" else "deploy"

    @property
    def outcome(self) -> Outcome:
        outcome: Outcome = self.document["outcome"]
        return outcome

    @property
    def reason(self) -> str | None:
        """Why it was refused or rolled back, or what was restored."""
        reason: str | None = self.document["reason"]
        return reason

    @property
    def names(self) -> list[str]:
        """The models of the release."""
        return list(self.document["models"])

    @property
    def backup(self) -> str | None:
        """The backup of what was live before; None where nothing was."""
        backup: str | None = self.document["backup"]
        return backup

    @property
    def gates(self) -> dict[str, list[Gate]]:
        """The gates of each model that this deployment judged."""
        return {
            name: [Gate(**{key: gate[key] for key in _GATE_KEYS}) for gate in model["gates"]]
            for name, model in self.document["models"].items()
            if model["deployment"] == self.id
        }


_GATE_KEYS = ("symbol", "figure", "comparison", "limit", "value", "why")


@dataclass(frozen=True, kw_only=True)
class Current:
    """What is live."""

    id: str
    folder: Path  # of the release, not the link
    document: Document
    fault: str | None  # what verification found; None: every hash fits and C++ loads every model


class DeploymentError(SentioError):
    """A deployment did not come to be live. Its record is attached."""

    def __init__(self, message: str, deployment: Deployment, *, exit_code: int) -> None:
        super().__init__(message)
        self.deployment = deployment
        self.exit_code = exit_code


class ModelDeployer:
    """Deploys into `production`, whose folder holds the releases, the backups and the records as well."""

    def __init__(
        self, production: Path = PRODUCTION, *, keep: int = KEPT_RELEASES, report: Report | None = None
    ) -> None:
        """
        Args:
            production: the link that readers follow.
            keep: releases that stay, the live one among them, for readers that are still loading one.
            report: hears what is done.

        Raises:
            ConfigError: `keep` is below 1, or `production` has the name of a folder beside it.
        """
        if keep < 1:
            raise ConfigError(f"--keep must be at least 1, found {keep}")
        self._store = ReleaseStore(production)
        self._keep = keep
        self._report: Report = report if report is not None else Silence()

    def deploy(self, models: Mapping[str, Path], bench: Bench, *, dry_run: bool = False) -> Deployment:
        """Deploys artifacts under these names if they pass all gates; other names that are live stay as they are.

        Args:
            models: artifact folders by the name that each gets in production.
            bench: the gates, and on which bars and costs.
            dry_run: does all of it in a temporary folder, for these models alone, and changes nothing here.

        Raises:
            DeploymentError: it was refused, or rolled back; its record says why.
            ConfigError: a name or an option is wrong.
            SentioError: another deployment is under way, or `production` is not ours.
            OSError: the disk is full, or access is denied; what was live is live.
            StoppedError: interrupted; what was live is live.
        """
        _check_names(models)
        if dry_run:
            return self._rehearse(models, bench)
        with self._store.locked():
            self._recover()
            return self._deploy(models, bench)

    def rollback(self, backup: str | None = None) -> Deployment:
        """Makes a backup live again, as a new release.

        Each call without a name goes one deployment further back: a release knows the backup that was made before it.

        Args:
            backup: its name; that of the release before the live one if not given.

        Raises:
            DeploymentError: the backup is damaged; its record says why.
            ConfigError: there is no such backup.
            SentioError, OSError, StoppedError: as `deploy`.
        """
        with self._store.locked():
            self._recover()
            return self._roll_back_to(backup)

    def history(self) -> list[Deployment]:
        """All deployments and rollbacks, refused ones too, oldest first.

        Raises:
            ArtifactError: a record cannot be read.
        """
        return [Deployment(document=document) for document in self._store.records()]

    def current(self) -> Current | None:
        """What is live, verified now; None where nothing is.

        Raises:
            SentioError: `production` is not ours.
            ArtifactError: the live release does not say what it is.
        """
        id_ = self._store.live()
        if id_ is None:
            return None
        folder = self._store.release(id_)
        document = self._store.document(folder)
        try:
            _check_release(folder, document)
        except ArtifactError as error:
            return Current(id=id_, folder=folder, document=document, fault=str(error))
        return Current(id=id_, folder=folder, document=document, fault=None)

    def recover(self) -> None:
        """Cleans up after deployments whose process died, and tells. Any deployment or rollback does so first.

        Raises:
            UnderWayError: a deployment is under way.
            PermissionError: only others may write here.
        """
        if self._store.root.is_dir():
            with self._store.locked():
                self._recover()

    def _rehearse(self, models: Mapping[str, Path], bench: Bench) -> Deployment:
        self._report.say("dry run: in a temporary folder")
        with tempfile.TemporaryDirectory(prefix="sentio-deploy-") as folder:
            store = ReleaseStore(Path(folder) / self._store.production.name)
            rehearsal = ModelDeployer(store.production, report=self._report)
            try:
                deployment = rehearsal.deploy(models, bench)
            except DeploymentError as error:
                told = f"{error.deployment.reason}; dry run, nothing is changed"
                raise DeploymentError(told, error.deployment, exit_code=error.exit_code) from error
            store.discard(deployment.id)  # TemporaryDirectory does not remove what is read-only
        return Deployment(document={**deployment.document, "outcome": "dry run"})

    def _deploy(self, models: Mapping[str, Path], bench: Bench) -> Deployment:
        document = self._document("deploy")
        id_ = document["id"]

        def stage(folder: Path) -> None:
            for name, model in self._carried(document["previous"]).items():
                if name not in models:
                    source = self._store.release(document["previous"]) / name
                    copy_artifact(source, folder / name)
                    document["models"][name] = model
            for name, source in models.items():
                document["models"][name] = self._staged(name, source, folder / name, bench, id_)
            failed = [
                f"{name}: {gate['symbol']} {gate['figure']} must be {gate['comparison']} {gate['limit']:g}, "
                f"found {_shown(gate)}"
                for name in models
                for gate in document["models"][name]["gates"]
                if not gate["passed"]
            ]
            if failed:
                raise SentioError(f"not deployed: {'; '.join(failed)}")

        def verify(release: Path) -> None:
            _check_release(release, document)
            for name in models:
                model = document["models"][name]
                model["backends"] = check_loads(release / name)
                for evidence in model["evidence"]:
                    check_trades(release, name, evidence)

        return self._go_live(document, stage, verify)

    def _carried(self, id_: str | None) -> Document:
        """The models that are live now."""
        if id_ is None:
            return {}
        try:
            carried: Document = self._store.document(self._store.release(id_))["models"]
        except ArtifactError as error:
            raise ArtifactError(f"{error}; what is live is damaged: sentio rollback BACKUP replaces it") from error
        return carried

    def _staged(self, name: str, source: Path, target: Path, bench: Bench, id_: str) -> Document:
        """Copies an artifact and judges the copy: what is judged is what gets deployed."""
        if not source.is_dir():
            raise ArtifactError(f"{shown_path(source)}: no such artifact folder")
        trials = count_trials(load_model(source))
        with sole_writer(source):
            hashes = copy_artifact(source, target)
        self._report.say(f"{name}: {shown_path(source)} is copied and its hashes are verified")
        artifact = load_model(target)
        judgements = judge(artifact, origin=source, trials=trials, bench=bench)
        gates = [{**asdict(gate), "passed": gate.passed} for each in judgements for gate in each.gates]
        passed = sum(gate["passed"] for gate in gates)
        self._report.say(f"{name}: passes {passed} of {len(gates)} gates")
        return {
            "source": shown_path(source),
            **_identity(artifact),
            "deployment": id_,
            "trials": trials,  # C++ deflates the Sharpe ratio of what is deployed by them
            "files": hashes,
            "gates": gates,
            "evidence": [each.evidence for each in judgements],
        }

    def _roll_back_to(self, wanted: str | None) -> Deployment:
        document = self._document("rollback")
        name = wanted if wanted is not None else self._default_backup(document["previous"])
        backup = self._store.find_backup(name)
        kept = self._store.document(backup)
        document["models"] = kept["models"]
        document["restores"] = name
        document["reason"] = f"rollback to {name}"
        document["warnings"] = []

        def stage(folder: Path) -> None:
            check_files(backup, kept)
            for each in kept["models"]:
                copy_artifact(backup / each, folder / each)

        def verify(release: Path) -> None:
            _check_release(release, document)
            document["warnings"] = _try_trades(release, document)

        deployment = self._go_live(document, stage, verify, chain=kept["undo"])
        for warning in document["warnings"]:
            self._report.warn(warning)
        return deployment

    def _default_backup(self, live: str | None) -> str:
        """What was live before the live release."""
        backups = self._store.backups()
        folder = None if live is None else self._store.release(live)
        if folder is not None and folder.is_dir():
            before: str | None = self._store.document(folder)["undo"]
            if before is None:
                known = f"; there are {', '.join(backups)}" if backups else ""
                raise ConfigError(f"nothing was live before {live}; name a backup{known}")
            return before
        if not backups:
            raise ConfigError(f"{shown_path(self._store.root)}: has no backups")
        return backups[-1]

    def _document(self, action: Literal["deploy", "rollback"]) -> Document:
        return {
            "schema_version": SCHEMA_VERSION,
            "id": self._store.fresh_id(),
            "action": action,
            "models": {},
            "previous": self._store.live(),
            "backup": None,
            "undo": None,
            "versions": versions_document(Path.cwd()),
            "reason": None,
        }

    def _go_live(
        self,
        document: Document,
        stage: Callable[[Path], None],
        verify: Callable[[Path], None],
        *,
        chain: str | None = None,
    ) -> Deployment:
        """Stages, verifies, backs up, turns the link, verifies, records; whatever fails, what was live is live.

        Args:
            document: of the release; filled while the steps run.
            stage: fills an empty folder.
            verify: looks at the release, first by its own path, then through the link.
            chain: of a rollback, the backup that a further rollback goes to.
        """
        store, id_, previous = self._store, document["id"], document["previous"]
        try:
            with store.staging(id_) as folder:
                stage(folder)
                if previous is not None and self._can_be_backed_up(previous):
                    # Named before it is made: the release that is published says it, and is never written again.
                    document["backup"] = f"backup_{id_}"
                document["undo"] = document["backup"] if document["action"] == "deploy" else chain
                release = store.publish(folder, id_, document)
            verify(release)
            self._report.say(f"{shown_path(release)}: verified by C++")
            if document["backup"] is not None:
                store.back_up(previous, before=id_)
                self._report.say(f"{shown_path(store.backup(document['backup']))}: what was live")
            store.swap(id_)
            verify(store.production)
            self._report.say(f"{shown_path(store.production)}: live and verified by C++")
            deployment = self._record(document, "deployed", document["reason"])
        except BaseException as error:  # noqa: BLE001  an interruption, too, must turn the link back; all is raised
            turned = store.live() != previous
            if turned:
                store.swap(previous)
            self._give_up(document, error, "rolled back" if turned else "refused")
        self._prune()
        return deployment

    def _can_be_backed_up(self, live: str) -> bool:
        release = self._store.release(live)
        try:
            check_files(release, self._store.document(release))
        except ArtifactError as error:
            self._report.warn(f"what is live is damaged and gets no backup: {error}")
            return False
        return True

    def _prune(self) -> None:
        try:
            for old in self._store.prune(self._keep):
                self._report.say(f"{shown_path(self._store.release(old))}: removed, {self._keep} releases are kept")
        except OSError as error:  # the deployment is done
            self._report.warn(f"an old release could not be removed: {error}")

    def _give_up(self, document: Document, error: BaseException, outcome: Outcome) -> NoReturn:
        """Removes the release, records why where that can be done, and raises."""
        store, id_ = self._store, document["id"]
        store.discard(id_)
        unchanged = f"{shown_path(store.production)} is as it was"
        if isinstance(error, SentioError):
            deployment = self._record(document, outcome, str(error))
            raise DeploymentError(f"{error}; {unchanged}", deployment, exit_code=error.exit_code) from error
        if isinstance(error, KeyboardInterrupt):
            self._record(document, outcome, "interrupted")
            raise StoppedError(f"interrupted; {unchanged}") from error
        if isinstance(error, OSError):  # such as a full disk, on which a record may not fit either
            place = f"{shown_path(Path(error.filename))}: " if error.filename else ""
            raise SentioError(f"{place}{error.strerror or error}; {unchanged}") from error
        raise error

    def _record(self, document: Document, outcome: Outcome, reason: str | None) -> Deployment:
        ended = {**document, "outcome": outcome, "reason": reason}
        self._store.record(ended)
        return Deployment(document=ended)

    def _recover(self) -> None:
        store = self._store
        for path in store.remove_partials():
            self._report.warn(f"{shown_path(path)}: removed; a deployment died while it was made")
        live, linked = store.live(), store.linked()
        for id_ in store.unrecorded():
            if id_ == live:
                self._complete(id_)
            elif id_ not in linked:  # live by another link: whoever deploys by that one completes it
                store.discard(id_)
                self._report.warn(f"{shown_path(store.release(id_))}: removed; its deployment died before it was live")

    def _complete(self, id_: str) -> None:
        """Ends a deployment that died behind the swap: keeps the release if it is sound, else turns the link back."""
        store = self._store
        release = store.release(id_)
        died = "its process died after it went live"
        try:
            document = store.document(release)
        except ArtifactError as error:
            self._report.warn(f"what is live is damaged: {error}; sentio rollback BACKUP replaces it")
            return
        try:
            _check_release(release, document)
        except ArtifactError as error:
            previous = document["previous"]
            store.swap(previous if previous is not None and store.release(previous).is_dir() else None)
            store.discard(id_)
            self._record(document, "rolled back", f"{died}, and it does not load: {error}")
            self._report.warn(f"{shown_path(release)}: {died}, and it does not load; what was live before is live")
            return
        self._record(document, "deployed", f"{died}; verified by the next command")
        self._report.warn(f"{shown_path(release)}: {died}; it is verified and recorded now")


def deployed_models(texts: Sequence[str]) -> dict[str, Path]:
    """`name:folder`, several of them.

    Raises:
        ConfigError: one is not of that form, or a name is given twice.
    """
    models: dict[str, Path] = {}
    for text in texts:
        name, colon, folder = text.partition(":")
        if not colon or not name or not folder:
            raise ConfigError(f"--models must be name:folder, such as tfa:artifacts/TFA/v1, found '{text}'")
        if name in models:
            raise ConfigError(f"--models: '{name}' is given twice")
        models[name] = Path(folder)
    return models


def _check_names(models: Mapping[str, Path]) -> None:
    if not models:
        raise ConfigError("no model is given; --models tfa:artifacts/TFA/v1 deploys one")
    for name in models:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"a name in production is made of letters, digits, '_', '-', found '{name}'")


def _identity(artifact: Artifact) -> Document:
    metadata = artifact.metadata
    return {
        "model_id": metadata.get("model_id"),
        "version": metadata.get("version"),
        "seal": metadata.get("seal"),
        "versions": metadata.get("versions"),
        "data": metadata["data"],
        "decision": artifact.decision,
        "spec_hash": artifact.spec_hash,
    }


def _check_release(release: Path, document: Document) -> None:
    """Every file is the one that was deployed, and C++ loads every model."""
    check_files(release, document)
    for name in document["models"]:
        load_model(release / name)


def _try_trades(release: Path, document: Document) -> list[str]:
    """What could not be seen again of the figures of a backup. A way back that loads is taken all the same."""
    warnings = []
    for name, model in document["models"].items():
        for evidence in model["evidence"]:
            try:
                changed = bars_changed(evidence)
                if changed is None:
                    check_trades(release, name, evidence)
            except ArtifactError as error:
                changed = str(error)
            if changed is not None:
                warnings.append(f"{name}: its trades were not seen again: {changed}")
    return warnings


def _shown(gate: Mapping[str, Any]) -> str:
    return Gate(**{key: gate[key] for key in _GATE_KEYS}).shown
