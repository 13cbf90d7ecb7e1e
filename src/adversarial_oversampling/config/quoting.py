"""Arguments of the command line, changed so that Hydra takes them as they are typed.

In Hydra's grammar 2024_01 and 1e3 are numbers, and `?` or `;` is an error. Its parser takes no settings on
both sides of an option.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence

from hydra._internal.utils import get_args_parser

_TEXT = ("dataset.name", "dataset.path", "dataset.target")
_OPTIONAL_TEXT = "dataset.group"
_PATH = re.compile(r"paths\.|hydra\.(run|sweep)\.dir$")
_SIGN = ("dataset.separator", "dataset.decimal")
_LISTS = ("categorical", "numeric", "date", "drop", "missing", "keep_na")
_LIST = tuple(f"dataset.columns.{name}" for name in _LISTS)
_ORDINAL = "dataset.columns.ordinal"
_QUOTED = re.compile(r"'.*'|\".*\"", re.S)
_FUNCTION = re.compile(r"(range|glob|shuffle|sort|tag|interval|int|float|str|bool|extend_list)\(.*\)", re.S)
_OPENING, _CLOSING = "([{", ")]}"


def settings_last(arguments: Sequence[str]) -> list[str]:
    """Return arguments of the command line with the options before the settings, both in their order."""
    settings = get_args_parser().parse_known_intermixed_args(list(arguments))[0].overrides
    options, left = [], list(settings)
    for argument in arguments:
        if left and argument == left[0]:
            left.pop(0)
        else:
            options.append(argument)
    return [*options, *settings]


def quoted(arguments: Sequence[str]) -> list[str]:
    """Return arguments of the command line in which the settings that are texts are in quotes.

    Values in quotes, and those with one of Hydra's escapes (a backslash), are left as they are. Commas
    outside brackets separate the values of a sweep.
    """
    return [_quoted(argument) for argument in arguments]


def _quoted(argument: str) -> str:
    key, equals, value = argument.partition("=")
    plain = key.lstrip("+")
    if not equals or not value:
        return argument
    if _PATH.match(plain) and (home := re.match("(['\"]?)(~.*)", value, re.S)):
        return f"{key}={home[1]}{os.path.expanduser(home[2])}"  # most shells leave `~` within an argument
    if plain in _SIGN:
        return argument if value == "null" or _QUOTED.fullmatch(value) else f"{key}='{value}'"
    if plain in _TEXT:
        return f"{key}={_sweep(value, _text)}"
    if plain == _OPTIONAL_TEXT:
        return f"{key}={_sweep(value, lambda text: text if text == 'null' else _text(text))}"
    if plain in _LIST or plain.startswith(f"{_ORDINAL}."):
        # A column of `ordinal` is a new key.
        added = "++" if plain == key and plain.startswith(_ORDINAL) else ""
        return f"{added}{key}={_sweep(value, _list)}"
    if plain == _ORDINAL:
        return f"{key}={_sweep(value, _mapping)}"
    return argument


def _sweep(value: str, quote: Callable[[str], str]) -> str:
    if _FUNCTION.fullmatch(value):
        return value
    if value.startswith("choice(") and value.endswith(")"):
        return f"choice({_sweep(value[7:-1], quote)})"
    return ",".join(map(quote, _parts(value)))


def _text(text: str) -> str:
    if "\\" in text or _QUOTED.fullmatch(text):
        return text
    return "'" + text.replace("'", r"\'") + "'"


def _list(value: str) -> str:
    if value == "null":
        return value
    items = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    return f"[{','.join(map(_text, _parts(items)))}]" if items.strip() else "[]"


def _mapping(value: str) -> str:
    """Return a list of lists that begin with the key: Hydra has no quotes for keys."""
    inner = value[1:-1].strip()
    if value.startswith("[") and inner:
        return f"[{','.join(map(_list, _parts(inner)))}]"
    if not value.startswith("{") or not inner:
        return value
    lists = []
    for pair in _parts(inner):
        name, *values = _parts(pair, ":")
        lists.append(f"[{_text(name)},{_list(':'.join(values))[1:-1]}]")
    return f"[{','.join(lists)}]"


def _parts(value: str, separator: str = ",") -> Iterator[str]:
    """Yield the parts of a value between separators that are in neither brackets nor quotes."""
    part, depth, quote, escaped = "", 0, "", False
    for character in value:
        if escaped or character == "\\":
            escaped = not escaped
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == separator and depth == 0:
            yield part.strip()
            part = ""
            continue
        else:
            depth += (character in _OPENING) - (character in _CLOSING)
        part += character
    yield part.strip()
