"""The three-player game: who moves when, and on which loss.

A mode is a `Rules` object: which term each of G and Q uses against the other, and by which laws the
generated rows are drawn. AO and DO are two cells of the 2 x 2 table {G fools, G favours} x
{Q favours, Q fools}; GAMO is the first row of it in least squares. A mode without a generator is a
classifier alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.distributed import all_gather
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from adversarial_oversampling.config import PLAYERS
from adversarial_oversampling.data import laws
from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import losses
from adversarial_oversampling.game.networks import (
    Classifier,
    Discriminator,
    Generator,
    parameters_per_replica,
    perplexity,
)
from adversarial_oversampling.game.thresholds import decide, tuned_shift
from adversarial_oversampling.method_output import Outcome
from adversarial_oversampling.metrics import acsa, acsa_of_present, confusion, g_mean, imbalance_metrics
from adversarial_oversampling.random_streams import Streams
from adversarial_oversampling.training.curves import log_epoch, log_history


@dataclass(frozen=True)
class Rules:
    """What sets one mode of the game apart from another.

    Terms are names in `losses.CLASSIFIER_TERMS`, laws are names in `laws.LAWS`.

    Attributes
    ----------
    real_term : str
        What Q does with real rows.
    class_weights : bool
        Weigh Q's real rows so that every class counts the same.
    complement : bool
        After its own move, Q evens out the wrong classes (COT).
    tuned_threshold : bool
        Move Q's decision on the rows that choose the epoch (`thresholds`).
    generator_term : str or None
        What G does to Q (eq. 3: fool, eq. 6: favour). None: no G and no D, Q plays alone.
    classifier_term : str or None
        What Q does with generated rows (eq. 5: favour, eq. 8: fool).
    generated_law : str or None
        Class law of Q's generated rows.
    generator_law, discriminator_law : str
        Class laws of the generated rows in G's and in D's turn.
    generator_weight : float
        Weight of G's term against Q beside its term against D, >= 0.
    generated_weight : float
        Weight w of Q's generated rows beside its real rows, >= 0. With "fool" and two classes,
        w = 1 leaves Q nothing to learn where G is perfect, so w < 1 stands for the paper's subset.
    critic_steps : int
        D's moves per round, >= 1, on the same real rows and fresh generated ones.
    """

    real_term: str = "favour"
    class_weights: bool = False
    complement: bool = False
    tuned_threshold: bool = False
    generator_term: str | None = None
    classifier_term: str | None = None
    generated_law: str | None = None
    generator_law: str = "balanced"
    discriminator_law: str = "oversampled"
    generator_weight: float = 1.0
    generated_weight: float = 1.0
    critic_steps: int = 1

    def __post_init__(self) -> None:
        keys: dict[str, Iterable[str]] = {"real_term": losses.CLASSIFIER_TERMS}
        if self.generator_term is not None:
            keys |= dict.fromkeys(("generator_term", "classifier_term"), losses.CLASSIFIER_TERMS)
            keys |= dict.fromkeys(("generated_law", "generator_law", "discriminator_law"), laws.LAWS)
        for key, choices in keys.items():
            if getattr(self, key) not in choices:
                raise InputError(
                    f"mode.rules.{key}={getattr(self, key)}: choose one of {', '.join(choices)}."
                )
        for key in ("generator_weight", "generated_weight"):
            if not getattr(self, key) >= 0:
                raise InputError(f"mode.rules.{key}={getattr(self, key)}: a weight cannot be negative.")
        if self.critic_steps < 1:
            raise InputError(f"mode.rules.critic_steps={self.critic_steps}: at least 1 is needed.")


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Spend no work on gradients of these modules' weights."""
    parameters = [p for module in modules for p in module.parameters()]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


class Game(LightningModule):
    """D, G and Q of R replicas, trained in turns.

    "Does Adversarial Oversampling Help us?", CIKM 2021, eqs. 2 to 8. Losses are `[R]` and summed
    before the backward pass: no replica touches another.

    Parameters
    ----------
    rules : Rules
        The mode.
    gan : GanLoss
        s(.) and the weight of the gradient penalty.
    classifier : Classifier
    discriminator : Discriminator, optional
    generator : Generator, optional
    counts : Tensor of shape [R, C]
        Training rows per class.
    fs : float, optional
        Oversampling rate; None is natural.
    generated_rows : int
        m, the rows that G makes of every class in a turn.
    optimizers : mapping of str to callable
        For each player, parameters to optimizer.
    schedule : callable
        Optimizer to learning-rate scheduler, stepped once per epoch.
    noise : Streams
        z, interpolation and dropout of each replica; its share of the rows is this process's part of
        every batch. Losses are means over rows, so with equal shares the mean of the processes'
        gradients is that of the whole batch.
    monitor : str
        Prefix of the metrics on the rows that choose the epoch.

    Attributes
    ----------
    best_epoch : Tensor of shape [R]
        Epoch (from 0) whose weights `load_best` brings back; -1 before the first.
    best_score : Tensor of shape [R]
        ACSA of that epoch on the rows that choose it.
    shift : Tensor of shape [R]
        How far Q's decision is moved (`thresholds.decide`); 0 but with a tuned threshold.
    diverged_at : Tensor of shape [R]
        Epoch in which a replica's loss became NaN or infinite; -1 for never.
    history : dict of str to list of Tensor [R]
        Every logged curve, one entry per epoch.
    """

    classifier: Classifier
    discriminator: Discriminator  # these two only where the mode has a generator
    generator: Generator
    rows_law: Tensor
    class_weights: Tensor
    log_prior: Tensor
    shift: Tensor
    learnt: Tensor
    generator_law: Tensor
    discriminator_law: Tensor
    generated_law: Tensor
    generated_classes: Tensor

    def __init__(
        self,
        *,
        rules: Rules,
        gan: losses.GanLoss,
        classifier: Classifier,
        discriminator: Discriminator | None = None,
        generator: Generator | None = None,
        counts: Tensor,
        fs: float | None,
        generated_rows: int,
        optimizers: Mapping[str, Callable[..., Optimizer]],
        schedule: Callable[[Optimizer], LRScheduler],
        noise: Streams,
        monitor: str = "validation",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.rules, self.gan, self.noise, self.monitor = rules, gan, noise, monitor
        self.share = noise.rows
        if generator is not None and generated_rows % self.share.of:
            raise InputError(
                f"generated_rows={generated_rows}: trainer.devices={self.share.of} processes share them; "
                "give a multiple of their number."
            )
        self.generated_rows = generated_rows // self.share.of
        self._make_optimizer, self._make_schedule = optimizers, schedule
        self.players = [name for name in PLAYERS if name == "classifier" or generator is not None]
        self.classifier = classifier
        if generator is not None and discriminator is not None:
            self.discriminator, self.generator = discriminator, generator

        self._optimized = {name: getattr(self, name) for name in self.players}
        if rules.complement:
            self._optimized["complement"] = self.classifier

        replicas, classes = counts.shape
        self._add_law("rows_law", laws.oversampled(counts, fs))
        self._add_law("class_weights", laws.balanced(counts) / laws.oversampled(counts, fs))
        self._add_law("log_prior", laws.real(counts).log())
        self.register_buffer("shift", torch.zeros(replicas))
        if rules.generated_law is not None:
            self._add_law("generator_law", laws.LAWS[rules.generator_law](counts, fs))
            self._add_law("discriminator_law", laws.LAWS[rules.discriminator_law](counts, fs))
            self._add_law("generated_law", laws.LAWS[rules.generated_law](counts, fs))
        empty = torch.zeros(replicas, classes, classes, dtype=torch.long)
        self.register_buffer("learnt", empty, persistent=False)
        every = torch.arange(classes)[None, :, None].expand(replicas, classes, self.generated_rows)
        self.register_buffer("generated_classes", every.contiguous(), persistent=False)

        self.best_epoch = torch.full((replicas,), -1)
        self.best_score = torch.full((replicas,), -torch.inf, dtype=torch.float64)
        self.diverged_at = torch.full((replicas,), -1)
        self.best_weights = {name: value.clone() for name, value in self.state_dict().items()}
        self.history: dict[str, list[Tensor]] = {}
        self.played_on = self.device  # Lightning takes the networks back to the CPU
        # Answers are gathered, so counts are whole in every process.
        self.metrics = imbalance_metrics(replicas, classes, sync_on_compute=False)
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
        self._answers: list[tuple[Tensor, Tensor]] = []

    def _add_law(self, name: str, law: Tensor) -> None:
        self.register_buffer(name, law.float(), persistent=False)

    # The order of play.

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One round: D moves, then G, then Q; in COT, Q moves twice."""
        if "generator" in self.players:
            for _ in range(self.rules.critic_steps):
                self.discriminator_turn(batch)
            self.generator_turn()
        self.classifier_turn(batch)
        if self.rules.complement:
            self.complement_turn(batch)
        self._steps += 1

    def discriminator_turn(self, batch: Batch) -> None:
        """Tell real from generated rows (eqs. 4 and 7); k has the law of Q's real rows."""
        generated = self.generate()
        scores = self.score(batch.x, batch.y)
        real = self.gan.discriminator_real(scores, self.slack(scores)).mean(dim=-1)
        scores = self.score_generated(generated)
        fake = losses.expectation(
            self.gan.discriminator_generated(scores, self.slack(scores)), self.discriminator_law
        )
        penalty = torch.zeros_like(real)
        if self.gan.gradient_penalty > 0:
            penalty = losses.gradient_penalty(
                lambda rows: self.score(rows, batch.y),
                batch.x,
                self.partners(generated, batch.y),
                self.noise.uniform(batch.y.shape[1], 1),
            )
        self.move("discriminator", real + fake + self.gan.gradient_penalty * penalty)
        self.note(
            {
                "discriminator/real": real,
                "discriminator/generated": fake,
                "discriminator/gradient_penalty": penalty,
            }
        )

    def generator_turn(self) -> None:
        """Fool D, and fool (eq. 3) or favour (eq. 6) Q; i is balanced."""
        term = losses.CLASSIFIER_TERMS[str(self.rules.generator_term)]
        with frozen(self.discriminator, self.classifier):
            generated, weights = self.generator(self.latent())
            against_d = losses.expectation(
                self.gan.generator(self.score_generated(generated)), self.generator_law
            )
            against_q = losses.expectation(
                term(self.classify_generated(generated), self.generated_classes), self.generator_law
            )
            self.move("generator", against_d + self.rules.generator_weight * against_q)
        self.note(
            {
                "generator/against_discriminator": against_d,
                "generator/against_classifier": against_q,
                "generator/perplexity": perplexity(weights.detach()).mean(dim=-1),
            }
        )

    def classifier_turn(self, batch: Batch) -> None:
        """Learn the real rows, and favour (eq. 5) or fool (eq. 8) the generated ones."""
        term = losses.CLASSIFIER_TERMS[self.rules.real_term]
        logits = self.classifier(batch.x, self.noise)
        self.learnt += confusion(logits.detach().argmax(dim=-1), batch.y, logits.shape[-1])
        rows = term(logits, batch.y)
        if self.rules.class_weights:
            rows = rows * self.class_weights.gather(1, batch.y)
        loss = real = rows.mean(dim=-1)
        if "generator" in self.players:
            term = losses.CLASSIFIER_TERMS[str(self.rules.classifier_term)]
            logits = self.classify_generated(self.generate(), self.noise)
            generated = losses.expectation(term(logits, self.generated_classes), self.generated_law)
            loss = real + self.rules.generated_weight * generated
            self.note({"classifier/generated": generated})
        self.move("classifier", loss)
        self.note({"classifier/real": real})

    def complement_turn(self, batch: Batch) -> None:
        """Even Q out over the wrong classes of the same rows, with an optimizer of its own (COT)."""
        # Without dropout: its masks come from the stream that the other turns go on drawing from.
        self.move("complement", -losses.complement_entropy(self.classifier(batch.x), batch.y).mean(dim=-1))

    # What the turns are made of.

    def latent(self) -> Tensor:
        """Noise z ~ N(0, I), `[R, C, m, latent]`."""
        return self.noise.normal(self.generated_classes.shape[1], self.generated_rows, self.generator.latent)

    @torch.no_grad()
    def generate(self) -> Tensor:
        """Fresh generated rows `[R, C, m, d]` for D's or Q's turn."""
        rows: Tensor = self.generator(self.latent())[0]
        return rows

    def partners(self, generated: Tensor, y: Tensor) -> Tensor:
        """For each real row of class y a generated row of the same class, `[R, B, d]`."""
        everyone = self.gathered(generated, dim=2)
        replica = torch.arange(y.shape[0], device=y.device)[:, None]
        place = self.share.rank * y.shape[1] + torch.arange(y.shape[1], device=y.device)
        return everyone[replica, y, place % everyone.shape[2]]

    def slack(self, scores: Tensor) -> Tensor | float:
        """What D's targets miss the ideal by: uniform up to the loss's label noise."""
        if not self.gan.label_noise:
            return 0.0
        return self.gan.label_noise * self.noise.uniform(*scores.shape[1:], 1).squeeze(-1)

    def score(self, x: Tensor, y: Tensor) -> Tensor:
        """D's scores `[R, ...]`."""
        scores: Tensor = self.discriminator(x, y)
        return scores

    def score_generated(self, generated: Tensor) -> Tensor:
        """D's scores of generated rows, `[R, C, m]`."""
        return self.score(generated, self.generated_classes)

    def classify_generated(self, generated: Tensor, noise: Streams | None = None) -> Tensor:
        """Q's logits of generated rows, `[R, C, m, C]`."""
        logits: Tensor = self.classifier(generated, noise)
        return logits

    def move(self, player: str, loss: Tensor) -> None:
        """Let a player take one optimizer step down its losses `[R]`."""
        optimizer = self._optimizers[player]
        optimizer.zero_grad()
        self.manual_backward(loss.sum())
        optimizer.step()
        self.note({f"{player}/loss": loss})

    def note(self, values: Mapping[str, Tensor]) -> None:
        """Add `[R]` values to the epoch's averages."""
        for name, value in values.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def gathered(self, part: Tensor, dim: int) -> Tensor:
        """All processes' parts along a dimension, in the order of the whole."""
        if self.share.of == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.share.of)]
        all_gather(parts, part.contiguous())
        return torch.cat(parts, dim=dim)

    # Optimizers, noise and schedules.

    def configure_optimizers(self) -> Any:
        """One optimizer and one schedule per player, and for the second move of COT."""
        optimizers = [
            # Weight decay belongs to Q's own move: it must not act twice.
            self._make_optimizer["classifier"](player.parameters(), weight_decay=0.0)
            if name == "complement"
            else self._make_optimizer[name](player.parameters())
            for name, player in self._optimized.items()
        ]
        return optimizers, [self._make_schedule(optimizer) for optimizer in optimizers]

    def on_fit_start(self) -> None:
        """Draw noise onto the device of the networks; tell a resumed run's loggers what they missed."""
        self.noise.device = self.played_on = self.device
        log_history(self.loggers, self.history, self.diverged_at)  # here: there may be no epoch left to train

    def on_train_start(self) -> None:
        """Look the optimizers up once, not in every turn."""
        found = self.optimizers()
        wrapped = found if isinstance(found, list) else [found]
        self._optimizers: dict[str, Any] = dict(zip(self._optimized, wrapped, strict=True))

    def on_train_epoch_end(self) -> None:
        """Let the learning rates follow their schedule."""
        found = self.lr_schedulers()
        for scheduler in found if isinstance(found, list) else [found]:
            scheduler.step()  # type: ignore[union-attr]

    # After every epoch: metrics, the best weights, the curves.

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Answer for the rows that choose the epoch."""
        self._answers.append((self.classifier(batch.x), batch.y))

    def on_validation_epoch_end(self) -> None:
        """Keep each replica's best weights and log the epoch."""
        steps_of = {"discriminator": self._steps * self.rules.critic_steps}
        averages = {
            name: self.gathered(total[None], dim=0).mean(dim=0)
            / steps_of.get(name.split("/")[0], self._steps)
            for name, total in self._sums.items()
        }
        self._sums, self._steps = {}, 0
        self._find_diverged(averages)

        logits, classes = self._take_answers()
        if self.rules.tuned_threshold:
            self.shift.copy_(tuned_shift(logits, classes, self.log_prior))
        self.metrics.update(decide(logits, self.shift, self.log_prior), classes)
        # torchmetrics turns the [R] of a single replica into a scalar.
        computed = {
            name: value.reshape(-1, *value.shape[1:]).cpu() for name, value in self.metrics.compute().items()
        }
        self.metrics.reset()
        self._keep_best(acsa_of_present(computed["confusion"]))
        learnt = self.gathered(self.learnt[None], dim=0).sum(dim=0)
        self.learnt.zero_()
        averages |= {"train/acsa": acsa(learnt), "train/g_mean": g_mean(learnt)}
        for name in ("acsa", "g_mean"):
            averages[f"{self.monitor}/{name}"] = computed[name]
        self._log_curves(averages)

    def _take_answers(self) -> tuple[Tensor, Tensor]:
        first, second = zip(*self._answers, strict=True)
        self._answers = []
        return self.gathered(torch.cat(first, dim=1), dim=1), self.gathered(torch.cat(second, dim=1), dim=1)

    def _find_diverged(self, averages: Mapping[str, Tensor]) -> None:
        # The weights too: a loss shows only the weights of the step before.
        weights = [p.detach().flatten(1).sum(dim=1) for p in self.parameters()]
        for value in [*averages.values(), *weights]:
            lost = ~value.isfinite().cpu() & (self.diverged_at < 0)
            self.diverged_at[lost] = self.current_epoch
        if bool((self.diverged_at >= 0).all()):
            self.trainer.should_stop = True

    def _keep_best(self, score: Tensor) -> None:
        score = score.cpu()
        better = (score > self.best_score) & (self.diverged_at < 0)
        self.best_score[better] = score[better]
        self.best_epoch[better] = self.current_epoch
        if bool(better.any()):
            for name, value in self.state_dict().items():
                chosen = better.to(value.device)
                self.best_weights[name] = self.best_weights[name].to(value.device)
                self.best_weights[name][chosen] = value[chosen]

    def _log_curves(self, values: Mapping[str, Tensor]) -> None:
        values = {name: value.double().cpu() for name, value in values.items()}
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        told = log_epoch(self.loggers, self.current_epoch, values, self.diverged_at)
        for name in ("acsa", "g_mean"):
            name = f"{self.monitor}/{name}"
            self.log(name, told[name], prog_bar=True, logger=False, sync_dist=True)

    def load_best(self) -> None:
        """Put every replica's best weights back into the networks."""
        self.load_state_dict(self.best_weights)

    # The test rows.

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Answer for the test rows."""
        self._answers.append((self.classifier(batch.x), batch.row))

    def on_test_epoch_end(self) -> None:
        """Decide, and keep row numbers, decisions and probabilities for `outcome`."""
        logits, rows = self._take_answers()
        decided = decide(logits, self.shift, self.log_prior)
        self._tested = rows.cpu(), decided.cpu(), logits.softmax(dim=-1).cpu()

    def outcome(self) -> Outcome:
        """What this game leaves for the record, after its test."""
        rows, predicted, probabilities = self._tested
        epochs = self.diverged_at.tolist()
        return Outcome(
            row=rows,
            predicted=predicted,
            probabilities=probabilities,
            na=[f"the loss became NaN or infinite in epoch {e}" if e >= 0 else None for e in epochs],
            best_epoch=self.best_epoch.tolist(),
            selection_acsa=self.best_score.tolist(),
            diverged_at=epochs,
            history=self.history,
            parameters={name: parameters_per_replica(getattr(self, name)) for name in self.players},
            weights={name: value.cpu() for name, value in self.best_weights.items()},
            device=self.played_on,
        )

    # Checkpoints: tensors and numbers only, so that they load with weights_only=True.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the streams, the best weights and the curves."""
        checkpoint["game"] = {
            "noise": self.noise.state(),
            "best_weights": self.best_weights,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "diverged_at": self.diverged_at,
            "history": {name: torch.stack(values) for name, values in self.history.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        saved = checkpoint["game"]
        self.noise.restore(saved["noise"])
        self.best_weights = saved["best_weights"]
        self.best_epoch, self.best_score = saved["best_epoch"], saved["best_score"]
        self.diverged_at = saved["diverged_at"]
        self.history = {name: list(values.unbind()) for name, values in saved["history"].items()}
