"""Disturb runs and sweeps at random until the time is over, and compare what comes out with undisturbed ones.

    python benchmarks/soak.py --minutes 30 --seed 0 --output FOLDER

A case is a single run or a small sweep with one of the launchers of this machine. It is started up to
four times; at a random moment it gets KILL, TERM or INT, and between two starts one of its files may be
damaged. Then the same command runs until it ends. Its files have to equal those of the undisturbed
command bit for bit, or it has to refuse a damaged file in a line that names it; then `rerun=true` has to
give the equal files.

FOLDER keeps the undisturbed results and a line of JSON for every case in `cases.jsonl`. With the same
FOLDER, the next start goes on with the next case. A case that fails leaves its folder there. Exits with
1 if anything was lost, unequal, or ended in a traceback.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

RUN = ["mode=do", "replicas=2"]
SWEEP = ["-m", "dataset=haberman,pima", "mode=q,do", "replicas=2"]
SETTINGS = ["trainer.max_epochs=40", "trainer.checkpoint_seconds=0", "logger=none"]
SETTINGS += ["trainer.enable_progress_bar=false"]
LAUNCHERS = ("basic", "joblib", "submitit", "ray")
COMMANDS = {"run": RUN, **{name: [*SWEEP, f"launcher={name}"] for name in LAUNCHERS}}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
DAMAGES = ("flip", "cut", "zero", "delete")
FILES = (
    *("result.json", "model.json", "model.safetensors"),
    *("predictions.parquet", "curves.parquet", "generated.parquet"),
)
TRACEBACK = "Traceback (most recent call last)"
PATIENCE = 300.0  # seconds that a command which should have ended has before it is counted as hung


def command(name: str, folder: Path, *more: str) -> list[str]:
    start = [sys.executable, "-m", "adversarial_oversampling.train"]
    return [*start, *COMMANDS[name], *SETTINGS, f"paths.output_dir={folder / 'runs'}", *more]


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of every file of the finished runs in a folder; of a result only its numbers count."""
    found = {}
    for result in sorted(folder.glob("runs/*/*/result.json")):
        for path in (result.with_name(name) for name in FILES):
            if path.is_file():
                found[str(path.relative_to(folder))] = digest(path)
    return found


def digest(path: Path) -> str:
    data = path.read_bytes()
    if path.name == "result.json":
        try:
            result = json.loads(data)
            data = json.dumps([result["replicas"], result["mean"], result["std"]]).encode()
        except (ValueError, KeyError):
            return "damaged"
    return sha256(data).hexdigest()


def damage(path: Path, how: str, chance: random.Random) -> None:
    """Damage a file: one bit flipped, the end cut off, zeros in the middle, or deleted."""
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data)) if data else 0
    match how:
        case "flip" if data:
            data[place] ^= 1 << chance.randrange(8)
        case "cut":
            del data[place:]
        case "zero":
            data[place : place + 4096] = bytes(len(data[place : place + 4096]))
        case "delete":
            path.unlink()
            return
    path.write_bytes(data)


def targets(folder: Path) -> list[Path]:
    """Return the files whose damage has to be noticed."""
    files = [path for path in folder.glob("runs/*/*/*") if path.name in FILES]
    return sorted([*files, *folder.glob("runs/*/*/checkpoints/*.ckpt")])


class Start:
    """One start of a command, whose output goes into a file."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self._process = psutil.Popen(
                arguments,
                stdout=file,
                stderr=subprocess.STDOUT,
                # A shell's background jobs ignore SIGINT, and so would their children.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
                start_new_session=True,
            )

    def end(self, after: float, sent: signal.Signals) -> int | None:
        """Send a signal after some seconds; return the exit code, or None if it had to be killed."""
        try:
            return int(self._process.wait(after))
        except psutil.TimeoutExpired:
            below = self._process.children(recursive=True)
        if sent == signal.SIGINT:
            os.killpg(self._process.pid, sent)  # as a terminal does
        else:
            self._process.send_signal(sent)
        code: int | None = None
        try:
            code = int(self._process.wait(PATIENCE))
        except psutil.TimeoutExpired:
            self._process.kill()
        for orphan in psutil.wait_procs(below, timeout=20)[1]:  # Ray's, which end later
            try:
                orphan.kill()
            except psutil.NoSuchProcess:
                continue
        return code

    @property
    def output(self) -> str:
        """What the command has printed."""
        return self._log.read_text(errors="replace")


def finish(arguments: Sequence[str], log: Path, patience: float) -> tuple[int | None, str, float]:
    """Run a command to its end; return its exit code (None: it hung), its output and its seconds."""
    begun = time.monotonic()
    start = Start(arguments, log)
    code = start.end(patience, signal.SIGKILL)
    return None if code == -signal.SIGKILL else code, start.output, time.monotonic() - begun


def refusals(output: str) -> list[str]:
    """Return the lines that refuse something, without the folders."""
    lines = re.findall(r"^(?:\[.*?\] )?((?:Error:|FAILED) .*)$", output, flags=re.M)
    return [re.sub(r"\S*/", "", line) for line in lines]


def disturb(name: str, folder: Path, seconds: float, chance: random.Random) -> dict[str, Any]:
    """Start a command several times, each time ended by a signal, with damage in between."""
    starts, damages, tracebacks, hung = [], [], 0, 0
    for number in range(chance.randint(1, 4)):
        sent = chance.choice(SIGNALS)
        start = Start(command(name, folder), folder / f"start{number}.log")
        code = start.end(chance.uniform(0.05, 1.1) * seconds, sent)
        starts.append([sent.name, code])
        tracebacks += TRACEBACK in start.output
        hung += code is None
        files = targets(folder)
        if files and chance.random() < 0.5:
            path, how = chance.choice(files), chance.choice(DAMAGES)
            damage(path, how, chance)
            damages.append([how, path.suffix if path.suffix == ".ckpt" else path.name])
    return {"starts": starts, "damages": damages, "tracebacks": tracebacks, "hung": hung}


def case(number: int, seed: int, names: Sequence[str], output: Path) -> dict[str, Any]:
    """Run one case and return what happened."""
    chance = random.Random(f"{seed} {number}")
    name = names[number % len(names)]
    straight = json.loads((output / f"{name}.json").read_text())
    folder = output / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    record: dict[str, Any] = {"case": number, "seed": seed, "command": name, "outcome": "", "refusals": []}
    record |= disturb(name, folder, straight["seconds"], chance)
    for more in ([], ["rerun=true"]):
        patience = PATIENCE + 10 * straight["seconds"]
        code, text, _ = finish(command(name, folder, *more), folder / "last.log", patience)
        record["tracebacks"] += TRACEBACK in text
        record["hung"] += code is None
        if code is None:
            record["outcome"] = "HUNG"
            break
        if code == 0:
            equal = contents(folder) == straight["contents"]
            record["outcome"] = ("refused, then " if more else "") + ("equal" if equal else "UNEQUAL")
            break
        record["refusals"] += refusals(text)
        record["outcome"] = "LOST" if more else "refused"
        if not any(file in line for _, file in record["damages"] for line in record["refusals"]):
            record["outcome"] = "REFUSED WITHOUT THE NAME OF A DAMAGED FILE"
            break
    logs = [log.read_text(errors="replace") for log in folder.glob("runs/*/*/output.log")]
    record["tracebacks"] += sum(TRACEBACK in log for log in logs)
    if failed(record):
        shutil.copytree(folder, output / f"failed-{seed}-{number}", dirs_exist_ok=True)
    return record


def failed(record: Mapping[str, Any]) -> bool:
    """Return whether a case was lost or unequal, hung, or printed a traceback."""
    good = ("equal", "refused, then equal")
    return record["outcome"] not in good or record["tracebacks"] > 0 or record["hung"] > 0


def undisturbed(name: str, output: Path) -> None:
    """Run a command undisturbed, and keep its seconds and the digests of its files."""
    file = output / f"{name}.json"
    if file.exists():
        return
    folder = output / "straight" / name
    folder.mkdir(parents=True, exist_ok=True)
    code, text, seconds = finish(command(name, folder, "rerun=true"), folder / "last.log", 12 * PATIENCE)
    if code != 0:
        sys.exit(f"The undisturbed command {name} failed:\n{text}")
    file.write_text(json.dumps({"seconds": seconds, "contents": contents(folder)}, indent=1) + "\n")
    print(f"{name}: {seconds:.0f} s undisturbed", flush=True)


def summary(cases: Sequence[Mapping[str, Any]]) -> str:
    """Return the counts of everything that happened."""
    starts = Counter(tuple(start) for one in cases for start in one["starts"])
    counts = {
        "cases": Counter(one["command"] for one in cases),
        "signals": Counter(sent for one in cases for sent, _ in one["starts"]),
        "ended before the signal": Counter({"": sum(n for (_, code), n in starts.items() if code in (0, 1))}),
        "damages": Counter(" ".join(done) for one in cases for done in one["damages"]),
        "outcomes": Counter(one["outcome"] for one in cases),
        "refusals": Counter(re.sub(r"\d+", "N", line) for one in cases for line in one["refusals"]),
        "tracebacks": Counter({"": sum(one["tracebacks"] for one in cases)}),
        "hung": Counter({"": sum(one["hung"] for one in cases)}),
    }
    lines = []
    for title, count in counts.items():
        lines.append(f"{title}: {sum(count.values())}")
        lines += [f"  {number} {key}" for key, number in count.most_common() if key]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="folder for the log and the runs")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    arguments = parser.parse_args()
    output: Path = arguments.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    for name in arguments.commands:
        undisturbed(name, output)
    log = output / "cases.jsonl"
    cases = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    end = time.monotonic() + 60 * arguments.minutes
    while time.monotonic() < end:
        number = sum(one["seed"] == arguments.seed for one in cases)
        record = case(number, arguments.seed, arguments.commands, output)
        with log.open("a") as file:
            file.write(json.dumps(record) + "\n")
        cases.append(record)
        starts = ", ".join(f"{sent} {code}" for sent, code in record["starts"])
        damages = ", ".join(" ".join(done) for done in record["damages"]) or "no damage"
        print(f"{number} {record['command']}: {starts}; {damages}: {record['outcome']}", flush=True)
    print(summary(cases))
    sys.exit(any(map(failed, cases)))


if __name__ == "__main__":
    main()
