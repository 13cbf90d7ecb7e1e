"""Functions of tensors that are traced once, with their gradients, and then run without Python and autograd.

With small networks, a step takes as long as its operations take to start. Most of that time is Python's and
autograd's.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

LARGE = 2**24
"""A function whose operations return more numbers than this in all, views included, is not traced: tracing
holds them at once, and saves too little time."""


class Slot(int):
    """Number of a tensor in a recording."""


class Call(NamedTuple):
    """A recorded operation, with slots in the places of tensors."""

    operation: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Slot]


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a value, or to those in nested lists, tuples and dicts."""
    if isinstance(value, dict):
        return {key: mapped(function, part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([mapped(function, part) for part in value])
    return function(value)


def parts_of(result: Any) -> Sequence[Any]:
    """Return what an operation has returned: tensors, None for a gradient that nobody needs, or a number."""
    return result if isinstance(result, list | tuple) else [result]


def of_unknown_shape(operation: Any, args: Sequence[Any]) -> bool:
    """Return whether the shape of an operation's result depends on the numbers of its arguments."""
    if torch.Tag.dynamic_output_shape not in operation.tags:
        return False
    # Indexing has a known shape if the indices are whole numbers.
    return operation is not torch.ops.aten.index.Tensor or any(
        index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
    )


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record the operations of a block of code in their order, those of autograd too.

    Parameters
    ----------
    inputs : sequence of Tensor
        What differs between calls.

    Attributes
    ----------
    calls : list of Call
    outer : list of Tensor
        Tensors that the block uses and that are no inputs: weights and constants. The recording refers to
        them, so it sees when they change.
    slots : list of Slot
        Of the inputs and then of `outer`.
    numbers : float
        How many numbers the operations have returned, in views and in place too; infinity if one has returned
        None beside tensors, for which TorchScript has no place.

    Raises
    ------
    TypeError
        If an operation returns a number, or a tensor whose shape depends on numbers.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._slots: Any = WeakTensorKeyDictionary()
        self._count = 0
        self.calls: list[Call] = []
        self.outer: list[Tensor] = []
        self.slots = [self._new(tensor) for tensor in inputs]
        self.numbers: float = 0

    def _new(self, tensor: Tensor) -> Slot:
        slot = self._slots[tensor] = Slot(self._count)
        self._count += 1
        return slot

    def slot(self, value: Any) -> Any:
        """Return the slot of a tensor, and any other value as it is."""
        if not isinstance(value, Tensor):
            return value
        if value not in self._slots:
            self.slots.append(self._new(value))
            self.outer.append(value)
        return self._slots[value]

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and record it."""
        kwargs = kwargs or {}
        slots = mapped(self.slot, args), mapped(self.slot, kwargs)
        result = func(*args, **kwargs)
        parts = parts_of(result)
        a_number = any(isinstance(part, bool | int | float | complex) for part in parts)
        if a_number or of_unknown_shape(func, args):
            raise TypeError(
                f"{func}: a loss depends on the numbers of a tensor in another way than by operations on "
                "tensors, and every call would take these numbers from the first one; select with "
                "torch.where or masked_fill, for example."
            )
        if any(part is None for part in parts):
            self.numbers = math.inf
            return result
        self.numbers += sum(tensor.numel() for tensor in parts)
        self.calls.append(Call(func, *slots, [self._new(tensor) for tensor in parts]))
        return result


def compiled(recording: Recording, outputs: Sequence[Slot], examples: Sequence[Tensor]) -> Callable[..., Any]:
    """Return the recorded operations as one program, a function of the tensors of `recording.slots`.

    Parameters
    ----------
    recording : Recording
    outputs : sequence of Slot
        What the program returns.
    examples : sequence of Tensor
        Values for `recording.slots`; the program only runs on tensors with their shapes.
    """
    calls, slots = recording.calls, recording.slots

    def replay(*tensors: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(slots, tensors, strict=True))

        def value(given: Any) -> Any:
            return values[given] if isinstance(given, Slot) else given

        for call in calls:
            result = call.operation(*mapped(value, call.args), **mapped(value, call.kwargs))
            values.update(zip(call.results, parts_of(result), strict=True))
        return tuple(values[slot] for slot in outputs)

    # As torch.jit.trace does, which keeps every program until the process ends. TorchScript is no longer
    # developed, but nothing else runs a list of operations without a compiler.
    with torch.no_grad():
        graph, _ = torch._C._create_graph_by_tracing(replay, tuple(examples), lambda _: "", True, False)
    program: Callable[..., Any] = torch._C._create_function_from_graph("replay", graph)
    return program


class Traced:
    """A function of tensors that is traced in its first call.

    Later calls run the same operations in the same order, so their results have the same bits. What the
    function reads from Python, such as a weight of a loss, keeps the value that it had in the first call. The
    function runs as it is, in every call, on a GPU, where autograd detects anomalies, and if its operations
    return more than `LARGE` numbers.

    Parameters
    ----------
    function : callable
        Maps tensors to tensors in tuples, lists and dicts. It may differentiate; its results are detached. It
        must not change what it is given or weights: the first call runs it twice.

    Raises
    ------
    TypeError
        If the function depends on the numbers of a tensor in another way than by operations on tensors, as in
        a branch or a shape. Numbers in a NumPy array or a list are not noticed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        # For each of the inputs' shapes: the program, its outer tensors, and the results with the numbers of
        # their tensors in the places of these; None where the tensors are large.
        self._programs: dict[Any, tuple[Callable[..., Any], list[Tensor], Any] | None] = {}

    def __call__(self, *inputs: Tensor | None) -> Any:
        """Call the function; an input may be None in all calls."""
        tensors = [value for value in inputs if value is not None]
        shapes = tuple(tensor.shape for tensor in tensors)
        as_it_is = torch.is_anomaly_enabled() or any(tensor.device.type != "cpu" for tensor in tensors)
        if not as_it_is and shapes not in self._programs:
            return self._trace(inputs, tensors, shapes)
        known = None if as_it_is else self._programs[shapes]
        if known is None:
            return mapped(torch.detach, self._function(*inputs))
        program, outer, numbered = known
        # Without the executor's optimisations, which replace operations.
        with torch.no_grad(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            found = program(*tensors, *outer)
        return mapped(found.__getitem__, numbered)

    def _trace(self, inputs: Sequence[Tensor | None], tensors: Sequence[Tensor], shapes: Any) -> Any:
        """Run the function and keep its program."""
        with Recording(tensors) as recording:
            results = self._function(*inputs)
        self._programs[shapes] = None
        if recording.numbers <= LARGE:
            outputs: list[Slot] = []

            def number(result: Tensor) -> int:
                outputs.append(recording.slot(result))
                return len(outputs) - 1

            numbered = mapped(number, results)
            program = compiled(recording, outputs, (*tensors, *recording.outer))
            self._programs[shapes] = program, recording.outer, numbered
        return mapped(torch.detach, results)
