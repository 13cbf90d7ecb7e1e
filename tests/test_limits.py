"""Ranges and options of settings, and the sentences that refuse a wrong value."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from adversarial_oversampling.errors import InputError
from adversarial_oversampling.limits import LARGEST, LIMITS, Choice, Number, Switch, check
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        (Number(int, minimum=1), 0, "key=0: give a whole number of at least 1."),
        (Number(int, minimum=1), 1.5, "key=1.5: give a whole number of at least 1."),
        (Number(int, minimum=1), True, "key=True: give a whole number of at least 1."),
        (Number(int, minimum=1), None, "key=None: give a whole number of at least 1."),
        (Number(int, minimum=2, optional=True), 1, "key=1: give a whole number of at least 2, or null."),
        (Number(float, above=0, below=1), 1, "key=1: give a number above 0 and below 1."),
        (Number(float, above=0, maximum=1), 0, "key=0: give a number above 0 and of at most 1."),
        (Number(float, minimum=0, below=1), "a", "key=a: give a number of at least 0 and below 1."),
        (Number(float, minimum=0), math.inf, "key=inf: give a number of at least 0 and of at most 3e+38."),
        (Number(float, minimum=0), 1e39, "key=1e+39: give a number of at least 0 and of at most 3e+38."),
        (
            Number(int, minimum=1),
            2**31,
            f"key={2**31}: give a whole number of at least 1 and of at most {2**31 - 1}.",
        ),
        (
            Number(int, minimum=0, maximum=9),
            10**400,
            "key=a whole number of 1329 bits: give a whole number of at least 0 and of at most 9.",
        ),
        (Number(float, minimum=0), math.nan, "key=nan: give a number of at least 0."),
        (Choice(("a", "b")), "c", "key=c: choose one of a, b."),
        (Switch(), 1, "key=1: give true or false."),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(
    limit: Number | Choice | Switch, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        limit.check("key", value)


@given(st.integers(-5, 5) | st.floats(-5, 5))
def test_an_interval_has_the_ends_that_it_names(value: float) -> None:
    for limit, inside in (
        (Number(float, minimum=-2, maximum=3), -2 <= value <= 3),
        (Number(float, above=-2, below=3), -2 < value < 3),
    ):
        if inside:
            limit.check("key", value)
        else:
            with pytest.raises(InputError):
                limit.check("key", value)


def test_allowed_values_pass() -> None:
    Number(int, minimum=1, optional=True).check("key", None)
    Number(float, minimum=0).check("key", 3)
    Choice({"a": 1}).check("key", "a")
    Switch().check("key", False)
    check("fs.ratio", None)


def test_every_limit_is_of_a_setting_that_exists(compose_config: Compose) -> None:
    configurations = [
        compose_config(*overrides)
        for overrides in (
            ["mode=do"],
            ["mode=gamo"],
            ["mode=smote"],
            ["mode=lightgbm"],
            ["mode=weighted_q"],
            ["mode=cot"],
            ["dataset=table"],
            ["mode=ctgan"],
            ["mode=forest_diffusion"],
        )
    ] + [compose_config("mode=threshold_q", "+mode.rules.label_smoothing=0.1", "+mode.rules.mixup=true")]
    absent = object()
    for key in LIMITS:
        assert any(OmegaConf.select(cfg, key, default=absent) is not absent for cfg in configurations), key


def test_libraries_take_every_number_that_passes() -> None:
    for key, limit in LIMITS.items():
        if isinstance(limit, Number) and key != "seed":
            assert limit._largest <= LARGEST[limit.kind], key


@pytest.mark.parametrize("key", [key for key, limit in LIMITS.items() if isinstance(limit, Number)])
@pytest.mark.parametrize("value", [-1, 10**400, math.nan, math.inf, -math.inf, 1e300, "1", [1], True, -0.5])
def test_no_library_sees_an_absurd_number(key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(key)}=") as refused:
        check(key, value)
    assert len(str(refused.value)) < 200
