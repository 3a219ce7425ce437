"""`python -m bench`: measure smsign and other servers in one run."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.progress import Progress

from bench import report, seed
from bench.load import Workload, need_wrk, run_wrk
from bench.peers import SCENARIOS, Bare, Peer, PocketBase, Reference, Smsign

CONNECTIONS = (1, 32, 128)
WARM_UP_S = 1
FEW, MANY, APPS = 1_000, 1_000_000, 100


def main() -> None:
    """Run, print, write build/bench.json and docs/bench.svg."""
    options = _options()
    need_wrk()
    results: report.Results = {}
    with tempfile.TemporaryDirectory(prefix="smsign-bench-") as folder:
        root = Path(folder)
        if options.scenario != "million":
            results = _run(root, options)
        million = _million(root, options) if options.scenario in (None, "million") else None
    report.show(results, million)
    report.write(Path("build/bench.json"), results, million)
    if results and not (options.quick or options.only or options.scenario):
        report.draw(Path("docs/bench.svg"), results, connections=32)
        print("Written: build/bench.json, docs/bench.svg")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH='…'", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to check that it runs")
    parser.add_argument("--only", action="append", choices=["bare", "smsign", "pocketbase", "reference"])
    parser.add_argument("--scenario", choices=[*SCENARIOS, "million"])
    parser.add_argument("--seconds", type=int, default=4, help="duration of each measurement  [4]")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median is reported  [3]")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 1, 1
    return options


def _run(root: Path, options: argparse.Namespace) -> report.Results:
    apps = 30_000 + 25_000 * options.rounds * len(CONNECTIONS) * (options.seconds + WARM_UP_S)
    makers: dict[str, Callable[[Path], Peer]] = {
        "bare": Bare,
        "smsign": lambda folder: Smsign(folder, apps=apps),
        "pocketbase": PocketBase,
        "reference": lambda folder: Reference(folder, apps=apps // 10),
    }
    scenarios = [options.scenario] if options.scenario else list(SCENARIOS)
    peers: list[Peer] = []
    results: report.Results = {}
    try:
        for name, make in makers.items():
            if not options.only or name in options.only:
                print(f"starting {name} …")
                (root / name).mkdir()
                peers.append(make(root / name))
        with Progress() as progress:
            task = progress.add_task(
                "measuring", total=options.rounds * len(scenarios) * len(CONNECTIONS) * len(peers)
            )
            for scenario in scenarios:
                used = dict.fromkeys((peer.name for peer in peers), 0)
                for connections in CONNECTIONS:
                    for _ in range(options.rounds):
                        for peer in peers:  # interleaved, so that noise affects all alike
                            progress.update(
                                task, advance=1, description=f"{scenario}, {connections}: {peer.name}"
                            )
                            workload = peer.workload(scenario)
                            if workload is not None:
                                _measure(
                                    root,
                                    peer,
                                    workload,
                                    scenario,
                                    connections,
                                    options.seconds,
                                    used,
                                    results,
                                )
                _check_stored(peers, scenario, used)
    finally:
        for peer in peers:
            peer.stop()
    return results


_taken: dict[str, int] = {}
"""Lines of its file that each peer has used: a header that creates can be used once."""


def _measure(
    root: Path,
    peer: Peer,
    workload: Workload,
    scenario: str,
    connections: int,
    seconds: int,
    used: dict[str, int],
    results: report.Results,
) -> None:
    for duration, counts in ((WARM_UP_S, False), (seconds, True)):
        measure = run_wrk(
            workload,
            url=peer.url,
            pid=peer.pid,
            connections=connections,
            seconds=duration,
            start=_taken.get(peer.name, 0) + 10,
            folder=root,
        )
        used[peer.name] += measure.requests
        if workload.lines:
            # Requests in flight at the end have used their lines as well.
            _taken[peer.name] = _taken.get(peer.name, 0) + measure.requests + 2 * connections
        if counts:
            results.setdefault((scenario, connections, peer.name), []).append(measure)


_stored: dict[str, int] = {}


def _check_stored(peers: list[Peer], scenario: str, used: dict[str, int]) -> None:
    """Raise SystemExit if a server confirmed more creates than it stored."""
    if scenario == "query":
        return
    for peer in peers:
        stored = peer.stored()
        if stored is not None:
            added = stored - _stored.get(peer.name, 0)
            _stored[peer.name] = stored
            if added < used[peer.name]:
                raise SystemExit(f"bench: {peer.name} answered {used[peer.name]} creates and stored {added}")


def _million(root: Path, options: argparse.Namespace) -> dict[str, float]:
    """Compare the rate of random queries with few and with many signatures, interleaved."""
    sizes = {"few": FEW, "many": MANY}
    peers: dict[str, Smsign] = {}
    rates: dict[str, list[float]] = {name: [] for name in sizes}
    try:
        for name, signatures in sizes.items():
            print(f"starting smsign with {signatures:,} signatures …")
            folder = root / f"million-{name}"
            folder.mkdir()
            apps = APPS
            seed.write_queries(folder / "queries", apps=apps, signatures=signatures, count=100_000)
            peers[name] = Smsign(folder, apps=apps, signatures=signatures)
        for turn in range(2 * options.rounds + 1):
            for name, peer in peers.items():
                workload = Workload("GET", "/", {}, lines=peer.folder / "queries", random=True)
                measure = run_wrk(
                    workload,
                    url=peer.url,
                    pid=peer.pid,
                    connections=32,
                    seconds=options.seconds,
                    start=0,
                    folder=root,
                )
                if turn:  # the first turn is warm-up
                    rates[name].append(measure.rps)
    finally:
        for peer in peers.values():
            peer.stop()
    few, many = median(rates["few"]), median(rates["many"])
    return {"few": few, "many": many, "ratio": many / few}


if __name__ == "__main__":
    main()
