"""What a text in a table stands for: the forms of numbers and dates that are read, and those that are not."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from adversarial_oversampling.text import without_case

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.I)
_WITH_COMMA = re.compile(
    r"[+-]?(?:[0-9]*,[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?)(?:e[+-]?[0-9]+)?", re.I
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.A)
_GROUPED = r"\d{1,3}(?:[ '’_\u00a0\u202f]\d{3})+(?:[.,]\d+)?"
_NUMERAL = rf"(?:{_GROUPED}|[.,]*\d[\d.,]*)"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]m)?"
_DURATION = r"(?:\d+:)?\d+:[0-5]\d[.,]\d+|\d+:[0-5]\d:[0-5]\d"
_YEAR, _MONTH, _DAY = r"(?:\d{4}|\d\d)", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_NAME_OF_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_OTHER_DATE = (
    rf"{_DAY}([./-]){_MONTH}\1{_YEAR}|{_MONTH}([./-]){_DAY}\2{_YEAR}|\d{{4}}([./-]){_MONTH}\3{_DAY}"
    rf"|{_DAY}([ -]){_NAME_OF_MONTH}\4{_YEAR}|{_NAME_OF_MONTH} {_DAY},? \d{{4}}"
    rf"|{_NAME_OF_MONTH}[ -]{_YEAR}|{_MONTH}/\d{{4}}"
)
_SEASON = rf"\d\d(?:{'|'.join(f'{year:02d}-{year + 1:02d}' for year in range(12))})"  # such as 2011-12
_OTHER_MONTH = rf"(?!{_SEASON})\d{{4}}-(?:0[1-9]|1[0-2])|\d{{4}}-?W\d\d|\d{{4}}[ -]?Q[1-4]|Q[1-4][ /-]\d{{4}}"
_SIGN = r"(?-i:[A-Z]{0,2})[$€£¥₹]"
_CODE = r"(?-i:AUD|CAD|CHF|CNY|EUR|GBP|INR|JPY|USD)"
_BEFORE, _AFTER = rf"(?:{_SIGN}\s?|{_CODE}\s)", rf"\s?(?:[%‰]|{_SIGN}|{_CODE})"
_OTHER_FORMS = {
    re.compile(pattern, re.I): form
    for pattern, form in {
        rf"[+-]?\s?{_BEFORE}[+-]?{_NUMERAL}|[+-]?{_NUMERAL}{_AFTER}|[+-]?{_GROUPED}": (
            "a number",
            "write it without currency and percent signs, blanks, apostrophes and underscores",
        ),
        rf"[\u2212\u2012\u2013\ufe63\uff0d]\s?{_NUMERAL}": (
            "a number",
            "write it with a plain minus sign (-)",
        ),
        r"[+-]?0(?:x[0-9a-f]+|b[01]+|o[0-7]+)": ("a number", "write it with decimal digits"),
        rf"\((?:{_BEFORE}{_NUMERAL}|{_NUMERAL}{_AFTER}|\d+\.\d\d)\)": (
            "a number",
            "write it as a plain number, with a minus sign if the parentheses stand for one",
        ),
        rf"(?:{_OTHER_DATE})(?:[ T]{_CLOCK})?|{_OTHER_MONTH}": (
            "a date",
            "write dates as 2024-01-31 or 2024-01-31T12:00",
        ),
        _CLOCK: ("a time of day", "write it as a number, such as hours"),
        rf"-?\d+ days?(?: [+-]?(?:{_DURATION}))?|[+-]?(?:{_DURATION})": (
            "a duration",
            "write it as a number, such as seconds",
        ),
    }.items()
}
"""Texts that stand for a number or a date but are not read as one, and what to do about them."""
_UNIT = r"(?:[^\W\d_]|°)(?:[^\d,;:]*[^\d\s,;:])?[23]?"
_WITH_UNIT = re.compile(rf"[+-]?{_NUMERAL}(?:e[+-]?\d+)?\s*({_UNIT})", re.I)


def as_number(text: str, decimal: str) -> float | None:
    """Return a text as a number, infinite ones included; None if it is none."""
    plain = text.strip()
    if decimal != ".":
        if "." in plain:
            return None
        plain = plain.replace(decimal, ".")
    return float(plain) if _NUMBER.fullmatch(plain) else None


def is_number(text: str, decimal: str = ".") -> bool:
    """Return whether a text is a number with the given decimal sign, or infinite."""
    return as_number(text, decimal) is not None


def parsed_numbers(texts: pa.Array, decimal: str) -> NDArray[np.float64] | None:
    """Return texts as numbers if all of them are plain finite ones: fast, and None for any other column."""
    if decimal != ".":
        if pc.any(pc.match_substring(texts, ".")).as_py():
            return None
        texts = pc.replace_substring(texts, decimal, ".")
    try:
        numbers = pc.cast(pc.utf8_trim_whitespace(texts), pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow also takes "nan" for a number, which is not one here.
    if numbers.null_count < len(numbers) and not pc.all(pc.is_finite(numbers)).as_py():
        return None
    values: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def has_other_decimal(text: str, decimal: str) -> bool:
    """Return whether a text is a number with the decimal sign that is not the given one."""
    stripped = text.strip()
    if decimal == ".":
        return _WITH_COMMA.fullmatch(stripped) is not None
    return "." in stripped and _NUMBER.fullmatch(stripped) is not None


def is_date(text: str) -> bool:
    """Return whether a text is a date such as 2024-01-31 or 2024-01-31T12:00."""
    return _DATE.fullmatch(text.strip()) is not None


def look(text: str, decimal: str) -> str | float:
    """Return what a reader sees of a text: no invisible character, single blanks, a number's value."""
    visible = "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character) not in ("Cf", "Cc")
    )
    single = " ".join(visible.split())
    number = as_number(single, decimal)
    return single if number is None else number


def common_unit(texts: Sequence[str]) -> str | None:
    """Return the unit, such as kg, if all texts are numbers with the same one in any case; else None."""
    units: list[str] = []
    for text in texts:
        match = _WITH_UNIT.fullmatch(text.strip())
        if match is None or (units and without_case(match[1]) != without_case(units[0])):
            return None
        units.append(match[1])
    return units[0] if units else None


def other_form(text: str) -> tuple[str, str] | None:
    """Return what a text such as 12% or 31/01/2024 may be, and how to write it; None for any other text."""
    plain = text.strip()
    if not re.search(r"\d", plain) or is_date(plain):
        return None
    return next((form for pattern, form in _OTHER_FORMS.items() if pattern.fullmatch(plain)), None)
