"""Models as a command line names them, and options that take several words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentio_trainer.errors import ArtifactError, ConfigError
from sentio_trainer.model_list import ArtifactModel, RuleModel, parse_models
from sentio_trainer.several_words import one_word_each


def folder(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir(parents=True)
    (path / "metadata.json").write_text("{}")
    return path


def test_rules_params_and_folders_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path, "artifacts/TFA/v1")
    folder(tmp_path, "v2")
    texts = [
        "b:buy_and_hold",
        "f:sma_cross(fast=5, slow=20,allow_short=true)",
        "u:vwap_reversion(session=utc_day)",
        "v1:artifacts/TFA/v1",
        "v-2.0:v2",
    ]
    assert parse_models(texts) == [
        RuleModel(label="b", rule="buy_and_hold", params={}),
        RuleModel(label="f", rule="sma_cross", params={"fast": 5.0, "slow": 20.0, "allow_short": True}),
        RuleModel(label="u", rule="vwap_reversion", params={"session": "utc_day"}),
        ArtifactModel(label="v1", folder=Path("artifacts/TFA/v1")),
        ArtifactModel(label="v-2.0", folder=Path("v2")),
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["buy_and_hold"], "--models buy_and_hold: must be LABEL:RULE, LABEL:RULE(KEY=VALUE,KEY=VALUE) or LABEL:ART"),
        (["a:"], "--models a:: must be LABEL:RULE"),
        (["a b:buy_and_hold"], "a label is made of 1 to 32 letters, digits, '.', '_', '-', found 'a b'"),
        (["a:buy_and_hold", "a:sma_cross"], "--models a:sma_cross: label 'a' is given twice"),
        (["a:sma_cros"], "--models a:sma_cros: unknown strategy 'sma_cros'; did you mean 'sma_cross'?"),
        (["a:sma_cross(fast=5"], "--models a:sma_cross(fast=5: must be LABEL:RULE"),
        (["a:sma_cross(fast)"], "params are written (key=value,key=value), found 'fast'"),
        (["a:sma_cross(fast=x)"], "param fast of sma_cross must be a whole number from 1 to 10000, found 'x'"),
        (["a:sma_cross(fast=)"], "param fast of sma_cross must be a whole number from 1 to 10000, found ''"),
        (["a:vwap_reversion(session=utc)"], "session of vwap_reversion"),
        (["a:sma_cross(fast=2,fast=3)"], "param fast is given twice"),
        (["a:sma_cross(quick=2)"], "unknown param 'quick' of sma_cross"),
        (["a:sma_cross(fast=0)"], "param fast of sma_cross must be a whole number from 1 to 10000, found '0.0'"),
        (["a:tfa"], "a trained model is named by its folder, such as a:artifacts/TFA/v1"),
        (["a:buy_and_hold(n=1)"], "buy_and_hold takes no params"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_models(texts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"v1 is not an artifact: it has no metadata\.json"):
        parse_models([f"v1:{tmp_path}/v1"])


MODELS, SYMBOLS = "--models", "--test-symbols"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("--models a b --test-symbols SPY QQQ --days 9", "--models a --models b --test-symbols SPY --test-symbols QQQ"),
        ("--models a --models b", "--models a --models b"),
        ("--models a b --models c", "--models a --models b --models c"),
        ("--models=a b", "--models=a --models b"),
    ],
)
def test_words_after_an_option_belong_to_it(written: str, read: str) -> None:
    found = list(one_word_each(written.split(), {MODELS, SYMBOLS}))
    assert found[: len(read.split())] == read.split()
    assert found[len(read.split()) :] in ([], ["--days", "9"])


@given(words=st.lists(st.sampled_from(["--days", "9", "--no-plots", "-x", "word"])))
def test_other_options_keep_their_words(words: list[str]) -> None:
    assert list(one_word_each(words, {MODELS})) == words
