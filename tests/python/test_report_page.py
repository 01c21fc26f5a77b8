"""`sentio report`: the page, the picture and the text of a backtest, as files; in a browser: test_report_browser.py."""

import base64
import gzip
import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_support import run_cli
from report_runs import changed, judge, session_bars, traded, write_bars

from sentio_trainer.cli import app, run
from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.pages.derived import round_trips
from sentio_trainer.pages.figures import percent
from sentio_trainer.pages.folder import read_folder
from sentio_trainer.pages.write import write_report

pytest.importorskip("plotly", reason="needs sentio[report]")
pytest.importorskip("matplotlib", reason="needs sentio[report]")

PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """What a page says and holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.held: dict[str, str] = {}  # of script elements, by id
        self._within: str | None = None
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._within = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._within = None

    def handle_data(self, data: str) -> None:
        if self._within is None:
            self.text += f"{data} "
        else:
            self.held[self._within] = data

    def charts(self) -> dict[str, Any]:
        packed = base64.b64decode(self.held["charts"])
        return {chart["key"]: chart for chart in json.loads(gzip.decompress(packed))}


@pytest.fixture(scope="module")
def tpa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    judge(root / "run", write_bars(root / "XYZ.csv", session_bars(30)), "--days", "25")
    return root / "run"


@pytest.fixture(scope="module")
def page(tpa: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_report(tpa, html=path)
    return Page(path)


def test_the_page_asks_for_nothing_outside_itself(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(given["content"] for tag, given in page.tags if tag == "meta" and "http-equiv" in given)
    assert str(policy).startswith("default-src 'none'")
    assert "http:" not in page.source
    assert "https:" not in page.source
    assert "url(" not in page.source


def test_every_section_of_a_report_is_there(page: Page) -> None:
    headings = re.findall(r"<h2 [^>]*>(.*?)</h2>", page.source)
    assert headings == [
        "Key figures", "Evidence", "Readiness", "Equity and drawdown", "Returns of the periods", "Monthly returns",
        "Trades on the price", "Signal calibration", "Exposure and turnover", "Costs paid", "Distribution of trades",
        "Parameters", "Provenance",
    ]  # fmt: skip


def test_charts_and_tables_can_be_read_without_eyes(page: Page) -> None:
    charts = [given for tag, given in page.tags if given.get("class") == "chart"]
    assert len(charts) == 7, "all but the calibration, which a rule has not"
    assert all(given["role"] == "img" and len(str(given["aria-label"])) > 40 for given in charts)
    assert all(given.get("scope") in ("col", "row") for tag, given in page.tags if tag == "th")
    assert page.source.count("<table") == page.source.count("<caption")
    assert ("html", {"lang": "en"}) in page.tags


def test_nothing_undefined_is_shown_raw(page: Page) -> None:
    assert not re.search(r"\b(None|nan|NaN|null|inf|undefined[^ ])\b", page.text)
    assert "– (no completed trade)" in page.text, "of buy-and-hold"
    assert "The strategy is a rule: it gives no probability." in page.text


def test_the_figures_are_those_of_the_report(page: Page, tpa: Path) -> None:
    report = json.loads((tpa / "report.json").read_text())
    text = page.text.replace("\u00a0", " ")
    assert f"{report['metrics']['total_return'] * 100:.2f} %" in text
    assert f"{report['metrics']['end_equity']:,.2f}" in text
    assert str(report["fills_hash"]) in text
    assert str(report["bars"]["sha256"]) in text
    for row in report["periods"]:
        assert row["label"] in text
    periods = page.charts()["periods"]["traces"][0]
    assert periods["y"] == [pytest.approx(row["metrics"]["total_return"], rel=1e-5) for row in report["periods"]]


def test_the_price_and_all_fills_are_in_the_page(page: Page, tpa: Path) -> None:
    zoomed = page.charts()["trades"]["zoomed"]
    rows = [line.split(",") for line in (tpa / "fills.csv").read_text().splitlines()[1:]]
    assert zoomed["fills"]["price"] == [pytest.approx(float(row[4]), rel=1e-5) for row in rows]
    names = [kind["name"] for kind in zoomed["kinds"]]
    assert [names[kind] for kind in zoomed["fills"]["kind"][:4]] == ["long entry", "exit", "long entry", "exit"]
    assert len(zoomed["ts"]) == len((tpa / "equity.csv").read_text().splitlines()) - 1


def test_a_run_that_saw_its_bars_says_so_first_and_in_its_periods(tpa: Path, tmp_path: Path) -> None:
    first = "IN-SAMPLE: 60 of 1,500 measured bars trained or tuned this model; the figures are no evidence of skill."

    def trained(document: dict[str, Any]) -> None:
        document["verdict"].insert(0, first)
        document["periods"][0]["sample"] = "in-sample"
        document["measured"]["samples"] = {"in-sample": 60, "out-of-sample": 1440}

    folder = tmp_path / "run"
    copied(tpa, folder)
    write_report(changed(folder, trained))
    seen = Page(folder / "report.html")
    assert seen.source.index(first) < seen.source.index("<h2")
    assert "verdict warned" in seen.source
    names = [trace["name"] for trace in seen.charts()["periods"]["traces"]]
    assert names == ["not seen by the model", "IN-SAMPLE or validation", "buy and hold"]
    assert "in-sample 60 bars (4.0\u00a0%)" in seen.text
    assert (folder / "report.md").read_text().index("IN-SAMPLE") < (folder / "report.md").read_text().index("## ")


def test_what_is_not_annualised_is_a_dash_with_the_reason_and_evidence_is_shown(tpa: Path, tmp_path: Path) -> None:
    def few(document: dict[str, Any]) -> None:
        reason = {"sharpe": None, "annualised_return": None, "not_annualised": "not annualised: 5 sessions"}
        document["metrics"].update(reason, sharpe_of_stretch=1.234)
        document["evidence"].update(deflated_sharpe=0.9004, sharpe_low=-0.5, sharpe_high=2.5, sessions=25)

    copied(tpa, tmp_path / "run")
    write_report(changed(tmp_path / "run", few))
    text = (tmp_path / "run" / "report.md").read_text().replace("\u00a0", " ")
    assert "| Sharpe ratio, a year | – (not annualised: 5 sessions) |" in text
    assert "| Annualised return | – (not annualised: 5 sessions) |" in text
    assert "| Sharpe ratio of the stretch, not annualised | 1.23 |" in text
    assert "| 90.04 % |" in text
    assert "| -0.50 to 2.50 |" in text


def test_generated_bars_are_called_so_first(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "XYZ.csv", session_bars(8))
    (tmp_path / "XYZ.csv.synthetic.json").write_text('{"synthetic": true, "seed": 1}')
    done = run_cli(
        "backtest", "XYZ", "--bars", bars, "--strategy", "sma_cross", "--out", tmp_path / "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    write_report(tmp_path / "run")
    for name in ("report.html", "report.md"):
        text = (tmp_path / "run" / name).read_text()
        assert 0 < text.index("SYNTHETIC DATA") < text.replace("## ", "<h2 ").index("<h2 ")


def test_texts_are_shown_as_texts(tpa: Path, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>|`x`"
    copied(tpa, tmp_path / "run")
    changed(tmp_path / "run", lambda document: document["strategy"].update(name=evil, note=evil))
    changed(tmp_path / "run", lambda document: document["notes"].append(evil))
    write_report(tmp_path / "run", title=evil)
    source = (tmp_path / "run" / "report.html").read_text()
    assert "<script>alert" not in source
    assert source.count("<script") == 3
    text = (tmp_path / "run" / "report.md").read_text()
    assert not re.search(r"(?<!\\)<script", text)
    table = [line for line in text.splitlines() if line.startswith("| Total return")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [4]


def test_equal_runs_have_equal_pages(tpa: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(
            tpa, html=tmp_path / f"{name}.html", png=tmp_path / f"{name}.png", markdown=tmp_path / f"{name}.md"
        )
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.md").read_text().replace("a.png", "b.png") == (tmp_path / "b.md").read_text()


def test_the_text_has_the_tables_and_leads_to_the_picture(tpa: Path, tmp_path: Path) -> None:
    made = write_report(tpa, png=tmp_path / "my picture.png", markdown=tmp_path / "text" / "r.md", title="A title")
    assert made == [tmp_path / "my picture.png", tmp_path / "text" / "r.md"]
    text = made[1].read_text()
    assert text.startswith("# A title\n")
    assert "](../my%20picture.png)" in text
    assert text.count("\n## ") == 13
    assert made[0].read_bytes().startswith(PNG)
    assert sorted(path.name for path in tpa.iterdir()) == ["decisions.csv", "equity.csv", "fills.csv", "report.json"]


def test_files_that_exist_are_kept_unless_told_otherwise(tpa: Path, tmp_path: Path) -> None:
    copied(tpa, tmp_path / "run")
    mine = tmp_path / "run" / "report.md"
    mine.write_text("mine")
    with pytest.raises(ConfigError, match=r"report\.md: exists; --overwrite replaces it"):
        write_report(tmp_path / "run")
    assert mine.read_text() == "mine"
    assert not (tmp_path / "run" / "report.html").exists()
    write_report(tmp_path / "run", overwrite=True)
    assert mine.read_text().startswith("# sma")


def test_a_missing_package_is_named_and_nothing_is_written(
    tpa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(tpa, tmp_path / "run")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    find = importlib.util.find_spec
    for package in ("plotly", "matplotlib"):
        with monkeypatch.context() as without:
            without.setattr(importlib.util, "find_spec", lambda name, p=package: None if name == p else find(name))
            with pytest.raises(ConfigError, match=rf"needs {package}: pip install 'sentio\[report\]'"):
                write_report(tmp_path / "run")
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_a_run_takes_the_place_of_an_earlier_one_and_its_pages(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "XYZ.csv", session_bars(8))
    judge(tmp_path / "run", bars, "--days", "2")
    write_report(tmp_path / "run")
    judge(tmp_path / "run", bars, "--days", "3")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "decisions.csv", "equity.csv", "fills.csv", "report.json",
    ]  # fmt: skip


def test_several_symbols_have_a_page_each_and_one_that_leads_there(tmp_path: Path) -> None:
    for name in ("QQQ", "A&B"):
        traded(tmp_path / "run" / name, session_bars(3), symbol=name)
    made = write_report(tmp_path / "run")
    assert len(made) == 7
    index = Page(tmp_path / "run" / "report.html")
    links = [given["href"] for tag, given in index.tags if tag == "a"]
    assert links == ["A%26B/report.html", "QQQ/report.html"]
    assert "A&B" in Page(tmp_path / "run" / "A&B" / "report.html").text
    with pytest.raises(ConfigError, match="has a folder for each symbol"):
        write_report(tmp_path / "run", html=tmp_path / "one.html")


def test_the_page_of_several_symbols_has_their_order_and_summary(tmp_path: Path) -> None:
    for seed, name in enumerate(("BBB", "AAA")):
        write_bars(tmp_path / f"{name}.csv", session_bars(30, seed=seed))
    files = [word for name in ("BBB", "AAA") for word in ("--bars", f"{name}.csv")]
    line = ("tpa_test", "BBB", "AAA", *files, "--strategy", "sma_cross", "--days", "25", "--out", "run")
    assert run_cli(*line, cwd=tmp_path).returncode == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["summary"]
    write_report(tmp_path / "run")
    index = Page(tmp_path / "run" / "report.html")
    assert [given["href"] for tag, given in index.tags if tag == "a"] == ["BBB/report.html", "AAA/report.html"]
    assert "prefers-color-scheme: dark" in index.source
    for name in ("mean", "worst", "portfolio"):
        assert f">{name}</th><td>{percent(summary[name]['total_return'])}</td>" in index.source
    assert f"<td>{summary['symbols'][0]['deflated_sharpe']:.2f}</td>" in index.source
    assert summary["symbols"][0]["stage"] in index.text
    (tmp_path / "run" / "summary.json").write_text("{}")
    with pytest.raises(DataError, match=r"summary\.json: is not the summary of several symbols"):
        write_report(tmp_path / "run", overwrite=True)


def test_the_folder_of_a_walk_forward_has_the_pages_of_its_reports(tmp_path: Path) -> None:
    traded(tmp_path / "walk" / "reports" / "QQQ", session_bars(3), symbol="QQQ")
    (tmp_path / "walk" / "walkforward.json").write_text("{}")
    made = write_report(tmp_path / "walk")
    assert [str(path.relative_to(tmp_path / "walk")) for path in made][:2] == [
        "report.html", "reports/QQQ/report.html"]  # fmt: skip
    index = Page(tmp_path / "walk" / "report.html")
    assert [given["href"] for tag, given in index.tags if tag == "a"] == ["reports/QQQ/report.html"]


def test_a_period_is_marked_as_partial_and_says_which_share_the_model_has_seen(tpa: Path, tmp_path: Path) -> None:
    def mark(document: Any) -> None:
        document["periods"][0].update(partial="1 whole session of 5")
        document["periods"][1].update(sample="validation", seen_share=0.231)

    folder = tmp_path / "run"
    copied(tpa, folder)
    changed(folder, mark)
    first, second = (row["label"] for row in json.loads((folder / "report.json").read_text())["periods"][:2])
    write_report(folder)
    text = (folder / "report.md").read_text()
    assert f"| {first}\\* |" in text
    assert f"\\* partial: {first} has 1 whole session of 5." in text
    assert f"| {second} | validation 23 % |" in text
    assert f">{first}*</th>" in (folder / "report.html").read_text()


def test_no_bar_of_the_profits_holds_gains_and_losses(tmp_path: Path) -> None:
    traded(tmp_path / "run", session_bars(6), costs="us_equity")
    run = read_folder(tmp_path / "run")
    profit = round_trips(run.fills).profit
    assert profit.min() < 0.0 < profit.max()
    write_report(tmp_path / "run")
    (bars,) = (
        trace
        for trace in Page(tmp_path / "run" / "report.html").charts()["distribution"]["traces"]
        if trace["name"] == "profit"
    )
    gains = sum(count for count, colour in zip(bars["y"], bars["marker"]["color"], strict=True) if colour == "--rise")
    assert (gains, sum(bars["y"])) == (int((profit > 0.0).sum()), len(profit))
    for centre in bars["x"]:
        low, high = centre - bars["width"] / 2, centre + bars["width"] / 2
        assert low >= -1e-6 or high <= 1e-6


def test_a_fill_says_whether_a_limit_or_a_stop_was_met(tmp_path: Path) -> None:
    traded(tmp_path / "run", session_bars(6), stop_loss=0.004, take_profit=0.004)
    rows = [line.split(",") for line in (tmp_path / "run" / "fills.csv").read_text().splitlines()[1:]]
    met = [row[1] for row in rows]
    assert set(met) == {"open", "limit", "stop"}
    write_report(tmp_path / "run")
    fills = Page(tmp_path / "run" / "report.html").charts()["trades"]["zoomed"]["fills"]
    assert fills["at"] == ["" if each == "open" else f" ({each})" for each in met]
    text = (tmp_path / "run" / "report.md").read_text()
    assert "| stop loss | 0.004 |" in text
    assert "| max volume share | – (none) |" in text


def test_the_spread_of_t_is_no_share(tpa: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    copied(tpa, folder)
    criteria = json.loads((folder / "report.json").read_text())["readiness"]["criteria"]
    (spread,) = (each for each in criteria if each["name"] == "spread of the periods' t")
    write_report(folder)
    row = f"| spread of the periods' t | {spread['value']:.2f} | at most {spread['limit']:.2f} |"
    assert row in (folder / "report.md").read_text()


def test_fills_that_tell_of_other_trades_are_refused(tpa: Path, tmp_path: Path) -> None:
    copied(tpa, tmp_path / "run")
    changed(tmp_path / "run", lambda document: document["metrics"]["trades"].update(count=1))
    with pytest.raises(DataError, match=r"fills\.csv: completes \d+ trades, report\.json says 1"):
        write_report(tmp_path / "run")


def test_the_command_says_what_it_made_and_what_is_wrong(
    tpa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(tpa, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert run(app, ["report", "run"], program="sentio") == 0
    assert re.fullmatch(
        r"run/report\.html: [\d,]+ bytes\nrun/report\.png: [\d,]+ bytes\nrun/report\.md: [\d,]+ bytes\n",
        capsys.readouterr().out,
    )
    assert run(app, ["report", "run"], program="sentio") == 2
    assert capsys.readouterr().err == "sentio: run/report.html: exists; --overwrite replaces it\n"
    assert run(app, ["report", "none"], program="sentio") == 3
    assert "none: no such folder" in capsys.readouterr().err


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_the_page_in_light_and_in_dark(page: Page) -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    themes = re.findall(r":root[^{]*\{([^}]*)\}", page.held["style"])
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", theme))
        for paper in ("page", "panel"):
            for text in ("text", "quiet", "own", "bad"):
                assert contrast(colour[text], colour[paper]) >= 4.5, (text, paper)  # WCAG 1.4.3
            for line in ("own", "held", "third", "price", "mark", "rise", "fall"):
                assert contrast(colour[line], colour[paper]) >= 3.0, (line, paper)  # WCAG 1.4.11
        assert contrast(colour["text"], colour["warning"]) >= 4.5


def copied(folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())


def test_a_million_bars_make_a_page_of_a_few_megabytes(tmp_path: Path) -> None:
    bars = session_bars(700, 1_440)
    exposure = np.repeat(np.random.default_rng(3).choice([-1.0, 0.0, 1.0], len(bars) // 20 + 1), 20)[: len(bars)]
    traded(tmp_path / "run", bars, exposure=exposure, costs="zero", fractional=True, session="utc_day")
    write_report(tmp_path / "run", html=tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 4_000_000
    page = Page(tmp_path / "page.html")
    assert "1,007,999 bars are drawn as" in page.text or "1,008,000 bars are drawn as" in page.text
    assert "the page has the 20,000 of largest value" in page.text
    zoomed = page.charts()["trades"]["zoomed"]
    assert max(zoomed["close"]) == pytest.approx(bars.close.max(), rel=1e-5)
    assert min(zoomed["close"]) == pytest.approx(bars.close.min(), rel=1e-5)
