"""Tables of one's own: read as their author sees them, or refused in one line that says what to do."""

import csv
import gzip
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pyarrow import feather, parquet

from adversarial_oversampling.config.compose import config_dir
from adversarial_oversampling.data.reading import MISSING, load_table, read_rows
from adversarial_oversampling.data.table import Column, Table
from adversarial_oversampling.errors import InputError

Load = Callable[..., Table]
ROWS = ["5,a", "7,a", "6,b", "9,b"]


def lines(*rows: str, header: str = "v,label") -> str:
    return "\n".join([header, *rows]) + "\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write bytes or a text into a file and read it as a table with the target `label`."""

    def make(content: str | bytes, file: str = "t.csv", **arguments: Any) -> Table:
        path = tmp_path / file
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_table(**{"path": str(path), "target": "label", "name": "t", **arguments})

    return make


@pytest.fixture
def refusal(load: Load) -> Callable[..., str]:
    """Return the single line with which a file is refused."""

    def make(content: str | bytes, file: str = "t.csv", **arguments: Any) -> str:
        with pytest.raises(InputError) as caught:
            load(content, file, **arguments)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        return message

    return make


Refusal = Callable[..., str]


def test_every_role(load: Load) -> None:
    table = load(
        lines(
            "1.5,3,true,red,2024-01-01,small,a",
            "2.5,,false,blue,1970-01-02T00:00:01Z,large,a",
            ",4,true,red,,small,b",
            "NA,4,null,,2024-01-01 12:00,,b",
            header="number,whole,switch,color,day,size,label",
        ),
        columns={"ordinal": {"size": ["small", "large"]}},
    )
    assert table.columns == (
        Column("number"),
        Column("whole", "integer"),
        Column("switch", "boolean", ("false", "true")),
        Column("color", "categorical", ("blue", "red")),
        Column("day", "date"),
        Column("size", "ordinal", ("small", "large")),
    )
    nan = np.nan
    expected = [
        [1.5, 3, 1, 1, 1704067200, 0],
        [2.5, nan, 0, 0, 86401, 1],
        [nan, 4, 1, 1, nan, 0],
        [nan, 4, nan, nan, 1704110400, nan],
    ]
    assert np.array_equal(table.x, expected, equal_nan=True)
    assert (table.class_names, table.y.tolist()) == (("a", "b"), [0, 0, 1, 1])
    assert table.test_rows is None


@pytest.mark.parametrize("written", ["csv", "csv.gz", "parquet", "feather"])
def test_every_kind_of_file_gives_the_same_table(tmp_path: Path, written: str) -> None:
    frame = pd.DataFrame(
        {
            "number": [0.5, None, 2.5, 3.5],
            "whole": [3, 1, 4, 1],
            "color": ["red", None, "blue", "red"],
            "day": pd.to_datetime(["2024-01-01", None, "1969-12-31", "2024-01-01"]),
            "label": ["a", "b", "a", "b"],
        }
    )
    path = tmp_path / f"t.{written}"
    write = {"parquet": frame.to_parquet, "feather": frame.to_feather}
    write.get(written, lambda file: frame.to_csv(file, index=False))(path)
    table = load_table(str(path), "label", "t")
    assert [column.role for column in table.columns] == ["numeric", "integer", "categorical", "date"]
    expected = [
        [0.5, 3, 1, 1704067200],
        [np.nan, 1, np.nan, np.nan],
        [2.5, 4, 0, -86400],
        [3.5, 1, 1, 1704067200],
    ]
    assert np.array_equal(table.x, expected, equal_nan=True)
    assert table.class_names == ("a", "b")


def test_types_of_a_parquet_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "ordered": pd.Categorical(["low", "high", "low", None], ["low", "high"], ordered=True),
            "kind": pd.Categorical(["u", "v", None, "u"]),
            "known": [True, False, True, True],
            "whole": pd.array([1, None, 3, 3], "Int64"),
            "label": [1.0, 1.0, 2.0, 2.0],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = load_table(str(tmp_path / "t.parquet"), "label", "t")
    assert [(column.role, column.categories) for column in table.columns] == [
        ("ordinal", ("low", "high")),
        ("categorical", ("u", "v")),
        ("boolean", ("False", "True")),
        ("integer", ()),
    ]
    assert table.class_names == ("1", "2")


def test_the_configuration_builds_the_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(lines("1,1,a", "2,3,b", "3,2,a", "4,5,b", header="row,v,label"))
    config = OmegaConf.create({"dataset": OmegaConf.load(f"{config_dir()}/dataset/table.yaml")})
    config.dataset.update(path=str(tmp_path / "t.csv"), target="label", name="mine")
    config.dataset.columns.drop = ["row"]
    table = instantiate(config.dataset.source)
    assert (table.name, table.feature_names) == ("mine", ("v",))


class TestStructure:
    @pytest.mark.parametrize(
        ("rows", "line", "words"),
        [
            (["5,a", "7,a,", "6,b"], 3, "remove the separator (,) at the end of the line"),
            (["5,a,", "7,a,", "6,b,"], 2, "remove the separator"),
            (["5,a", "", "7,a,c"], 4, "put a cell that contains the separator (,) in quotes"),
            (["5,a", "7"], 3, "add the cells that lack"),
        ],
    )
    def test_rows_of_unequal_length(self, refusal: Refusal, rows: list[str], line: int, words: str) -> None:
        message = refusal(lines(*rows))
        assert f"t.csv, line {line}: " in message
        assert words in message

    def test_a_line_is_counted_after_a_cell_of_several_lines(self, refusal: Refusal) -> None:
        assert "line 5: 3 cells" in refusal('"v\nw",label\n"1\n2",a\n3,b,c\n')

    @pytest.mark.parametrize(
        ("content", "line", "cell", "separator"),
        [
            ('v, c, label\n1,"x", a\n3, "u, w", b\n', 3, """' "u'""", ","),
            ('v, "c",label\n1,x,a\n', 1, """' "c"'""", ","),
            ('v;c;label\n1;u;a\n2;\t"u";b\n', 3, r"""'\t"u"'""", ";"),
        ],
    )
    def test_a_quote_after_a_blank(
        self, refusal: Refusal, content: str, line: int, cell: str, separator: str
    ) -> None:
        message = refusal(content, separator=separator)
        assert f"line {line}: {cell} has a blank before its quotes" in message
        assert "remove the blanks before quotes" in message

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", ":"])
    def test_quotes_that_begin_a_cell_or_stand_in_one(self, load: Load, separator: str) -> None:
        rows = ['"a ""b"" c"', '" b"', '"a ""b"" c"', '" b"']
        content = lines(*(f"{i * i},{row}" for i, row in enumerate(rows))).replace(",", separator)
        assert load(content, separator=separator).class_names == (" b", 'a "b" c')

    @pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
    def test_a_note_for_excel(self, refusal: Refusal, load: Load, first: str) -> None:
        content = lines(*ROWS).replace(",", ";")
        message = refusal(f"{first}\n{content}")
        assert "sep=;' is a note for Excel, not the header" in message.replace("SEP", "sep")
        assert "remove this line, and give dataset.separator=';'." in message
        assert "remove this line." in refusal(f"{first}\n{content}", separator=";")
        assert load(content, separator=";").feature_names == ("v",)

    @pytest.mark.parametrize("content", ['v,label\n1,"a"b\n', 'v,label\n"1,a\n2,b\n'])
    def test_stray_quotes(self, refusal: Refusal, content: str) -> None:
        assert "check the quotes" in refusal(content)

    def test_quotes_and_line_ends(self, load: Load) -> None:
        table = load(
            'v,"la\r\nbel"\r\n"5","a, b"\r7,"a, b"\n\n6,"say ""b"""\n9,"say ""b"""', target="la\r\nbel"
        )
        assert table.class_names == ("a, b", 'say "b"')
        assert table.x[:, 0].tolist() == [5, 7, 6, 9]

    def test_a_byte_order_mark_and_blanks_in_the_header(self, load: Load) -> None:
        assert load(b"\xef\xbb\xbf" + lines(*ROWS, header="v, label").encode()).feature_names == ("v",)

    def test_a_column_without_a_name(self, refusal: Refusal, load: Load) -> None:
        content = lines("4,5,a", "2,7,a", "3,6,b", "3,9,b", header=",v,label")
        message = refusal(content)
        assert "column 1 has no name" in message
        assert "dataset.columns.drop=[column_1]" in message
        assert "dataset.columns.numeric=[column_1]" in message
        assert load(content, columns={"drop": ["column_1"]}).feature_names == ("v",)
        assert load(content, columns={"numeric": ["column_1"]}).feature_names == ("column_1", "v")

    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("name", ["", "row"])
    def test_row_numbers(self, refusal: Refusal, load: Load, start: int, name: str) -> None:
        content = lines(*(f"{start + i},{row}" for i, row in enumerate(ROWS)), header=f"{name},v,label")
        called = name or "column_1"
        message = refusal(content)
        assert f"dataset.columns.drop=[{called}]" in message
        assert f"dataset.columns.numeric=[{called}]" in message
        assert load(content, columns={"drop": [called]}).feature_names == ("v",)
        assert load(content, columns={"numeric": [called]}).feature_names == (called, "v")

    @pytest.mark.parametrize("numbers", [range(1000, 1030), range(30, 0, -1), [*range(7, 30), *range(7)]])
    def test_row_numbers_from_any_start_in_any_order(
        self, refusal: Refusal, load: Load, numbers: list[int]
    ) -> None:
        rows = [f"{number},{i % 7},{'ab'[i % 2]}" for i, number in enumerate(numbers)]
        message = refusal(lines(*rows, header="id,v,label"))
        assert f"column 'id' counts the rows, from {min(numbers)} to {max(numbers)}; leave it out" in message
        assert load(lines(*rows, header="id,v,label"), columns={"drop": ["id"]}).feature_names == ("v",)
        # A gap or a value that occurs twice, and the numbers of a small table, may be anything.
        for others in ([*rows[1:], f"{max(numbers) + 2},3,a"], [*rows[:-1], rows[0]], rows[:20]):
            assert load(lines(*others, header="id,v,label")).feature_names == ("id", "v")

    def test_a_header_given_twice(self, refusal: Refusal) -> None:
        assert "line 1: there are two columns called 'v'" in refusal(lines("1,2,a", header="v,v,label"))

    def test_no_header(self, refusal: Refusal) -> None:
        message = refusal("30,64,1,1\n31,62,0,2\n", target="1")
        assert "line 1: the file has no header" in message
        assert "add a line" in message

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "the file is empty"),
            (b"\n \n", "the file is empty"),
            (b"\xef\xbb\xbf", "the file is empty"),
            (b"v,label\n", "there is a header but no row"),
            (lines(*ROWS).encode("utf-16"), "line 1: the file is in UTF-16"),
            (lines(*ROWS).encode("utf-16-le"), "line 1: there is a NUL byte"),
            (b"v,label\n1,a\n2,\0b\n", "line 3: there is a NUL byte"),
            (lines("1,a", "2,é").encode("latin-1"), "line 3: byte 0xe9 is no UTF-8 (in Latin-1 it is 'é')"),
            (b"PK\x03\x04" + bytes(30), "spreadsheet"),
        ],
    )
    def test_what_is_no_text_of_a_table(self, refusal: Refusal, content: bytes, words: str) -> None:
        assert words in refusal(content)

    @pytest.mark.parametrize(
        ("content", "file", "words"),
        [
            (b"0123456789", "t.parquet", "is no Parquet file"),
            (b"PAR1456789", "t.parquet", "is no Parquet file"),
            (b"0123456789", "t.feather", "is no Feather file"),
            (b"ARROW16789", "t.feather", "is no Feather file"),
            (gzip.compress(lines(*ROWS).encode(), mtime=0)[:-12], "t.csv.gz", "the gzip file is damaged"),
            (b"\x1f\x8b\x08\x00garbage", "t.csv.gz", "the gzip file is damaged"),
        ],
    )
    def test_damaged_files(self, refusal: Refusal, content: bytes, file: str, words: str) -> None:
        message = refusal(content, file)
        assert file in message
        assert words in message

    def test_a_folder_and_no_file(self, tmp_path: Path) -> None:
        for path, words in ((tmp_path, "is a folder"), (tmp_path / "absent.csv", "there is no file")):
            with pytest.raises(InputError, match=rf"^dataset\.path: .*{words}|{words}"):
                load_table(str(path), "label", "t")


class TestSeparators:
    @pytest.mark.parametrize(("separator", "called"), [(";", "';'"), ("\t", "tab"), ("|", "'|'")])
    def test_another_separator_is_named_and_read(
        self, refusal: Refusal, load: Load, separator: str, called: str
    ) -> None:
        content = lines(*ROWS).replace(",", separator)
        message = refusal(content)
        assert "line 1" in message
        assert f"give dataset.separator={called}." in message
        assert load(content, separator=called.strip("'")).x[:, 0].tolist() == [5, 7, 6, 9]

    def test_another_separator_with_decimal_commas(self, refusal: Refusal, load: Load) -> None:
        content = lines("0,5;a", "1,5;a", "2,5;b", "3,5;b", header="v;label")
        assert "give dataset.separator=';' dataset.decimal=','." in refusal(content)
        message = refusal(content, separator=";")
        assert "line 2: column 'v' has '0,5', which is not a number" in message
        assert "dataset.decimal=','" in message
        assert load(content, separator=";", decimal=",").x[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]

    def test_a_decimal_point_where_a_comma_is_the_sign(self, refusal: Refusal) -> None:
        content = lines("0,5;a", "1.5;a", "2,5;b", "3,5;b", header="v;label")
        message = refusal(content, separator=";", decimal=",")
        assert "line 3: column 'v' has '1.5'" in message

    @pytest.mark.parametrize(
        "arguments", [{"separator": "x"}, {"separator": ""}, {"decimal": ";"}, {"decimal": ","}]
    )
    def test_signs_that_cannot_be(self, refusal: Refusal, arguments: dict[str, str]) -> None:
        assert next(iter(arguments)) in refusal(lines(*ROWS), **arguments)


class TestColumns:
    @pytest.mark.parametrize("text", ["<null>", "?", "-", "12 kg"])
    def test_a_text_among_numbers(self, refusal: Refusal, load: Load, text: str) -> None:
        content = lines("5,a", f"{text},a", "6,b", "9,b")
        message = refusal(content)
        assert f"line 3: column 'v' mixes numbers with other texts, here {text!r}" in message
        assert f'dataset.columns.missing=["{text}"]' in message
        assert "dataset.columns.categorical=[v]" in message
        table = load(content, columns={"missing": [text]})
        assert np.array_equal(table.x[:, 0], [5, np.nan, 6, 9], equal_nan=True)
        assert load(content, columns={"categorical": ["v"]}).columns[0].categories == tuple(
            sorted(["5", text, "6", "9"])
        )

    def test_a_number_that_may_be_a_code(self, refusal: Refusal, load: Load) -> None:
        content = lines("53113,a", "01234,a", "10115,b", "90402,b")
        message = refusal(content)
        assert "line 3: column 'v' has '01234', which may be a number or a code" in message
        assert "dataset.columns.numeric=[v] or dataset.columns.categorical=[v]" in message
        assert load(content, columns={"numeric": ["v"]}).x[1, 0] == 1234
        assert "01234" in load(content, columns={"categorical": ["v"]}).columns[0].categories
        assert load(lines("0,a", "0.5,a", "-0.5,b", "7,b")).columns[0].role == "numeric"

    def test_a_number_with_a_thousands_comma(self, refusal: Refusal) -> None:
        message = refusal(lines("5,a", '"1,300",a', "6,b"))
        assert "line 3: column 'v' has '1,300', which is not a number" in message
        assert "dataset.columns.categorical" in message

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            *(
                (text, "a number")
                for text in ("12%", "-3.5 %", "$5", "€ 1,200.50", "7£", "1 200", "12'345.5")
            ),
            *((text, "a number") for text in ("EUR 5", "1,200 USD", "(5.00)", "($1,200)")),
            *((text, "a number") for text in ("US$5", "₹5", "5EUR", "(5 %)", "1\u00a0200")),
            *((text, "a date") for text in ("31/01/2024", "1.2.24", "2024/1/31", "2024-1-31", "1-31-2024")),
            *((text, "a date") for text in ("31-Jan-2024", "January 31 2024", "1/31/2024 2:05 PM")),
            *((text, "a date") for text in ("Jan 2024", "Sep-24", "Jan. 2024", "01/2024")),
            *(
                (text, "a date")
                for text in ("2024-01", "1999-12", "2024Q1", "2024-Q1", "Q3 2024", "2024-W05")
            ),
            *((text, "a time of day") for text in ("12:30", "2:05 pm")),
            *((text, "a duration") for text in ("3 days 00:00:00", "1 days", "-1 days +23:59:59.5")),
            *((text, "a duration") for text in ("00:01.5", "1:00:01.250", "36:00:00")),
            *((text, "a number") for text in ("\u22125", "\u20131,5", "1_000", "0x1F", "0b101")),
        ],
    )
    def test_a_number_or_date_in_a_form_that_is_not_read(
        self, refusal: Refusal, load: Load, text: str, kind: str
    ) -> None:
        rows = [f'"{text}",a', "high,a", f'"{text}",b', "low,b"]
        message = refusal(lines(*rows))
        assert f"line 2: column 'v' has {text!r}, which may be {kind}; write" in message
        assert "if it means a missing cell, give dataset.columns.missing=" in message
        assert "if the column holds categories, give dataset.columns.categorical=[v]" in message
        assert text in load(lines(*rows), columns={"categorical": ["v"]}).columns[0].categories
        assert f"has {text!r}, which may be {kind}; write" in refusal(
            lines("1,a", f'"{text}",a', "2,b", "3,b")
        )

    @pytest.mark.parametrize("unit", [" kg", "km/h", " m\u00b2", " kg/m3", " \u00b0C", "a"])
    def test_many_numbers_with_one_unit(self, refusal: Refusal, load: Load, unit: str) -> None:
        rows = [f"{i}.5{unit},{'ab'[i % 2]}" for i in range(11)]
        message = refusal(lines(*rows))
        assert f"line 2: column 'v' has {'0.5' + unit!r}, and numbers with {unit.strip()!r} in" in message
        assert "write them without it, or give dataset.columns.categorical=[v]" in message
        assert len(load(lines(*rows), columns={"categorical": ["v"]}).columns[0].categories) == 11
        for kept in (rows[:10], [*rows, "high,a"], [*rows, "0.5 other,a"]):
            assert load(lines(*kept)).columns[0].role == "categorical"

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("5%", "which is not a number; write it without currency and percent signs"),
            ("(5.00)", "which is not a number; write it as a plain number, with a minus sign"),
            ("12:30", "which is not a number; write it as a number, such as hours"),
            ("31/01/2024", "which is not a number; if it means a missing cell"),
        ],
    )
    def test_a_numeric_column_with_such_a_text(self, refusal: Refusal, text: str, advice: str) -> None:
        message = refusal(lines("1,a", f"{text},a", "2,b", "3,b"), columns={"numeric": ["v"]})
        assert f"line 3: column 'v' has {text!r}, {advice}" in message

    @pytest.mark.parametrize(
        "text",
        [
            *("30-39", "<=50K", "A%", "1 20", "10.0.0.1", "x1:30", "5 kg", "%", "US$", "1/2", "may"),
            *(
                "60:40",
                "90/60/90",
                "Marvin 10 1999",
                "May B 2024",
                "EURO 5",
                "(low)",
                "(1)",
                "(1,2)",
                "GBP1",
                "2.5 inr",
                "2011-12",
                "2024-13",
                "1_00",
                "Q1",
                "3 days a week",
                "\u2212",
            ),
        ],
    )
    def test_a_category_that_begins_like_a_number(self, load: Load, text: str) -> None:
        table = load(lines(f'"{text}",a', "high,a", f'"{text}",b', "low,b"))
        assert table.columns[0].role == "categorical"

    def test_an_identifier(self, refusal: Refusal, load: Load) -> None:
        content = lines(*(f"name{i},{i % 7},{'ab'[i % 2]}" for i in range(150)), header="id,v,label")
        message = refusal(content)
        assert "column 'id' has texts such as 'name0', 150 different ones in 150 rows" in message
        assert "dataset.columns.drop=[id]" in message
        assert load(content, columns={"drop": ["id"]}).feature_names == ("v",)
        assert len(load(content, columns={"categorical": ["id"]}).columns[0].categories) == 150

    @pytest.mark.parametrize("second", ["red ", "red\u200b", "\u00a0red", "\ufeffred"])
    def test_categories_that_look_the_same(self, refusal: Refusal, second: str) -> None:
        message = refusal(lines("red,a", "red,a", f"{second},b", "blue,b"))
        assert "line 4: column 'v' has" in message
        assert "look the same" in message

    def test_words_that_differ_only_in_case(self, refusal: Refusal, load: Load) -> None:
        content = lines("Male,a", "female,a", "Male,b", "male,b")
        message = refusal(content)
        assert "line 5: column 'v' has 'male' and elsewhere 'Male', which differ only in case" in message
        assert "write them in one way, or give dataset.columns.categorical=[v]" in message
        categories = load(content, columns={"categorical": ["v"]}).columns[0].categories
        assert categories == ("Male", "female", "male")
        assert load(lines("M,a", "m,a", "M,b", "m,b")).columns[0].categories == ("M", "m")

    def test_an_empty_column(self, refusal: Refusal, load: Load) -> None:
        content = lines("1,,a", "3,NA,a", "2,null,b", "2,,b", header="v,w,label")
        message = refusal(content)
        assert "column 'w' has no value in any row" in message
        assert load(content, columns={"drop": ["w"]}).feature_names == ("v",)

    @pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999"])
    def test_infinite_values(self, refusal: Refusal, text: str) -> None:
        assert "line 3: column 'v' has an infinite value" in refusal(lines("5,a", f"{text},a", "6,b", "9,b"))

    def test_whole_numbers_that_lose_digits(self, refusal: Refusal, load: Load) -> None:
        numbers = [2**53 + 1, 2**53 + 3, 2**60, 5]
        content = lines(*(f"{number},{'aabb'[i]}" for i, number in enumerate(numbers)))
        message = refusal(content)
        assert "line 2: column 'v' has '9007199254740993', of whose digits about 16 are kept" in message
        for setting in ("drop", "categorical", "numeric"):
            assert f"dataset.columns.{setting}=[v]" in message
        assert load(content, columns={"categorical": ["v"]}).columns[0].categories[2] == "9007199254740993"
        assert load(content, columns={"numeric": ["v"]}).columns[0].role == "numeric"
        # Every digit of a power of two is known, and 1e20 does not promise any.
        assert load(lines(f"{2**60},a", "1e20,a", "5,b", "6,b")).columns[0].role == "numeric"

    def test_dates_beyond_nanoseconds(self, load: Load) -> None:
        days = ["9999-12-31", "0001-01-01", "2024-01-01T12:00", "9999-12-31"]
        table = load(lines(*(f"{day},{'aabb'[i]}" for i, day in enumerate(days))))
        assert table.columns == (Column("v", "date"),)
        assert table.x[:, 0].tolist() == [253402214400, -62135596800, 1704110400, 253402214400]

    def test_dates_that_are_none(self, refusal: Refusal) -> None:
        assert "line 3: column 'v' has '2024-02-30', which is not a date" in refusal(
            lines("2024-02-28,a", "2024-02-30,a", "2024-03-01,b")
        )
        assert "mixes dates with other texts, here 'soon'" in refusal(
            lines("2024-02-28,a", "soon,a", "2024-03-01,b")
        )

    def test_the_settings_override_what_is_inferred(self, load: Load) -> None:
        content = lines("1,3,a", "2,1,a", "2,2,b", "1,1,b", header="u,v,label")
        table = load(content, columns={"categorical": ["u"], "ordinal": [["v", "3", "2", "1"]]})
        assert table.columns == (
            Column("u", "categorical", ("1", "2")),
            Column("v", "ordinal", ("3", "2", "1")),
        )
        assert table.x.tolist() == [[0, 0], [1, 2], [1, 1], [0, 2]]

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"numerc": ["v"]}, "dataset.columns.numerc: there is no such setting"),
            ({"numeric": ["w"]}, "dataset.columns.numeric: there is no feature column 'w'"),
            ({"drop": ["w"]}, "dataset.columns.drop: "),
            ({"keep_na": ["w"]}, "dataset.columns.keep_na: "),
            ({"keep_na": ["label"]}, "'label' is dataset.target"),
            ({"drop": ["label"]}, "'label' is dataset.target"),
            ({"drop": ["v"]}, "no feature column is left"),
            ({"drop": ["v"], "numeric": ["v"]}, "column 'v' has a role too"),
            ({"numeric": ["v"], "date": ["v"]}, "column 'v' is in dataset.columns.numeric too"),
            ({"date": ["v"]}, "line 2: column 'v' has '5', which is not a date"),
            ({"ordinal": {"v": ["5", "7"]}}, "line 4: column 'v' has '6', which is none of its categories"),
            ({"ordinal": {"v": []}}, "list every value of column 'v' once"),
            ({"ordinal": {"v": ["5", "5"]}}, "list every value of column 'v' once"),
            ({"ordinal": ["v"]}, "dataset.columns.ordinal="),
            ({"keep_na_labels": "yes"}, "dataset.columns.keep_na_labels=yes"),
            ({"drop": 3}, "dataset.columns.drop=3"),
        ],
    )
    def test_settings_that_do_not_fit(self, refusal: Refusal, columns: dict[str, Any], words: str) -> None:
        assert words in refusal(lines(*ROWS), columns=columns)


class TestMissing:
    CONTENT = lines(
        *("None,1,a", "Yes,NA,a", "NA,3,b", "None,,b", "Yes,2,a", ",5,b"),
        header="garage,v,label",
    )

    def test_a_word_in_a_column_of_texts_is_told(self, load: Load) -> None:
        table = load(self.CONTENT)
        assert table.columns[0].categories == ("Yes",)
        (note,) = table.notes
        assert "'NA' in column 'garage' (1 cell), 'None' in column 'garage' (2 cells)" in note
        assert "dataset.columns.keep_na=[garage]" in note

    @pytest.mark.parametrize(
        "columns", [{"keep_na": ["garage"]}, {"ordinal": {"garage": ["NA", "None", "Yes"]}}]
    )
    def test_a_word_that_is_a_category(self, load: Load, tmp_path: Path, columns: dict[str, Any]) -> None:
        table = load(self.CONTENT, columns=columns)
        assert table.columns[0].categories == ("NA", "None", "Yes")
        assert np.array_equal(table.x[:, 0], [1, 2, 0, 1, 2, np.nan], equal_nan=True)
        assert np.isnan(table.x[:, 1]).sum() == 2  # among numbers, NA stays missing
        assert not table.notes
        rows = read_rows(tmp_path / "t.csv", table.columns, {"columns": columns})
        assert np.array_equal(rows, table.x, equal_nan=True)

    def test_what_the_user_calls_missing_is_not_told(self, load: Load) -> None:
        assert not load(self.CONTENT, columns={"missing": ["None", "NA"]}).notes

    @pytest.mark.parametrize("written", ["csv", "parquet"])
    @pytest.mark.parametrize("text", ["-999", "-999.0", "-9.99e2"])
    def test_a_number_is_missing_however_it_is_written(self, tmp_path: Path, written: str, text: str) -> None:
        cells = [-999, 3, 4, 9, -999, 6]
        frame = pd.DataFrame(
            {
                "whole": cells,
                "wide": pd.array([*cells[:-1], None], "Int64"),
                "real": [cell + 0.5 * (cell > 0) for cell in cells],
                "short": pd.Series(cells, dtype="float32"),
                "kind": pd.Categorical(["u", "w", "-999", "u", "w", "-999"]),
                "label": list("aabbab"),
            }
        )
        path = tmp_path / f"t.{written}"
        frame.to_csv(path, index=False) if written == "csv" else frame.to_parquet(path)
        columns = {"missing": [text]}
        table = load_table(str(path), "label", "t", columns=columns)
        assert np.isnan(table.x).sum(axis=0).tolist() == [2, 3, 2, 2, 2]
        assert table.columns[4].categories == ("u", "w")
        assert not table.notes
        rows = read_rows(path, table.columns, {"columns": columns})
        assert np.array_equal(rows, table.x, equal_nan=True)

    def test_fractions_of_few_bits_and_dates(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"v": np.array([-99.99, 1.5, 2, 3], "float32"), "label": list("aabb")})
        frame["day"] = pd.to_datetime(["2024-01-01", "1900-01-01", "2024-01-02", "2024-01-05"])
        frame.to_parquet(tmp_path / "t.parquet")
        columns = {"missing": ["-99.99", "1900-01-01"]}
        table = load_table(str(tmp_path / "t.parquet"), "label", "t", columns=columns)
        assert np.isnan(table.x).tolist() == [[True, False], [False, True], [False, False], [False, False]]

    def test_a_text_that_no_cell_has_is_told(self, load: Load) -> None:
        table = load(lines("5,a", "?,a", "6,b", "9,b"), columns={"missing": ["?", "-999"]})
        (note,) = table.notes
        assert "dataset.columns.missing: no cell of a feature is '-999'; correct the text" in note

    def test_only_nulls_of_a_typed_file_are_missing(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"garage": ["None", "NA", None, "None"], "v": [1.5, 2, None, 3]})
        frame["label"] = list("aabb")
        frame.to_feather(tmp_path / "t.feather")
        table = load_table(str(tmp_path / "t.feather"), "label", "t")
        assert table.columns[0].categories == ("NA", "None")
        assert np.array_equal(table.x, [[1, 1.5], [0, 2], [np.nan, np.nan], [1, 3]], equal_nan=True)
        assert not table.notes
        # The categories are known, so a CSV file of new rows has them too.
        (tmp_path / "new.csv").write_text("garage,v\nNone,NA\nnull,1\n")
        rows = read_rows(tmp_path / "new.csv", table.columns, {})
        assert np.array_equal(rows, [[1, np.nan], [np.nan, 1]], equal_nan=True)


class TestFrames:
    """Files that pandas has written from a frame with an index or with categories."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """A frame whose index still has the order of the rows, sorted by class, after they were shuffled."""
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"v": rng.normal(size=60), "label": ["a"] * 40 + ["b"] * 20})
        frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    def test_an_index_is_left_out(self, path: Path) -> None:
        name = "__index_level_0__"
        assert parquet.read_schema(path).names == ["v", "label", name]
        table = load_table(str(path), "label", "t")
        assert table.feature_names == ("v",)
        (note,) = table.notes
        assert f"the index of a data frame, {name!r}, is left out" in note
        assert f"dataset.columns.numeric=[{name}]" in note
        dropped = load_table(str(path), "label", "t", columns={"drop": [name]})
        kept = load_table(str(path), "label", "t", columns={"numeric": [name]})
        assert (dropped.feature_names, kept.feature_names) == (("v",), ("v", name))
        assert dropped.notes == kept.notes == ()
        pd.DataFrame({"v": [0.5]}).to_parquet(path)
        assert read_rows(path, table.columns, {}).tolist() == [[0.5]]

    @pytest.mark.parametrize("write", [pd.DataFrame.to_parquet, feather.write_feather])
    def test_an_index_may_be_the_target(self, tmp_path: Path, write: Callable[..., None]) -> None:
        frame = pd.DataFrame({"v": [5, 7, 6, 9]}, index=pd.Index(list("aabb"), name="label"))
        write(frame, tmp_path / "t")
        table = load_table(str(tmp_path / "t"), "label", "t")
        assert (table.feature_names, table.class_names) == (("v",), ("a", "b"))

    def test_a_table_of_nothing_but_an_index(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"label": list("aabb")}, index=pd.Index([5, 7, 6, 9], name="id"))
        frame.to_parquet(tmp_path / "t.parquet")
        with pytest.raises(InputError, match=r"no feature column but the index .*numeric=\[id\]\.$"):
            load_table(str(tmp_path / "t.parquet"), "label", "t")

    def test_categories_of_the_target_that_no_row_has(self, tmp_path: Path) -> None:
        known = ["None", "a", "b", *(f"c{i}" for i in range(200))]
        frame = pd.DataFrame({"v": [5, 7, 6, 9], "label": pd.Categorical(list("aabb"), known)})
        frame.to_parquet(tmp_path / "t.parquet")
        assert load_table(str(tmp_path / "t.parquet"), "label", "t").class_names == ("a", "b")

    @pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64"])
    def test_whole_numbers_that_lose_digits(self, tmp_path: Path, dtype: str) -> None:
        frame = pd.DataFrame({"v": pd.array([2**53 + 1, 2**53 + 3, 5, 6], dtype), "label": list("aabb")})
        if dtype == "Int64":
            frame.loc[3, "v"] = None
        frame.to_parquet(tmp_path / "t.parquet")
        with pytest.raises(
            InputError, match=r"row 0 .*'9007199254740993', of whose digits about 16 are kept"
        ):
            load_table(str(tmp_path / "t.parquet"), "label", "t")

    def test_large_floats_and_far_dates(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"v": [1e19, 3e21, 2e20, 5e20], "label": list("aabb")})
        frame["day"] = np.array(["9999-12-31", "2024-01-01", "0001-01-01", "NaT"], "M8[us]")
        frame.to_parquet(tmp_path / "t.parquet")
        table = load_table(str(tmp_path / "t.parquet"), "label", "t")
        assert [column.role for column in table.columns] == ["numeric", "date"]
        expected = [253402214400, 1704067200, -62135596800, np.nan]
        assert np.array_equal(table.x[:, 1], expected, equal_nan=True)


class TestLabels:
    @pytest.mark.parametrize(
        ("one", "other"),
        [("a", "a "), ("a b", "a  b"), ("1", "1.0"), ("a", "\u200ba"), ("a b", "a\u00a0b"), ("a", "a\ufeff")],
    )
    def test_labels_that_look_the_same(self, refusal: Refusal, one: str, other: str) -> None:
        message = refusal(lines(f"5,{one}", f"7,{one}", f"6,{other}", "9,b", "8,b"))
        assert "line 4: column 'label' has" in message
        assert repr(other) in message

    @pytest.mark.parametrize("label", ["None", "NA", "null", "none", "na", "?"])
    def test_labels_that_may_mean_none(self, refusal: Refusal, load: Load, label: str) -> None:
        content = lines("5,a", "7,a", f"6,{label}", f"9,{label}")
        message = refusal(content)
        assert f"line 4: the label in column 'label' is {label!r}" in message
        assert "dataset.columns.keep_na_labels=true" in message
        assert set(load(content, columns={"keep_na_labels": True}).class_names) == {"a", label}

    def test_a_number_that_means_no_label(self, refusal: Refusal) -> None:
        message = refusal(lines("5,1", "7,-999.0", "6,1", "9,2", "8,2"), columns={"missing": ["-999"]})
        assert "line 3: there is no label in column 'label', nor in 0 other rows" in message

    @pytest.mark.parametrize("keep", [True, False])
    def test_rows_without_a_label(self, refusal: Refusal, keep: bool) -> None:
        message = refusal(lines("5,a", "7,", "6, ", "9,b"), columns={"keep_na_labels": keep})
        assert "line 3: there is no label in column 'label', nor in 1 other rows" in message

    def test_labels_keep_their_text(self, load: Load) -> None:
        assert load(lines("1,01", "2,01", "4,2.50", "3,2.50", "5,2.50")).class_names == ("2.50", "01")

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (["5,a", "7,a"], "two or more classes"),
            (["5,a", "7,a", "6,b"], "class 'b' has a single row"),
            ([f"{i % 5},{i / 8}" for i in range(99)], "looks continuous"),
            ([f"{i % 5},c{i // 2}" for i in range(400)], "200 different labels, more than 100"),
            ([f"{i % 5},{i // 2}" for i in range(400)], "200 different labels, more than 100"),
        ],
    )
    def test_targets_that_are_none(self, refusal: Refusal, rows: list[str], words: str) -> None:
        assert words in refusal(lines(*rows))

    @pytest.mark.parametrize("target", ["species", "Label", None])
    def test_no_such_target(self, refusal: Refusal, target: str | None) -> None:
        message = refusal(lines(*ROWS), target=target)
        assert message.startswith("dataset.target: ")


def test_a_file_larger_than_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with file.open("wb") as opened:
        opened.truncate(2**43)  # of holes, which take no room on the disk
    with pytest.raises(
        InputError, match=r"t\.csv: its 8192\.0 GiB are more than the .* GiB of memory available"
    ):
        load_table(str(file), "label", "t")


CELL = st.text(st.sampled_from("019.,;-e?aN \t\"'\n\r\u00e9\u200b"), max_size=4)
BASE = lines("5,red,a", "7,blue,a", "6,red,b", "9,,b", "2,red,b", header="v,c,label").encode()


@st.composite
def mutated(draw: st.DrawFn, separator: str) -> bytes:
    """The bytes of a table in which some bytes are deleted, replaced or added."""
    content = bytearray(BASE.replace(b",", separator.encode()))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(content)))
        removed = draw(st.integers(0, 3))
        added = draw(st.one_of(CELL.map(str.encode), st.binary(max_size=3)))
        content[position : position + removed] = added
    return bytes(content)


FILES = st.sampled_from([",", ";", "\t"]).flatmap(lambda sign: st.tuples(st.just(sign), mutated(sign)))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(written=FILES, compressed=st.booleans())
@example(written=(",", BASE), compressed=False)
def test_a_damaged_file_is_refused_or_read_as_it_stands(
    tmp_path: Path, written: tuple[str, bytes], compressed: bool
) -> None:
    separator, content = written
    path = tmp_path / ("t.csv.gz" if compressed else "t.csv")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    message = None
    try:
        table = load_table(str(path), "label", "t", separator=separator)
    except InputError as error:
        message = str(error)
    if message is not None:
        assert len(message.splitlines()) == 1
        return
    text = content.removeprefix(b"\xef\xbb\xbf").decode()
    lines_of_cells = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header, *rows = [row for row in lines_of_cells if row]
    names = [name.strip() for name in header]
    assert sorted([*table.feature_names, "label"]) == sorted(names)
    assert [table.class_names[k] for k in table.y] == [row[names.index("label")] for row in rows]
    for column, values in zip(table.columns, table.x.T, strict=True):
        seen = [row[names.index(column.name)] for row in rows]
        assert [shown(column, value) for value in values] == [expected(column, text) for text in seen]


def shown(column: Column, value: float) -> str | float | None:
    if np.isnan(value):
        return None
    return column.categories[int(value)] if column.categories else value


def expected(column: Column, text: str) -> str | float | None:
    if text.strip() in ("", *MISSING):
        return None
    if column.categories:
        return text
    return pd.Timestamp(text.strip()).timestamp() if column.role == "date" else float(text)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("v\n1\n\n2\n", "line 3: the line is empty"),
        ("v\n\n1\n", "line 2: the line is empty"),
        ("v\r\n1\r\n\r\n\r\n2", "line 3: the line is empty"),
        ('v\n1\n""\n2\n', [[1.0], [math.nan], [2.0]]),
        ("v\n1\n2\n\n\n", [[1.0], [2.0]]),
    ],
)
def test_an_empty_line_of_one_column_is_no_missing_cell(tmp_path: Path, content: str, found: Any) -> None:
    """It would be left out, and the predictions of the rows after it would be one row off."""
    (tmp_path / "new.csv").write_bytes(content.encode())
    if isinstance(found, str):
        with pytest.raises(InputError, match=found):
            read_rows(tmp_path / "new.csv", [Column("v")], {})
    else:
        np.testing.assert_array_equal(read_rows(tmp_path / "new.csv", [Column("v")], {}), found)


class TestGroups:
    ROWS = ("1,p1,a", "2,p2,a", "3,p1,b", "5,p3,b")
    HEADER = "v,patient,label"

    @pytest.mark.parametrize("file", ["t.csv", "t.parquet"])
    def test_equal_values_are_a_group_and_no_feature(self, tmp_path: Path, load: Load, file: str) -> None:
        content: str | bytes = lines(*self.ROWS, header=self.HEADER)
        if file == "t.parquet":
            pd.read_csv(io.StringIO(str(content))).to_parquet(tmp_path / "made")
            content = (tmp_path / "made").read_bytes()
        table = load(content, file, group="patient")
        assert table.feature_names == ("v",)
        assert table.groups is not None
        assert table.groups.tolist() == [0, 1, 0, 2]
        assert load(content, file, columns={"drop": ["patient"]}).groups is None

    def test_categories_in_another_order_are_the_same_groups(self, tmp_path: Path, load: Load) -> None:
        frame = pd.DataFrame({"v": [1, 2, 3, 5], "g": list("baca"), "label": list("aabb")})
        frame.to_csv(tmp_path / "csv", index=False)
        frame.astype({"g": "category"}).to_parquet(tmp_path / "parquet")
        tables = [load((tmp_path / kind).read_bytes(), f"t.{kind}", group="g") for kind in ("csv", "parquet")]
        assert tables[0].groups is not None
        assert tables[0].groups.tolist() == [0, 1, 2, 1]
        assert tables[0].digest == tables[1].digest

    def test_a_note_names_groups_that_differ_only_in_case(self, load: Load) -> None:
        table = load(lines(*self.ROWS, "8,P1,a", header=self.HEADER), group="patient")
        (note,) = table.notes
        assert "'p1' and 'P1' in column 'patient' differ only in case and are different groups" in note

    def test_numbers(self, tmp_path: Path, load: Load) -> None:
        frame = pd.DataFrame({"v": [1, 2, 3, 5], "n": [7.0, 1.0, 7.0, 2.0], "label": list("aabb")})
        frame.to_parquet(tmp_path / "made")
        groups = load((tmp_path / "made").read_bytes(), "t.parquet", group="n").groups
        assert groups is not None
        assert groups.tolist() == [0, 1, 0, 2]

    @pytest.mark.parametrize(
        ("rows", "arguments", "message"),
        [
            (ROWS, {"group": "person"}, "dataset.group: "),
            (ROWS, {"group": "label"}, "dataset.group: 'label' is dataset.target"),
            (ROWS, {"columns": {"drop": ["patient"]}}, "'patient' is dataset.group; leave it out of the"),
            (ROWS, {"columns": {"categorical": ["patient"]}}, "'patient' is dataset.group; leave it out"),
            (("1,,a", *ROWS), {}, "line 2: column 'patient' (dataset.group) has no value; give a row"),
            ((*ROWS, "8,NA,a"), {}, "line 6: column 'patient' (dataset.group) has no value"),
            ((*ROWS, "8,?,a"), {"columns": {"missing": ["?"]}}, "column 'patient' (dataset.group) has"),
            ((*ROWS, "8, p1,a"), {}, "column 'patient' has ' p1' and elsewhere 'p1', which look the same"),
            (("1,p1,a", "2,p2,a", "3,p1,b", "5,p1,b"), {}, "all rows of class 'b' are in one group, 'p1'"),
        ],
    )
    def test_refused(
        self, refusal: Refusal, rows: tuple[str, ...], arguments: dict[str, Any], message: str
    ) -> None:
        content = lines(*rows, header=self.HEADER)
        assert message in refusal(content, **{"group": "patient", **arguments})
