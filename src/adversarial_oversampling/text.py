"""Short texts that appear in messages, tables and file names."""

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

SUGGESTIONS = 5
"""At most so many settings of the same name are proposed for an unknown one."""


def one_line(error: BaseException) -> str:
    """Return an error's message as a single line; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def no_such_setting(key: str, known: Iterable[object], settings: Mapping[str, object] | None = None) -> str:
    """Return the message for an unknown setting, with a setting that may be meant.

    Parameters
    ----------
    key : str
        The full key.
    known : iterable
        Names that its section has; the nearest one is proposed.
    settings : mapping, optional
        The whole configuration. If no name is near, settings of the same name in other sections are proposed.
    """
    section, dot, name = key.rpartition(".")
    if nearest := difflib.get_close_matches(name, map(str, known), n=1):
        meant = [f"{section}{dot}{nearest[0]}"]
    elif key in ("dataset.path", "dataset.target", "dataset.group"):
        return f"{key}: there is no such setting; for a table of your own, give dataset=table too."
    else:
        meant = [other for other in _keys_of(name, settings or {}) if other != key][:SUGGESTIONS]
    hint = f"; did you mean {', '.join(meant[:-1])}{' or ' * (len(meant) > 1)}{meant[-1]}?" if meant else "."
    return f"{key}: there is no such setting{hint}"


def _keys_of(name: str, settings: Mapping[str, object], section: str = "") -> list[str]:
    """Return the full keys of all settings of this name, in the order of the configuration."""
    keys = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            keys += _keys_of(name, value, f"{section}{key}.")
        elif key == name:
            keys.append(f"{section}{key}")
    return keys


def shown(text: str) -> str:
    """Return a text in quotes, shortened, with invisible characters as escapes."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def without_case(text: str) -> str:
    """Return text in lower case; one letter as it is, since it may be a code whose case means something."""
    return text.lower() if len(text) > 1 else text


def differing_in_case(texts: Iterable[str]) -> list[list[str]]:
    """Return the texts that differ only in case (`without_case`), those that are alike together."""
    alike: dict[str, list[str]] = {}
    for text in texts:
        alike.setdefault(without_case(text), []).append(text)
    return [together for together in alike.values() if len(together) > 1]


def slug(text: str) -> str:
    """Return text as part of a file's or an artifact's name: letters, digits, `_`, `.` and `-`."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-")[:120]


def is_file_name(text: str) -> bool:
    """Return whether text can be the name of a folder: visible characters, at most 100, and no separator."""
    return (
        re.fullmatch(r"[\w(][^/\\]{0,99}", text) is not None and text.isprintable() and text == text.strip()
    )


def user_path(text: str) -> Path:
    """Return a path as a user gives it; `~` is the user's home, also where the shell has left it."""
    return Path(os.path.expanduser(text))


def table_name(path: str | None) -> str:
    """Return what a table is called by default: the name of its file without endings, such as ``.csv.gz``."""
    file = Path(str(path or "table"))
    stem = Path(file.stem).stem if file.suffix.lower() == ".gz" else file.stem
    return slug(stem)[:100].strip("-.") or "table"


def capitalized(text: str) -> str:
    """Return text with its first letter as a capital and the rest unchanged."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 run", "2 runs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def percent(value: float | None, std: float | None = None) -> str:
    """Return a fraction in percent with two decimals, and its standard deviation where there is one.

    None and NaN stand for an undefined value.
    """
    if value is None or math.isnan(value):
        return "undefined"
    spread = "" if std is None or math.isnan(std) else f" ± {100 * std:.2f}"
    return f"{100 * value:.2f}{spread}"
