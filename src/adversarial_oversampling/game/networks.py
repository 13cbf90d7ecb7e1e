"""The three players' networks, each holding the weights of R replicas.

Weights are `[R, in, out]` and rows `[R, B, in]`, so that R independent networks are one batched
product. A forward pass is a pure function of its inputs: dropout is active only if its factors are passed,
and there is no training mode.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from adversarial_oversampling.random_streams import Streams

SLOPE = 0.1  # of leaky ReLU below zero


def _uniform_init(streams: Streams, fan_in: int, *shape: int) -> nn.Parameter:
    """Draw weights `[R, *shape]`, uniform in +-1/sqrt(fan_in), each replica from its own stream."""
    return nn.Parameter((2 * streams.uniform(*shape) - 1) / fan_in**0.5)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Compute the batched product `[R, B, n] x [R, n, o]` such that its bits do not depend on R.

    If a matrix has one row or column, torch.bmm uses a vector kernel for one replica and a matrix kernel for
    several, and the two round differently. An explicit sum of products rounds the same way for any R.
    """
    if b.shape[1] == 1:
        return a * b
    if b.shape[2] == 1:
        return (a * b.mT).sum(dim=-1, keepdim=True)
    return torch.bmm(a, b)


def affine(x: Tensor, weight: Tensor, bias: Tensor, factor: float = 1.0) -> Tensor:
    """Compute `factor * ([R, B, n] x [R, n, o] + [R, 1, o])` such that its bits do not depend on R."""
    if 1 in weight.shape[1:]:
        whole = product(x, weight) + bias
        return whole if factor == 1 else factor * whole
    return torch.baddbmm(bias, x, weight, beta=factor, alpha=factor)


def is_class(classes: Tensor, count: int) -> Tensor:
    """Return for classes `[...]` whether they are class 0, 1, ...: bool `[..., count]`."""
    return classes.unsqueeze(-1) == torch.arange(count, device=classes.device)


class ReplicaLinear(nn.Module):
    """R independent affine maps: `[R, B, inputs]` to `[R, B, outputs]`."""

    def __init__(self, inputs: int, outputs: int, streams: Streams) -> None:
        super().__init__()
        self.weight = _uniform_init(streams, inputs, inputs, outputs)
        self.bias = _uniform_init(streams, inputs, 1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Apply replica r's map to row block r."""
        return affine(x, self.weight, self.bias)


def transposed(layer: nn.Module) -> Tensor:
    """Return the weights of a `ReplicaLinear` from outputs to inputs, `[R, outputs, inputs]`."""
    weight: Tensor = layer.get_parameter("weight").mT
    return weight


def dropout_factors(uniform: Tensor, rate: float) -> Tensor:
    """Return the factors of dropout from numbers in [0, 1): 0 below `rate`, and 1 / (1 - rate) otherwise."""
    return (uniform >= rate) / (1 - rate)


class MLP(nn.Module):
    """R multi-layer perceptrons with leaky ReLU between the layers.

    Parameters
    ----------
    inputs, width, outputs : int
        Sizes of the first layer's input, of every hidden layer and of the last layer's output.
    layers : int
        Number of affine maps, the output layer included.
    streams : Streams
        Draw the initial weights.
    dropout : float
        Fraction of hidden units to drop, in [0, 1).
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, layers: int, streams: Streams, dropout: float = 0.0
    ) -> None:
        super().__init__()
        sizes = [inputs] + [width] * (layers - 1) + [outputs]
        self.dropout = dropout
        self.layers = nn.ModuleList(ReplicaLinear(a, b, streams) for a, b in pairwise(sizes))

    @property
    def dropped_widths(self) -> list[int]:
        """Widths of the layers whose units are dropped: all hidden ones, or none without dropout."""
        return [layer.get_parameter("bias").shape[-1] for layer in self.layers[:-1]] if self.dropout else []

    def forward(self, x: Tensor, factors: Sequence[Tensor] = ()) -> Tensor:
        """Map rows `[R, ..., inputs]` to `[R, ..., outputs]`.

        Units are multiplied with `factors` (`dropout_factors`): none, or `[R, B, width]` for each of
        `dropped_widths`.
        """
        rows = x.flatten(1, -2)
        *hidden, last = self.layers
        for i, layer in enumerate(hidden):
            # Module.__call__ takes a third of the time of a small product.
            rows = leaky_relu(layer.forward(rows), SLOPE, inplace=True)
            if factors:
                rows = rows * factors[i]
        out: Tensor = last.forward(rows)
        return out if x.dim() == out.dim() else out.reshape(*x.shape[:-1], out.shape[-1])

    def gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of a single output with respect to each row, as a function of the weights.

        The network is piecewise linear, so the gradient is a product of the layers' weights and of the slopes
        of leaky ReLU at x. The slopes are constant almost everywhere: differentiating the result with respect
        to the weights is what automatic differentiation of a gradient does, without its products with zero.

        Parameters
        ----------
        x : Tensor of shape [R, B, inputs]

        Returns
        -------
        Tensor of shape [R, B, inputs]
        """
        activations = []
        *hidden, last = self.layers
        with torch.no_grad():
            for layer in hidden:
                activations.append(layer.forward(x))
                x = leaky_relu(activations[-1], SLOPE)
        gradient = transposed(last)
        for layer, before in zip(reversed(hidden), reversed(activations), strict=True):
            gradient = torch.ops.aten.leaky_relu_backward(gradient.expand_as(before), before, SLOPE, False)
            gradient = product(gradient, transposed(layer))
        return gradient


class Classifier(MLP):
    """Q: rows `[R, ..., d]` to logits `[R, ..., C]`."""


def predict_logits(classifier: Classifier, x: Tensor, members: int = 1) -> Tensor:
    """Return the logits of rows `x [S, M, d]`; of several members the log of their average probabilities.

    Returns
    -------
    Tensor of shape [S, M, C]
    """
    if members == 1:
        logits: Tensor = classifier(x)
        return logits
    logits = classifier(x.repeat_interleave(members, dim=0)).log_softmax(dim=-1)
    return logits.reshape(len(x), members, *logits.shape[1:]).logsumexp(dim=1) - math.log(members)


class Discriminator(nn.Module):
    """D: rows `[R, ..., d]` to one score each, `[R, ...]`.

    D has no batch normalisation, as the gradient penalty is a property of single rows.

    Parameters
    ----------
    features, classes, width, layers : int
        Sizes.
    conditional : bool
        Whether D also sees the row's class (as GAMO's does). The paper's D does not.
    streams : Streams
        Draw the initial weights.
    """

    def __init__(
        self, features: int, classes: int, width: int, layers: int, conditional: bool, streams: Streams
    ) -> None:
        super().__init__()
        self.classes = classes if conditional else 0
        self.mlp = MLP(features + self.classes, width, 1, layers, streams)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score rows `x [R, ..., d]` of classes `y [R, ...]`."""
        scores: Tensor = self.mlp.forward(self._input(x, y))
        return scores.squeeze(-1)

    def gradient(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the gradient of the score of each row `x [R, B, d]`, `[R, B, d]` (`MLP.gradient`)."""
        return self.mlp.gradient(self._input(x, y))[..., : x.shape[-1]]

    def _input(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, is_class(y, self.classes).to(x.dtype)], dim=-1) if self.classes else x


class Generator(nn.Module):
    """G(z|k) = g(z|k)^T tau_k (eq. 1): convex combinations of real rows of class k.

    The paper's class-specific weight instance (CWI) maps noise and class to softmax weights g over class k's
    anchors.
    The classes share its trunk, and each has a last layer of its own. A class with fewer anchors than the cap
    has the rest masked out, so that shapes depend on the table and the configuration alone.

    Parameters
    ----------
    anchors : Tensor of shape [R, C, A, d]
        tau_k: real training rows of each class, zero where `mask` is False.
    mask : Tensor of shape [R, C, A], bool
        Which anchors exist.
    latent, width, layers : int
        Size of z, of the hidden layers, and the number of affine maps.
    temperature : float
        Divides the logits of the softmax. Below 1 each sample leans on fewer anchors.
    streams : Streams
        Draw the initial weights.
    gumbel : float
        Scale of the Gumbel noise that is added to the logits. With 1 and a low temperature, CWI selects an
        anchor at random with the probabilities softmax(logits) (Jang et al. 2017, Maddison et al. 2017);
        0 is the paper's plain softmax.
    straight_through : bool
        Use the anchor with the largest weight alone, with the gradient of the weights.
    """

    anchors: Tensor
    present: Tensor
    absent: Tensor
    codes: Tensor

    def __init__(
        self,
        anchors: Tensor,
        mask: Tensor,
        latent: int,
        width: int,
        layers: int,
        temperature: float,
        streams: Streams,
        gumbel: float = 0.0,
        straight_through: bool = False,
    ) -> None:
        super().__init__()
        _, classes, count, _ = anchors.shape
        self.latent = latent
        self.temperature, self.gumbel, self.straight_through = temperature, gumbel, straight_through
        self.trunk = MLP(latent + classes, width, width, layers - 1, streams)
        self.weight = _uniform_init(streams, width, classes, width, count)
        self.bias = _uniform_init(streams, width, classes, 1, count)
        # Rebuilt from the rows at every start, so checkpoints need not carry them.
        self.register_buffer("anchors", anchors, persistent=False)
        self.register_buffer("present", mask, persistent=False)
        absent = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf).unsqueeze(2)
        self.register_buffer("absent", absent, persistent=False)
        self.register_buffer("codes", torch.eye(classes)[None, :, None], persistent=False)

    def noise(self, streams: Streams, rows: int) -> tuple[Tensor, Tensor | None]:
        """Draw what m rows of every class are made from.

        Returns
        -------
        z : Tensor of shape [R, C, m, latent]
            z ~ N(0, I).
        gumbel : Tensor of shape [R, C, m, A] or None
            Gumbel noise of scale 1; None if the scale is 0.
        """
        _, classes, anchors, _ = self.anchors.shape
        z = streams.normal(classes, rows, self.latent)
        if not self.gumbel:
            return z, None
        return z, gumbel(streams.uniform(classes, rows, anchors))

    def weights(self, z: Tensor, gumbel: Tensor | None = None) -> Tensor:
        """Return the weights g(z|k), `[R, C, m, A]`, of each class's anchors: non-negative, with sum 1.

        Parameters
        ----------
        z : Tensor of shape [R, C, m, latent]
            m noise vectors for every class.
        gumbel : Tensor of shape [R, C, m, A], optional
            Gumbel noise of scale 1, which is added to the logits with the scale `self.gumbel`.
        """
        replicas, classes, rows, _ = z.shape
        codes = self.codes.expand(replicas, classes, rows, classes)
        # Flat, as autograd copies the gradient of a view that is changed in place.
        hidden = leaky_relu(self.trunk(torch.cat([z, codes], dim=-1).flatten(1, 2)), SLOPE, inplace=True)
        bias = self.bias + self.absent  # the mask on the bias: the logits have as many columns and more rows
        logits = affine(
            hidden.reshape(replicas * classes, rows, -1),
            self.weight.flatten(0, 1),
            bias.flatten(0, 1),
            1 / self.temperature,
        )
        if gumbel is not None:
            logits.add_(gumbel.flatten(0, 1), alpha=self.gumbel / self.temperature)
        weights = logits.softmax(dim=-1)
        if self.straight_through:
            one = is_class(weights.argmax(dim=-1), weights.shape[-1])
            weights = one + (weights - weights.detach())
        return weights.reshape(replicas, classes, rows, -1)

    def forward(self, z: Tensor, gumbel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Generate m rows of every class from the noise of `noise`.

        Returns
        -------
        rows : Tensor of shape [R, C, m, d]
        weights : Tensor of shape [R, C, m, A]
            What each anchor contributed.
        """
        weights = self.weights(z, gumbel)
        rows = product(weights.flatten(0, 1), self.anchors.flatten(0, 1))
        return rows.reshape(*weights.shape[:3], -1), weights


def gumbel(uniform: Tensor) -> Tensor:
    """Turn uniform numbers u in [0, 1), kept away from 0, into Gumbel noise -log(-log u), in place."""
    return uniform.clamp_min_(torch.finfo(uniform.dtype).tiny).log_().neg_().log_().neg_()


def parameters_per_replica(module: nn.Module) -> int:
    """Return the number of trainable parameters of one replica."""
    return sum(p.numel() // p.shape[0] for p in module.parameters())


def build_players(
    sizes: Mapping[str, Any],
    streams: Streams,
    features: int,
    classes: int,
    anchors: tuple[Tensor, Tensor] | None,
) -> dict[str, Any]:
    """Build Q, and D and G where there are anchors, drawing weights in a fixed order.

    Parameters
    ----------
    sizes : mapping
        For each player its `width`, `layers` and own settings (config group `players`).
    streams : Streams
        Draw the initial weights.
    features, classes : int
        d and C.
    anchors : tuple of Tensor, optional
        tau and its mask; None for a mode without a generator.
    """
    q = sizes["classifier"]
    players: dict[str, Any] = {
        "classifier": Classifier(features, q["width"], classes, q["layers"], streams, q["dropout"])
    }
    if anchors is not None:
        d, g = sizes["discriminator"], sizes["generator"]
        players["discriminator"] = Discriminator(
            features, classes, d["width"], d["layers"], d["conditional"], streams
        )
        settings = {
            key: g[key] for key in ("latent", "width", "layers", "temperature", "gumbel", "straight_through")
        }
        players["generator"] = Generator(*anchors, **settings, streams=streams)
    return players
