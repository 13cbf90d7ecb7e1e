"""Print the reference of result.json in Markdown: `python -m adversarial_oversampling.results`."""

import types
import typing
from collections.abc import Iterator

from pydantic import BaseModel

from adversarial_oversampling.guard import guard
from adversarial_oversampling.results.schema import SCHEMA_VERSION, Result
from adversarial_oversampling.text import capitalized

INTRODUCTION = f"""# result.json

Every finished run has a `result.json`. This page is generated from its schema by
`python -m adversarial_oversampling.results > docs/result_file.md`, and a test compares the two.

The version of the schema is {SCHEMA_VERSION}. A file of another version is refused: train the run again with
`rerun=true`. In Python, `adversarial_oversampling.results.read.read_result(path)` returns a `Result` with
these fields as attributes.
"""


def reference() -> str:
    """Return the reference page: a table of the fields of each part, with type, unit and meaning."""
    parts = [INTRODUCTION]
    for model in _models(Result):
        parts += [f"## {model.__name__}\n", f"{capitalized((model.__doc__ or '').strip())}\n"]
        parts += ["| field | type | unit | meaning |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            extra = field.json_schema_extra
            unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
            parts.append(f"| `{name}` | {_type_text(field.annotation)} | {unit} | {field.description} |")
        parts.append("")
    return "\n".join(parts)


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and every model below it, each once, in the order of the fields."""
    seen: list[type[BaseModel]] = []
    pending = [model]
    while pending:
        current = pending.pop(0)
        if current not in seen:
            seen.append(current)
            for field in current.model_fields.values():
                pending += [kind for kind in _parts(field.annotation) if _is_model(kind)]
    yield from seen


def _parts(annotation: object) -> Iterator[typing.Any]:
    yield annotation
    for argument in typing.get_args(annotation):
        yield from _parts(argument)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _type_text(annotation: typing.Any) -> str:
    """Return a type as a reader of JSON knows it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_text(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_text(argument) for argument in arguments)
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is list:
        return f"list of {_type_text(arguments[0])}"
    if origin is dict:
        value = _type_text(arguments[1])
        return f"object of ({value})" if " or " in value else f"object of {value}"
    if _is_model(annotation):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
    return names.get(annotation, "any value")


@guard()
def main() -> None:
    """Run the command."""
    print(reference(), end="")


if __name__ == "__main__":
    main()
