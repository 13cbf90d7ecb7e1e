"""A player's weights as an optimizer updates them: in one pass, with rounding that does not depend on R."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ALIGNED = 16  # numbers, at least as many as a vector register holds
LARGE = 2**16  # numbers of a parameter whose gradient is not worth copying


class Weights:
    """A player's weights in tensors that fill whole vector registers.

    The vectorised kernel of an optimizer rounds what is left at the end of a tensor differently: the last
    weights of the last replica. So parameters become views of one vector that is padded to a multiple of
    `ALIGNED` numbers, which also saves the optimizer's work for each tensor. A large parameter stays as it is
    if it has such a multiple per replica.

    Parameters
    ----------
    player : Module
        On its final device.

    Attributes
    ----------
    tensors : list of Parameter
        To be given to an optimizer whose step treats every weight by itself.
    """

    def __init__(self, player: nn.Module) -> None:
        parameters = list(player.parameters())
        self._whole = [p for p in parameters if _stays(p)]
        self._packed = [p for p in parameters if not _stays(p)]
        self.tensors = list(self._whole)
        if self._packed:
            numbers = sum(p.numel() for p in self._packed)
            vector = nn.Parameter(self._packed[0].new_zeros(numbers + -numbers % ALIGNED))
            for p, view in zip(self._packed, _views(vector.detach(), self._packed), strict=True):
                p.data = view.copy_(p.detach())
            self._padding = vector.new_zeros(len(vector) - numbers)
            self.tensors.append(vector)

    def gradients(self, outputs: Sequence[Tensor], slopes: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Return the gradients of `tensors`; no other gradient is computed.

        Parameters
        ----------
        outputs : sequence of Tensor
            Functions of the weights: a scalar loss, or tensors with `slopes`.
        slopes : sequence of Tensor, optional
            The gradients of a loss with respect to the outputs.
        """
        found = torch.autograd.grad(outputs, [*self._whole, *self._packed], slopes)
        gradients = list(found[: len(self._whole)])
        if self._packed:
            packed = [gradient.flatten() for gradient in found[len(self._whole) :]]
            gradients.append(torch.cat([*packed, self._padding]))
        return gradients


def _stays(parameter: Tensor) -> bool:
    return parameter.numel() >= LARGE and parameter[0].numel() % ALIGNED == 0


def _views(vector: Tensor, shaped: Sequence[Tensor]) -> list[Tensor]:
    """Return views of a vector, one after the other, with the shapes of some tensors."""
    numbers = [tensor.numel() for tensor in shaped]
    parts = torch.split(vector[: sum(numbers)], numbers)
    return [part.view(tensor.shape) for part, tensor in zip(parts, shaped, strict=True)]
