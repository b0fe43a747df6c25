"""What operators look at names what the processes export, and is written down."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from shared.observability import metrics

DEPLOY = Path("deploy/observability")
RULES = (DEPLOY / "alerts.yml").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
PAGE = Path("docs/observability.md").read_text()
OURS = [metric for metric in vars(metrics).values() if hasattr(metric, "_labelnames")]
SAMPLES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
}


def exported() -> set[str]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("marketplace_")]
    return {family.name + suffix for family in families for suffix in SAMPLES[family.type]}


@pytest.mark.parametrize("file", ["alerts.yml", "alerts.test.yml", "grafana/dashboards/marketplace.json"])
def test_each_metric_that_is_named_is_exported(file: str) -> None:
    named = {*re.findall(r"marketplace_\w+", (DEPLOY / file).read_text())}

    assert named
    assert named <= exported()


@pytest.mark.parametrize(
    "command",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")],
)
def test_promtool_finds_nothing_wrong(command: tuple[str, ...]) -> None:
    said = subprocess.run(["promtool", *command], cwd=DEPLOY, capture_output=True, text=True)

    assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = yaml.safe_load((DEPLOY / "alerts.test.yml").read_text())["tests"]
    tested = [(rule["alertname"], bool(rule["exp_alerts"])) for case in cases for rule in case["alert_rule_test"]]

    assert sorted(tested) == sorted((alert, fires) for alert in ALERTS for fires in (True, False))


def test_each_alert_and_each_metric_is_written_down() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert rows == [
        (metric._name + "_total" * (metric._type == "counter"), metric._type, ", ".join(metric._labelnames) or "–")
        for metric in OURS
    ]
    assert re.findall(r"^\| `([A-Z][a-z]\w+)` \|", PAGE, re.MULTILINE) == ALERTS
