"""DO with WGAN-GP as a plain loop: the reference for the speed of the suite's training step.

The same networks, losses, laws, optimizers and numbers of rows as in `mode=do`, written without Lightning,
without a stream per replica and without anything recorded. Only tensors are taken from the suite: the rows,
the class counts and the anchors.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import cross_entropy, leaky_relu, logsigmoid, one_hot

from adversarial_oversampling.data.datamodule import TableDataModule

Layers = list[tuple[Tensor, Tensor]]


def layers(replicas: int, *sizes: int) -> Layers:
    """Return weights `[R, in, out]` and biases `[R, 1, out]`, uniform in +-1/sqrt(in)."""
    made = []
    for a, b in pairwise(sizes):
        weight, bias = ((2 * torch.rand(replicas, n, b) - 1) / a**0.5 for n in (a, 1))
        made.append((weight.requires_grad_(), bias.requires_grad_()))
    return made


def mlp(network: Layers, x: Tensor, dropout: float = 0.0) -> Tensor:
    """Map rows `[R, B, in]` to `[R, B, out]`."""
    for weight, bias in network[:-1]:
        x = leaky_relu(torch.baddbmm(bias, x, weight), 0.1)
        if dropout:
            x = torch.nn.functional.dropout(x, dropout)
    weight, bias = network[-1]
    return torch.baddbmm(bias, x, weight)


def plain_loop(cfg: DictConfig, data: TableDataModule) -> Callable[[], None]:
    """Return a function that plays one round of DO on the rows of a data module that is set up."""
    x_all, anchors, mask = data.rows.x, *data.anchors(cfg.players.generator.anchors)
    counts = data.counts.float()
    largest = counts.max(dim=1, keepdim=True).values
    aims = counts if cfg.fs.ratio is None else counts.maximum(cfg.fs.ratio * largest)
    law = aims / aims.sum(dim=1, keepdim=True)
    replicas, classes, count, features = anchors.shape
    size, settings = cfg.dataset.training.batch_size, cfg.players
    m = cfg.generated_rows or max(1, size // classes)
    temperature, scale, latent, q_dropout = (
        settings.generator.temperature,
        settings.generator.gumbel,
        settings.generator.latent,
        settings.classifier.dropout,
    )
    width = {name: settings[name].width for name in ("classifier", "discriminator", "generator")}

    q = layers(replicas, features, *[width["classifier"]] * 3, classes)
    d = layers(replicas, features, *[width["discriminator"]] * 2, 1)
    g = layers(replicas, latent + classes, *[width["generator"]] * 2)
    last = layers(replicas * classes, width["generator"], count)
    players = {
        "classifier": [p for layer in q for p in layer],
        "discriminator": [p for layer in d for p in layer],
        "generator": [p for layer in g + last for p in layer],
    }
    optimizers = {
        name: torch.optim.AdamW(
            players[name],
            lr=settings[name].optimizer.lr,
            betas=tuple(settings[name].optimizer.get("betas", (0.9, 0.999))),
            weight_decay=settings[name].optimizer.weight_decay,
            fused=True,
        )
        for name in players
    }
    made = torch.arange(classes)[None, :, None].expand(replicas, classes, m)
    codes = one_hot(made, classes).float()
    of_replica = torch.arange(replicas)[:, None]
    # The rows of each class of each replica, padded.
    members = torch.zeros(replicas, classes, int(counts.max()), dtype=torch.long)
    for r in range(replicas):
        for k in range(classes):
            rows = data.draws.of_class(k, r)
            members[r, k, : len(rows)] = rows

    def draw() -> tuple[Tensor, Tensor]:
        y = torch.multinomial(law, size, replacement=True)
        place = (torch.rand(replicas, size) * counts.gather(1, y)).long()
        return x_all[of_replica, members[of_replica, y, place]], y

    def generate() -> Tensor:
        z = torch.cat([torch.randn(replicas, classes, m, latent), codes], dim=-1)
        hidden = leaky_relu(mlp(g, z.flatten(1, 2)), 0.1).reshape(replicas * classes, m, -1)
        logits = torch.baddbmm(last[0][1], hidden, last[0][0])
        if scale:
            logits = logits - scale * (-torch.rand_like(logits).clamp_min(1e-38).log()).log()
        logits = logits / temperature
        logits = logits.masked_fill(~mask.reshape(replicas * classes, 1, -1), -torch.inf)
        return torch.bmm(logits.softmax(dim=-1), anchors.flatten(0, 1)).reshape(replicas, -1, features)

    def expected(values: Tensor, chance: Tensor | float) -> Tensor:
        return (values.reshape(replicas, classes, m).mean(dim=-1) * chance).sum(dim=-1)

    def favour(logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").reshape(replicas, -1)

    def fool(logits: Tensor, y: Tensor) -> Tensor:
        others = logits.masked_fill(one_hot(y, classes).bool(), -torch.inf).logsumexp(dim=-1)
        return -logsigmoid(others - logits.gather(-1, y[..., None]).squeeze(-1))

    def step(name: str, loss: Tensor) -> None:
        parameters, optimizer = players[name], optimizers[name]
        for p, gradient in zip(parameters, torch.autograd.grad(loss.sum(), parameters), strict=True):
            p.grad = gradient
        optimizer.step()

    y_made = made.flatten(1)

    def play() -> None:
        x, y = draw()
        rows = generate()
        fixed = rows.detach()

        real, fake = torch.split(mlp(d, torch.cat([x, fixed], dim=1)).squeeze(-1), [size, classes * m], dim=1)
        pairs = fixed.reshape(replicas, classes, m, -1)[of_replica, y, torch.arange(size) % m]
        mix = torch.rand(replicas, size, 1)
        between = (mix * x + (1 - mix) * pairs).requires_grad_()
        (slope,) = torch.autograd.grad(mlp(d, between).sum(), between, create_graph=True)
        penalty = ((slope.norm(dim=-1) - 1) ** 2).mean(dim=-1)
        step("discriminator", expected(fake, law) - real.mean(dim=-1) + 10 * penalty)

        on_made = favour(mlp(q, rows), y_made)
        step("generator", expected(on_made - mlp(d, rows).squeeze(-1), 1 / classes))

        with torch.no_grad():
            rows = generate()
        logits = mlp(q, torch.cat([x, rows], dim=1), q_dropout)
        on_real, on_made = torch.split(logits, [size, classes * m], dim=1)
        weight = cfg.mode.rules.generated_weight
        step(
            "classifier",
            favour(on_real, y).mean(dim=-1) + weight * expected(fool(on_made, y_made), law),
        )

    return play
