"""Credentials in settings and texts: masked wherever a configuration or a message is written."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

T = TypeVar("T")

MASK = "***"
_WORDS = r"api[-_]?key|access[-_]?key|token|passw(?:or)?d|passphrase|secret|credentials?|signature|auth"
_NAME = re.compile(rf"(?:^|[-_.])(?:{_WORDS})$", re.I)
_USER = re.compile(r"(?<=://)[^\s/?#'\"]+@")
_SETTING = re.compile(
    rf"((?:[?&](?:key|sig)|(?<![\w./-])(?:[\w.-]*[-_.])?(?:{_WORDS}))=)('[^']*'|\"[^\"]*\"|[^&\s'\"]+)", re.I
)


def masked(value: T) -> T:
    """Return a text, or nested mappings and lists of values, with asterisks in place of credentials.

    Credentials are what a URL has before an at sign, and the values of keys, settings and parameters of a URL
    whose names end in words such as `api_key`, `token` or `password`.
    """
    masked_value: Any = value
    if isinstance(value, str):
        masked_value = _SETTING.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", value))
    elif isinstance(value, Mapping):
        masked_value = {
            key: MASK if _NAME.search(str(key)) and _is_value(item) else masked(item)
            for key, item in value.items()
        }
    elif isinstance(value, list | tuple):
        masked_value = type(value)(masked(item) for item in value)
    return masked_value  # type: ignore[no-any-return]


def _is_value(item: object) -> bool:
    return item not in (None, "") and not isinstance(item, Mapping | list | tuple)


def masked_config(config: DictConfig) -> DictConfig:
    """Return a copy of a configuration, with its interpolations, that may be written to a file."""
    return OmegaConf.create(masked(OmegaConf.to_container(config, enum_to_str=True)))  # type: ignore[return-value]
