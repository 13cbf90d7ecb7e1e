"""The jobs of a sweep before they start: in which order they run, and how long they will take."""

import heapq
import itertools
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from adversarial_oversampling.config.catalogue import dataset_description
from adversarial_oversampling.config.compose import added_folders
from adversarial_oversampling.config.identity import has_generator
from adversarial_oversampling.config.resources import replica_count
from adversarial_oversampling.config.validation import check_choices
from adversarial_oversampling.errors import InputError, parsing
from adversarial_oversampling.guard import explanation
from adversarial_oversampling.limits import Number
from adversarial_oversampling.results.files import RESULT
from adversarial_oversampling.sweep.overrides import jobs_of
from adversarial_oversampling.text import one_line

Kind = tuple[str | int | None, ...]
"""What jobs have in common that take about as long: dataset, mode, protocol, epochs and replicas."""

OUR_SWEEPER = "hydra_plugins.longest_first_sweeper."
BATCH_SIZE = Number(int, minimum=1, optional=True)
SPEED = 1e8  # what a core does in a second, roughly; ratios count more


@dataclass(frozen=True)
class Job:
    """A job of a sweep, before it starts.

    Attributes
    ----------
    folder : str
        Folder of its result; jobs that share one are the same run.
    kind : tuple
        See `Kind`. The dataset is the first item.
    seconds : float
        What it takes by a rough rule, or what an earlier run of its kind took; 0 if it has finished before.
    """

    folder: str
    kind: Kind
    seconds: float


def plan(config: DictConfig) -> list[Job]:
    """Return the jobs of a multirun in the order in which they will run, and set this order.

    Every job is composed, so that a faulty one is refused before any job runs. With the suite's own sweeper
    the longest jobs run first; another sweeper keeps its own order.

    Parameters
    ----------
    config : DictConfig
        The configuration of the multirun; `hydra.sweeper.order` is set if the sweeper has this setting.

    Raises
    ------
    InputError
        If a job cannot be composed or has no folder. The message names its choices.
    """
    stored = stored_seconds(Path(str(config.hydra.sweep.dir)))
    BATCH_SIZE.check("hydra.sweeper.max_batch_size", config.hydra.sweeper.get("max_batch_size"))
    seen: set[str] = set()
    jobs, natural, seeds = [], [], []
    for overrides in jobs_of(config):
        cfg = composed(config, overrides, seen)
        jobs.append(_job(cfg, stored))
        natural.append(cfg.fs.ratio is None)
        others = tuple(item for item in overrides if not item.startswith("seed="))
        seeds.append((others, cfg.seed, cfg.replicas))
    if warning := shared_seeds(seeds):
        print(warning, flush=True)
    order = list(range(len(jobs)))
    if str(config.hydra.sweeper._target_).startswith(OUR_SWEEPER):
        # Among jobs that take as long, those with the natural ratio: others may take over their numbers.
        order.sort(key=lambda number: (-jobs[number].seconds, not natural[number]))
        config.hydra.sweeper.order = order
    return [jobs[number] for number in order]


def shared_seeds(jobs: Iterable[tuple[Hashable, Any, Any]]) -> str | None:
    """Return a warning if jobs that differ only in `seed` have replicas of the same seeds.

    Parameters
    ----------
    jobs : iterable of (hashable, int, int)
        The other settings of each job, its first seed and its number of replicas.
    """
    alike: dict[Hashable, dict[int, int]] = defaultdict(dict)
    for others, seed, replicas in jobs:
        if isinstance(seed, int) and isinstance(replicas, int):  # others are refused when the job starts
            alike[others][seed] = replicas
    for replicas_of in alike.values():
        seeds = sorted(replicas_of)
        for seed, following in itertools.pairwise(seeds):
            replicas = replicas_of[seed]
            if following < seed + replicas:
                spaced = f"seed=range({seeds[0]},{seeds[0] + len(seeds) * replicas},{replicas})"
                return (
                    f"Warning: seed={seed} with replicas={replicas} has the seeds {seed} to "
                    f"{seed + replicas - 1}, and seed={following} has some of them again; to have each once: "
                    f"{spaced}"
                )
    return None


def plan_search(jobs: int, modes: int) -> list[Job]:
    """Return as many jobs of a search; those of a mode differ little in time, and take turns with others."""
    return [Job(folder=str(job), kind=(job % modes,), seconds=1.0) for job in range(jobs)]


def composed(config: DictConfig, overrides: Sequence[str], seen: set[str]) -> DictConfig:
    """Return the configuration of a job; the choices in `seen` are left out of the message of an error.

    Raises
    ------
    InputError
        If it cannot be composed.
    """
    choices = [item for item in overrides if item.partition("=")[0] in config.hydra.runtime.choices]
    try:
        cfg = GlobalHydra.instance().config_loader().load_sweep_config(config, list(overrides))
        cfg.hydra.sweep.subdir = str(cfg.hydra.sweep.subdir)  # Hydra ends the sweep where this fails
        check_choices(cfg.hydra)
        cfg.paths.config_dirs = added_folders(cfg.hydra)
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        new_choices = " ".join(item for item in choices if item not in seen) or " ".join(overrides)
        problem = explanation(error) or one_line(error)
        where = "" if problem.startswith(new_choices) else f"{new_choices}: "
        raise InputError(f"No job was started. {where}{problem}") from error
    seen |= set(choices)
    return cfg


def _job(cfg: DictConfig, stored: Mapping[Kind, float]) -> Job:
    try:
        folder = Path(str(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir))
        kind = kind_of(cfg)
        finished = (folder / RESULT).is_file() and not cfg.rerun
        seconds = 0.0 if finished else stored.get(kind, rough_seconds(cfg))
    except (OmegaConfBaseException, InputError, TypeError, ValueError):  # the job itself will report it
        return Job(folder="", kind=(), seconds=0.0)
    return Job(str(folder), kind, seconds)


def kind_of(cfg: DictConfig) -> Kind:
    """Return a configuration's kind."""
    return (cfg.dataset.name, cfg.mode.name, cfg.protocol.name, cfg.trainer.max_epochs, replica_count(cfg))


def rough_seconds(cfg: DictConfig) -> float:
    """Return by a rough rule how long a job takes, to compare it with other jobs.

    The time is taken to grow with the epochs, the replicas, the rows, and the columns beside the 400 units of
    the inner layers. A generator makes it four times as long, and a mode without epochs takes as long as ten.
    A table of unknown size is taken for one of 1000 rows and 10 columns.
    """
    table = dataset_description(cfg)
    epochs = 10 if "estimator" in cfg.mode else cfg.trainer.max_epochs
    cells = (table.rows or 1000) * ((table.columns or 10) + 400)
    return float(epochs * replica_count(cfg) * cells * (4 if has_generator(cfg) else 1) / SPEED)


def stored_seconds(output: Path) -> dict[Kind, float]:
    """Return the mean seconds of the finished runs in an output folder by kind."""
    found: dict[Kind, list[float]] = {}
    for file in output.glob(f"*/*/{RESULT}"):
        with suppress(InputError), parsing(file, "it is left out."):  # damaged, or of another version
            content = json.loads(file.read_text("utf-8"))
            names = (content["dataset"], content["mode"], content["protocol"], content["epochs"])
            seconds = float(sum(content["seconds"].values()))
            found.setdefault((*names, len(content["replicas"])), []).append(seconds)
    return {kind: mean(seconds) for kind, seconds in found.items()}


def seconds_to_go(
    ended: Iterable[tuple[Job, float]],
    running: Iterable[tuple[Job, float]],
    waiting: Sequence[Job],
    at_once: int,
) -> float | None:
    """Return in how many seconds a sweep will end; None if none of its jobs was run yet.

    A job takes as long as the mean of the ended jobs of its kind. Where there are none, its rough seconds are
    scaled: by what the ended jobs of its dataset, or else all ended jobs, took compared with theirs. A
    running job of the same kind that already takes longer counts too.

    Parameters
    ----------
    ended : iterable of (Job, float)
        The jobs that were run, with their seconds.
    running : iterable of (Job, float)
        With the seconds since they started.
    waiting : sequence of Job
        In the order in which they will start.
    at_once : int
        Number of jobs that run at once.
    """
    ended, running = list(ended), list(running)
    if not ended:
        return None
    longest: dict[Kind, float] = {}
    for job, seconds in running:
        longest[job.kind] = max(seconds, longest.get(job.kind, 0.0))

    def expected(job: Job) -> float:
        if not job.seconds:
            return 0.0
        same = [seconds for other, seconds in ended if other.kind == job.kind]
        known = mean(same) if same else job.seconds * _scale(job, ended)
        return max(known, longest.get(job.kind, 0.0))

    free = [max(0.0, expected(job) - seconds) for job, seconds in running]
    free += [0.0] * (at_once - len(free))
    heapq.heapify(free)
    started = {job.folder for job, _ in [*ended, *running]}
    for job in waiting:
        if job.folder not in started:  # otherwise it is the same run as another job
            started.add(job.folder)
            heapq.heappush(free, heapq.heappop(free) + expected(job))
    return max(free)


def _scale(job: Job, ended: Sequence[tuple[Job, float]]) -> float:
    rough = [(other.seconds, seconds) for other, seconds in ended if other.seconds]
    alike = [(other.seconds, s) for other, s in ended if other.seconds and other.kind[:1] == job.kind[:1]]
    pairs = alike or rough
    return sum(seconds for _, seconds in pairs) / sum(seconds for seconds, _ in pairs) if pairs else 1.0
