"""The three-player game: the order of play, and the loss of every turn.

A mode is a `Rules` object: the terms that G and Q use against each other, and the laws of the generated rows.
AO and DO are two cells of the 2 x 2 table {G fools Q, G favours Q} x {Q favours generated rows, Q is fooled
on them}. GAMO has the terms of AO's cell as least squares. A mode without a generator trains Q alone.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.distributed import all_gather, all_reduce
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from adversarial_oversampling import limits
from adversarial_oversampling.curve_names import monitor as monitored
from adversarial_oversampling.data import laws
from adversarial_oversampling.data.datamodule import Batch
from adversarial_oversampling.errors import InputError
from adversarial_oversampling.game import losses
from adversarial_oversampling.game.best_epoch import BestEpoch
from adversarial_oversampling.game.diversity import anchor_entropy, distances_within, diversity
from adversarial_oversampling.game.epoch_losses import EpochLosses
from adversarial_oversampling.game.networks import (
    Classifier,
    Discriminator,
    Generator,
    dropout_factors,
    parameters_per_replica,
    predict_logits,
)
from adversarial_oversampling.game.thresholds import decide, shifted, tuned_shift
from adversarial_oversampling.game.traced import Traced
from adversarial_oversampling.game.weights import Weights
from adversarial_oversampling.method_output import MethodOutput
from adversarial_oversampling.metrics import acsa, acsa_of_present, confusion, g_mean, warn_of_absent
from adversarial_oversampling.random_streams import Streams

GENERATOR_RULES = (
    *("classifier_term", "generated_law", "generator_law", "discriminator_law", "generator_weight"),
    *("generated_weight", "discriminator_weight", "diversity_weight", "critic_steps"),
)
"""Fields of `Rules` that nothing reads in a game without a generator."""


@dataclass(frozen=True)
class Rules:
    """What distinguishes one mode of the game from another.

    Terms are names in `losses.CLASSIFIER_TERMS`, laws are names in `laws.LAWS`.

    Attributes
    ----------
    real_term : str
        Q's term for real rows.
    class_weights : bool
        Weight Q's real rows so that every class counts the same.
    complement : bool
        Follow Q's turn with a step on the complement entropy (COT).
    tuned_threshold : bool
        Tune Q's decision on the rows that choose the epoch (`game.thresholds`).
    generator_term : str or None
        G's term against Q (eq. 3: fool, eq. 6: favour). None: no G and no D, Q trains alone.
    classifier_term : str or None
        Q's term for generated rows (eq. 5: favour, eq. 8: fool).
    generated_law : str or None
        Class law of Q's generated rows.
    generator_law, discriminator_law : str
        Class laws of the generated rows in G's and in D's turn.
    generator_weight : float
        Weight of G's term against Q beside its term against D, >= 0.
    generated_weight : float
        Weight w of Q's generated rows beside its real rows, >= 0. With "fool" and two classes,
        w = 1 leaves Q nothing to learn where G is perfect, so w < 1 stands for the paper's subset.
    discriminator_weight : float
        Weight of G's term against D, >= 0. With 0 there is no D: only Q teaches G.
    diversity_weight : float
        Weight, >= 0, by which G raises the entropy of the anchors that the samples of a class use together.
    critic_steps : int
        D's steps per round, >= 1, on the same real rows and fresh generated ones.
    label_smoothing : float
        Part of the target of Q's real rows that is spread over all classes, in [0, 1).
    mixup : bool
        Mix each of Q's real rows with another one, and their terms likewise (Zhang et al. 2018, alpha = 1).

    Raises
    ------
    InputError
        If a term or law is unknown, a number is out of range, or a field is set that nothing would read.
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
    discriminator_weight: float = 1.0
    diversity_weight: float = 0.0
    critic_steps: int = 1
    label_smoothing: float = 0.0
    mixup: bool = False

    def __post_init__(self) -> None:
        options = {"real_term": limits.Choice(losses.CLASSIFIER_TERMS)}
        if self.generator_term is not None:
            terms, class_laws = limits.Choice(losses.CLASSIFIER_TERMS), limits.Choice(laws.LAWS)
            options |= dict.fromkeys(("generator_term", "classifier_term"), terms)
            options |= dict.fromkeys(("generated_law", "generator_law", "discriminator_law"), class_laws)
        else:
            for field in fields(self):
                if field.name in GENERATOR_RULES and getattr(self, field.name) != field.default:
                    raise InputError(
                        f"mode.rules.{field.name}={getattr(self, field.name)}: the mode has no generator, so "
                        "nothing reads it; leave the setting or ablation out."
                    )
        for key, choice in options.items():
            choice.check(f"mode.rules.{key}", getattr(self, key))
        for key in (
            "generator_weight",
            "generated_weight",
            "discriminator_weight",
            "diversity_weight",
            "critic_steps",
            "label_smoothing",
            "mixup",
        ):
            limits.check(f"mode.rules.{key}", getattr(self, key))


def both(x: Tensor, generated: Tensor) -> Tensor:
    """Join real rows `[R, B, d]` and, class by class, generated rows `[R, C, m, d]`: `[R, B + C m, d]`."""
    return torch.cat([x, generated.flatten(1, 2)], dim=1)


class Game(LightningModule):
    """D, G and Q of R replicas, trained in turns.

    "Does Adversarial Oversampling Help us?", CIKM 2021, eqs. 2 to 8. Losses are `[R]` and summed
    before the backward pass, so the replicas stay independent.

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
        m, the rows that G generates of every class in a turn.
    optimizers : mapping of str to callable
        For each player, a function that makes an optimizer for a list of parameters.
    schedule : callable
        Makes the learning-rate scheduler of an optimizer. It is stepped once per epoch.
    noise : Streams
        Random streams for z, the gradient penalty's interpolation, label noise and dropout of each replica.
        `noise.rows` is this process's shard of every batch. Losses are means over rows. With shards of equal
        size, the mean of the processes' gradients is therefore the gradient of the whole batch.
    monitor : str
        Prefix of the metrics on the rows that choose the epoch (`curve_names.monitor`).
    members : int
        Players of each seed, which stand side by side on the replica axis and share its rows. Their average
        probabilities are evaluated: S seeds have one ACSA and one best epoch each, and R = S * members.
    running_mean : int
        Epochs are compared by the mean ACSA of so many last epochs, or of all where there are fewer; 1
        compares them by their own.
    weight_average : float
        In [0, 1): Q is evaluated, and predicts, with an exponential moving average of its weights that decays
        by this factor in every step. 0: with the weights themselves.

    Attributes
    ----------
    evaluated : Classifier
        Q as it is evaluated: the classifier that trains, or its moving average.
    best : BestEpoch
        Each replica's best epoch with its weights, and the replicas that diverged.
    shift : Tensor of shape [S]
        Shift of Q's decision (`game.thresholds.decide`); 0 without a tuned threshold.
    history : dict of str to list of Tensor [S]
        Every curve, one entry per epoch.
    """

    classifier: Classifier
    averaged_classifier: Classifier  # these two only with an average of the weights
    averaged_steps: Tensor
    discriminator: Discriminator  # these two only where the mode has a generator
    generator: Generator
    class_weights: Tensor
    log_prior: Tensor
    shift: Tensor
    train_confusion: Tensor
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
        members: int = 1,
        running_mean: int = 1,
        weight_average: float = 0.0,
    ) -> None:
        super().__init__()
        limits.check("protocol.running_mean", running_mean)
        limits.check("protocol.weight_average", weight_average)
        self.automatic_optimization = False
        self.rules, self.gan, self.noise, self.monitor = rules, gan, noise, monitor
        self.members, self.running_mean, self.weight_average = members, running_mean, weight_average
        self.shard = noise.rows
        if generator is not None and generated_rows % self.shard.world_size:
            raise InputError(
                f"generated_rows={generated_rows}: trainer.devices={self.shard.world_size} processes share "
                "them; give a multiple of their number."
            )
        self.generated_rows = generated_rows // self.shard.world_size
        self._make_optimizer, self._make_schedule = optimizers, schedule
        self.players = [name for name in limits.PLAYERS if name == "classifier" or generator is not None]
        self.classifier = classifier
        if generator is not None and discriminator is not None:
            self.discriminator, self.generator = discriminator, generator
            self._real_distances = distances_within(generator.anchors, generator.present)
        if weight_average:
            self.averaged_classifier = copy.deepcopy(classifier).requires_grad_(False)
            self.register_buffer("averaged_steps", torch.zeros(len(counts), dtype=torch.long))

        replicas, classes = counts.shape
        self._register_constant("class_weights", laws.balanced(counts) / laws.oversampled(counts, fs))
        self._register_constant("log_prior", laws.real(counts[::members]).log())
        self.register_buffer("shift", torch.zeros(replicas // members))
        if rules.generated_law is not None:
            self._register_constant("generator_law", laws.LAWS[rules.generator_law](counts, fs))
            self._register_constant("discriminator_law", laws.LAWS[rules.discriminator_law](counts, fs))
            self._register_constant("generated_law", laws.LAWS[rules.generated_law](counts, fs))
        empty = torch.zeros(replicas, classes, classes, dtype=torch.long)
        self.register_buffer("train_confusion", empty, persistent=False)
        every = torch.arange(classes)[None, :, None].expand(replicas, classes, self.generated_rows)
        self.register_buffer("generated_classes", every.contiguous(), persistent=False)

        self.best = BestEpoch(replicas // members, self.state_dict())
        self.history: dict[str, list[Tensor]] = {}
        self.trained_on = self.device  # Lightning moves the networks back to the CPU
        self._losses = EpochLosses()
        self._last_scores: list[Tensor] = []
        self._evaluated: list[tuple[Tensor, Tensor]] = []

    def _register_constant(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.float(), persistent=False)

    @property
    def evaluated(self) -> Classifier:
        """Q as it is evaluated: the classifier that trains, or its moving average."""
        return self.averaged_classifier if self.weight_average else self.classifier

    # The order of play.

    def training_step(self, rounds: Sequence[Batch], batch_idx: int) -> None:
        """Play some rounds, one for each batch of real rows."""
        true = torch.stack([batch.y for batch in rounds])
        predicted = torch.empty_like(true)
        for i, batch in enumerate(rounds):
            predicted[i] = self.play(batch)
            self._losses.end_round()
        predicted, true = (classes.movedim(0, 1).flatten(1) for classes in (predicted, true))
        self.train_confusion += confusion(predicted, true, self.train_confusion.shape[-1])

    def play(self, batch: Batch) -> Tensor:
        """Play one round: D's turn, G's turn, then Q's turn; in COT a complement step follows Q's turn.

        Returns
        -------
        Tensor of shape [R, B], int64
            Classes that Q predicts for the real rows.
        """
        generated = None
        if "generator" in self.players:
            for _ in range(self.rules.critic_steps):
                rows, weights = self.generator(*self.generator_noise())
                if self.rules.discriminator_weight:
                    self.discriminator_turn(batch, rows.detach())
            # G has not moved since D's last turn, so its own turn is on the same rows.
            self.generator_turn(rows, weights)
            generated = self.generate()
        predicted = self.classifier_turn(batch, generated)
        if self.rules.complement:
            self.complement_turn(batch)
        if self.weight_average:
            self.average_weights()
        return predicted

    def discriminator_turn(self, batch: Batch, generated: Tensor) -> None:
        """Tell real from generated rows."""
        noise = self.label_noise(batch, generated)
        everywhere = mix = None
        if self.gan.gradient_penalty > 0:
            everywhere = self.gathered(generated, dim=2)
            mix = self.noise.uniform(batch.y.shape[1], 1)
        turn = self._traced["discriminator"]
        self.step("discriminator", *turn(batch.x, batch.y, generated, everywhere, mix, *noise))

    def generator_turn(self, generated: Tensor, weights: Tensor) -> None:
        """Fool D, and fool or favour Q."""
        outputs = [generated, weights] if self.rules.diversity_weight else [generated]
        parts, slopes = self._traced["generator"](*(output.detach() for output in outputs))
        self.step("generator", parts, self._weights["generator"].gradients(outputs, slopes))
        self._last_generated = generated.detach(), weights.detach()

    def classifier_turn(self, batch: Batch, generated: Tensor | None = None) -> Tensor:
        """Learn the real rows, and favour or fool the generated ones.

        Returns
        -------
        Tensor of shape [R, B], int64
            Classes that Q predicts for the real rows.
        """
        partners = share = None
        if self.rules.mixup:
            batch, partners, share = self.mixed(batch)
        factors = self.dropout_factors(batch, generated)
        parts, gradients = self._traced["classifier"](batch.x, batch.y, generated, partners, share, *factors)
        predicted: Tensor = parts.pop("predicted")
        self.step("classifier", parts, gradients)
        return predicted

    def complement_turn(self, batch: Batch) -> None:
        """Raise Q's entropy over the wrong classes of the same rows, with an optimizer of its own (COT)."""
        self.step("complement", *self._traced["complement"](batch.x, batch.y))

    # The losses of the turns, `[R]` each, the one to minimise last: functions of tensors, which are traced.

    def discriminator_losses(
        self,
        x: Tensor,
        y: Tensor,
        generated: Tensor,
        everywhere: Tensor | None = None,
        mix: Tensor | None = None,
        noise_of_real: Tensor | float = 0.0,
        noise_of_generated: Tensor | float = 0.0,
    ) -> dict[str, Tensor]:
        """Compute D's loss (eqs. 4 and 7); k has the law of Q's real rows."""
        classes = torch.cat([y, self.generated_classes.flatten(1)], dim=1)
        on_real, on_generated = self.split_both(self.discriminator(both(x, generated), classes))
        real = self.gan.discriminator_real(on_real, noise_of_real).mean(dim=-1)
        fake = losses.expectation(
            self.gan.discriminator_generated(on_generated, noise_of_generated), self.discriminator_law
        )
        penalty = torch.zeros_like(real)
        if everywhere is not None and mix is not None:
            between = losses.interpolate(x, self.same_class_pairs(everywhere, y), mix)
            penalty = losses.gradient_penalty(self.discriminator.gradient(between, y))
        loss = real + fake + self.gan.gradient_penalty * penalty
        return {"real": real, "generated": fake, "gradient_penalty": penalty, "loss": loss}

    def generator_losses(self, generated: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Compute G's loss: fool D, and fool (eq. 3) or favour (eq. 6) Q; i is balanced."""
        parts = {}
        term = losses.CLASSIFIER_TERMS[str(self.rules.generator_term)]
        logits = self.classifier(generated)
        against_q = losses.expectation(term(logits, self.generated_classes), self.generator_law)
        loss = self.rules.generator_weight * against_q
        if self.rules.discriminator_weight:
            scores = self.discriminator(generated, self.generated_classes)
            against_d = losses.expectation(self.gan.generator(scores), self.generator_law)
            loss = self.rules.discriminator_weight * against_d + loss
            parts["against_discriminator"] = against_d
        if weights is not None:
            entropy = losses.expectation(
                anchor_entropy(weights, self.generator.present).unsqueeze(-1), self.generator_law
            )
            loss = loss - self.rules.diversity_weight * entropy
            parts["anchor_entropy"] = entropy
        return parts | {"against_classifier": against_q, "loss": loss}

    def classifier_losses(
        self,
        x: Tensor,
        y: Tensor,
        generated: Tensor | None = None,
        partners: Tensor | None = None,
        share: Tensor | None = None,
        *factors: Tensor,
    ) -> dict[str, Tensor]:
        """Compute Q's loss: learn the real rows, and favour (eq. 5) or fool (eq. 8) the generated ones.

        The classes that it predicts for the real rows come with it.
        """
        term = losses.smoothed(losses.CLASSIFIER_TERMS[self.rules.real_term], self.rules.label_smoothing)
        on_real = logits = self.classifier(x if generated is None else both(x, generated), factors)
        if generated is not None:
            on_real, on_generated = self.split_both(logits)
        rows = term(on_real, y)
        if partners is not None and share is not None:
            rows = share * rows + (1 - share) * term(on_real, partners)
        if self.rules.class_weights:
            rows = rows * self.class_weights.gather(1, y)
        loss = real = rows.mean(dim=-1)
        parts = {"predicted": on_real.argmax(dim=-1), "real": real}
        if generated is not None:
            term = losses.CLASSIFIER_TERMS[str(self.rules.classifier_term)]
            fake = losses.expectation(term(on_generated, self.generated_classes), self.generated_law)
            loss = real + self.rules.generated_weight * fake
            parts["generated"] = fake
        return parts | {"loss": loss}

    def complement_losses(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Compute the loss of COT's complement step."""
        # Without dropout, whose masks come from the stream that the other turns continue to draw from.
        return {"loss": -losses.complement_entropy(self.classifier(x), y).mean(dim=-1)}

    # The parts of a turn.

    def generator_noise(self) -> tuple[Tensor, Tensor | None]:
        """Draw what a turn's generated rows are made from (`Generator.noise`)."""
        return self.generator.noise(self.noise, self.generated_rows)

    @torch.no_grad()
    def generate(self) -> Tensor:
        """Generate fresh rows `[R, C, m, d]` for Q's turn."""
        rows: Tensor = self._traced["generate"](*self.generator_noise())
        return rows

    def mixed(self, batch: Batch) -> tuple[Batch, Tensor, Tensor]:
        """Mix each real row with the one before it: the rows of a batch are drawn independently.

        Returns
        -------
        mixed : Batch
            Rows share * x + (1 - share) * partner, with the classes of x.
        partners : Tensor of shape [R, B], int64
            Classes of the partners.
        share : Tensor of shape [R, B]
            At least 1/2, so that a row leans towards its own class; uniform on [0, 1] but for that exchange.
        """
        other_x, other_y = (
            self.shard.take(self.gathered(part, dim=1).roll(1, dims=1), dim=1) for part in batch[:2]
        )
        share = self.noise.uniform(batch.y.shape[1], 1)
        share = torch.maximum(share, 1 - share)
        x = share * batch.x + (1 - share) * other_x
        return batch._replace(x=x), other_y, share.squeeze(-1)

    @torch.no_grad()
    def average_weights(self) -> None:
        """Move the averaged weights towards Q's; the first steps count the same, so that none is favoured."""
        steps = int(self.averaged_steps[0])
        self.averaged_steps += 1
        share = max(1 - self.weight_average, 1 / (steps + 1))
        for average, weight in zip(
            self.averaged_classifier.parameters(), self.classifier.parameters(), strict=True
        ):
            average.lerp_(weight, share)

    def split_both(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Split values of `both` into those of the real rows and of the generated ones, `[R, C, m, ...]`."""
        replicas, classes, rows = self.generated_classes.shape
        generated = classes * rows
        on_real, on_generated = torch.split(values, [values.shape[1] - generated, generated], dim=1)
        return on_real, on_generated.reshape(replicas, classes, rows, *values.shape[2:])

    def same_class_pairs(self, generated: Tensor, y: Tensor) -> Tensor:
        """Return for each real row of class y a row of its class, generated in any process: `[R, B, d]`."""
        m = generated.shape[2]
        place = torch.arange(
            self.shard.rank * y.shape[1], (self.shard.rank + 1) * y.shape[1], device=y.device
        )
        index = (y * m + place % m).unsqueeze(-1).expand(-1, -1, generated.shape[-1])
        return generated.flatten(1, 2).gather(1, index)

    def label_noise(self, batch: Batch, generated: Tensor) -> list[Tensor]:
        """Draw the noise of D's targets, in [0, `gan.label_noise`): for real and generated rows, or none."""
        if not self.gan.label_noise:
            return []
        shapes = batch.y.shape[1:], generated.shape[1:3]
        return [self.gan.label_noise * self.noise.uniform(*shape, 1).squeeze(-1) for shape in shapes]

    def dropout_factors(self, batch: Batch, generated: Tensor | None) -> list[Tensor]:
        """Draw the factors of Q's dropout, for each hidden layer `[R, rows, width]`."""
        factors = []
        for width in self.classifier.dropped_widths:
            drawn = [self.noise.uniform(batch.y.shape[1], width)]
            if generated is not None:
                drawn.append(self.noise.uniform(*generated.shape[1:3], width).flatten(1, 2))
            factors.append(dropout_factors(torch.cat(drawn, dim=1), self.classifier.dropout))
        return factors

    def step(self, player: str, parts: Mapping[str, Tensor], gradients: Sequence[Tensor]) -> None:
        """Take one optimizer step of a player; its losses `[R]` become curves."""
        for tensor, gradient in zip(self._weights[player].tensors, gradients, strict=True):
            if self.shard.world_size > 1:
                all_reduce(gradient)
                gradient /= self.shard.world_size
            tensor.grad = gradient
        self._optimizers[player].step()
        self._losses.add(player, parts)

    def gathered(self, part: Tensor, dim: int) -> Tensor:
        """Concatenate all processes' parts along a dimension, in the order of the whole."""
        if self.shard.world_size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.shard.world_size)]
        all_gather(parts, part.contiguous())
        return torch.cat(parts, dim=dim)

    # Optimizers, noise and schedules.

    def configure_optimizers(self) -> Any:
        """Make one optimizer and one schedule per player, and for the complement step of COT."""
        self._weights = {player: Weights(getattr(self, player)) for player in self.players}
        optimizers = [self._make_optimizer[name](weights.tensors) for name, weights in self._weights.items()]
        if self.rules.complement:
            weights = self._weights["complement"] = self._weights["classifier"]
            # Weight decay belongs to Q's own step: it must not act twice.
            optimizers.append(self._make_optimizer["classifier"](weights.tensors, weight_decay=0.0))
        self._traced = self._turns()
        # Without Lightning's wrappers, which take as long as a small optimizer's step.
        self._optimizers = dict(zip(self._weights, optimizers, strict=True))
        return optimizers, [self._make_schedule(optimizer) for optimizer in optimizers]

    def _turns(self) -> dict[str, Traced]:
        """Return the turns: functions that return the losses, and the gradients of the player's weights.

        G's returns the gradients of the generated rows and of their anchors' weights.
        """

        def turn(player: str, losses_of: Callable[..., dict[str, Tensor]]) -> Traced:
            def differentiated(*inputs: Tensor | None) -> tuple[dict[str, Tensor], list[Tensor]]:
                parts = losses_of(*inputs)
                return parts, self._weights[player].gradients([parts["loss"].sum()])

            return Traced(differentiated)

        def of_rows(*outputs: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
            outputs = tuple(output.detach().requires_grad_() for output in outputs)
            # Views, since tools that follow modules, such as torch's counter of operations, refuse leaves.
            parts = self.generator_losses(*(output.view_as(output) for output in outputs))
            return parts, torch.autograd.grad(parts["loss"].sum(), outputs)

        turns = {"classifier": turn("classifier", self.classifier_losses)}
        if self.rules.complement:
            turns["complement"] = turn("complement", self.complement_losses)
        if "generator" in self.players:
            turns["discriminator"] = turn("discriminator", self.discriminator_losses)
            turns["generator"] = Traced(of_rows)
            turns["generate"] = Traced(lambda *noise: self.generator(*noise)[0])
        return turns

    def on_fit_start(self) -> None:
        """Draw noise onto the device of the networks."""
        self.noise.device = self.trained_on = self.device

    def on_train_epoch_end(self) -> None:
        """Step the learning rates' schedules."""
        schedulers = self.lr_schedulers()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()  # type: ignore[union-attr]

    # After every epoch: metrics, the best weights, the curves.

    def on_validation_model_eval(self) -> None:
        """Do nothing: the networks have no training mode."""

    def on_validation_model_train(self) -> None:
        """Do nothing: the networks have no training mode."""

    def predict_logits(self, x: Tensor) -> Tensor:
        """Return the logits of rows `[S, M, d]`, `[S, M, C]` (`networks.predict_logits`)."""
        return predict_logits(self.evaluated, x, self.members)

    def by_seed(self, values: Tensor) -> Tensor:
        """Split the replica axis: values `[R, ...]` to `[S, members, ...]`."""
        return values.reshape(len(values) // self.members, self.members, *values.shape[1:])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Classify the rows that choose the epoch."""
        self._evaluated.append((self.predict_logits(batch.x), batch.y))

    def on_validation_epoch_end(self) -> None:
        """Score the epoch, keep each replica's best weights and append to the curves."""
        curves = self._averages(self._losses.averages())
        # The weights too: a loss only reveals the weights of the step before.
        weights = [self.by_seed(p.detach()).flatten(1).sum(dim=1) for p in self.parameters()]
        values = torch.stack([*curves.values(), *weights])
        self.best.find_diverged(self.current_epoch, values, self._first_to_diverge)
        self._losses = EpochLosses()

        logits, classes = self._take_evaluated()
        if self.rules.tuned_threshold:
            self.shift.copy_(tuned_shift(logits, classes, self.log_prior))
        logits = shifted(logits, self.shift, self.log_prior)
        matrix = confusion(logits.argmax(dim=-1), classes, logits.shape[-1])
        warn_of_absent(matrix)
        loss = losses.balanced_cross_entropy(logits, classes)
        self._last_scores = [*self._last_scores, acsa_of_present(matrix)][-self.running_mean :]
        if len(self._last_scores) == min(self.running_mean, self.trainer.max_epochs or 1):
            score, last = torch.stack(self._last_scores).mean(dim=0), self.monitor == monitored("train")
            self.best.update(self.current_epoch, score, loss, self.state_dict, last)
        trained = self.by_seed(self.gathered(self.train_confusion[None], dim=0).sum(dim=0)).sum(dim=1)
        self.train_confusion.zero_()
        for part, counts in (("train", trained), (self.monitor, matrix)):
            curves |= {f"{part}/acsa": acsa(counts), f"{part}/g_mean": g_mean(counts)}
        curves[f"{self.monitor}/loss"] = loss
        if "generator" in self.players:
            curves |= self._diversity()
        epoch = torch.stack([value.double() for value in curves.values()]).cpu()
        for name, value in zip(curves, epoch, strict=True):
            self.history.setdefault(name, []).append(value)
        self.trainer.should_stop |= self.best.all_diverged

    def _first_to_diverge(self) -> Tensor:
        """Return the player whose network was the first with a loss that is not finite, `[S]`.

        If every loss is finite, it is the first whose weights are not.
        """
        finite = self._losses.finite_rounds()
        for player in self.players:
            sums = [p.detach().flatten(1).sum(dim=1) for p in getattr(self, player).parameters()]
            finite.append((player, self._losses.rounds - 0.5 * ~torch.stack(sums).isfinite().all(dim=0)))
        culprits, rounds = zip(*finite, strict=True)
        first = self.by_seed(torch.stack(rounds).T).amin(dim=1).argmin(dim=1)
        places = torch.tensor([limits.PLAYERS.index(player) for player in culprits], device=first.device)
        return places[first]

    def _averages(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Average values `[R]` over the members and all processes: `[S]`."""
        means = {name: self.by_seed(value).mean(dim=1) for name, value in values.items()}
        return {name: self.gathered(value[None], dim=0).mean(dim=0) for name, value in means.items()}

    def _diversity(self) -> dict[str, Tensor]:
        """Return the diversity of the rows of G's last turn in all processes, `[S]`."""
        rows, weights = (self.gathered(part, dim=2) for part in self._last_generated)
        g = self.generator
        values = diversity(rows, weights, g.anchors, g.present, self._real_distances)
        return {f"generator/{name}": self.by_seed(value).mean(dim=1) for name, value in values.items()}

    def _take_evaluated(self) -> tuple[Tensor, Tensor]:
        """Return the logits and the classes or row numbers of all evaluated batches, and forget them."""
        logits, labels = zip(*self._evaluated, strict=True)
        self._evaluated = []
        return self.gathered(torch.cat(logits, dim=1), dim=1), self.gathered(torch.cat(labels, dim=1), dim=1)

    def load_best(self) -> None:
        """Load every replica's best weights into the networks."""
        self.load_state_dict(self.best.weights)

    # The test rows.

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Classify the test rows."""
        self._evaluated.append((self.predict_logits(batch.x), batch.row))

    def on_test_epoch_end(self) -> None:
        """Keep row numbers, predicted classes and probabilities for `output`."""
        logits, rows = self._take_evaluated()
        predicted = decide(logits, self.shift, self.log_prior)
        self._tested = rows.cpu(), predicted.cpu(), logits.softmax(dim=-1).cpu()

    def output(self) -> MethodOutput:
        """Return the predictions, best epochs, curves and weights; call it after `Trainer.test`."""
        rows, predicted, probabilities = self._tested
        epochs = self.best.diverged_at.tolist()
        reasons = [self.best.reason(s) for s in range(len(epochs))]
        for r in (~probabilities.isfinite()).flatten(1).any(dim=1).nonzero().flatten().tolist():
            reasons[r] = reasons[r] or "a test row has a probability that is NaN: its values are too large"
        return MethodOutput(
            row=rows,
            predicted=predicted,
            probabilities=probabilities,
            na=reasons,
            best_epoch=self.best.epoch.tolist(),
            selection_acsa=self.best.score.tolist(),
            diverged_at=epochs,
            history=self.history,
            parameters={
                name: self.members * parameters_per_replica(getattr(self, name)) for name in self.players
            },
            weights={name: value.cpu() for name, value in self.best.weights.items()},
            device=self.trained_on,
        )

    # Checkpoints: tensors and numbers only, so that they load with weights_only=True.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the streams, the best epoch and the curves."""
        checkpoint["game"] = {
            "noise": self.noise.state(),
            "best": self.best.state_dict(),
            "last_scores": self._last_scores,
            "history": {name: torch.stack(values) for name, values in self.history.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the streams, the best epoch and the curves."""
        saved = checkpoint["game"]
        self.noise.restore(saved["noise"])
        self.best.load_state_dict(saved["best"])
        self._last_scores = saved["last_scores"]
        self.history = {name: list(values.unbind()) for name, values in saved["history"].items()}
