"""Tables as Markdown, LaTeX and CSV."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from adversarial_oversampling.report.common import Cell, Table
from adversarial_oversampling.results.display import seeds_text

ROWS_PER_PAGE = 40
"""Rows of a LaTeX table that fit on a page; a longer table continues on the next one."""
MOST_COLUMNS = 7
"""A LaTeX table with more columns is printed in landscape."""
NOT_IN_FILES = ("order", "dataset_order", "color", "linestyle")
"""Columns of the data frames that only tables and pictures need."""
NAMES_IN_FILES = {"reasons_without_value": "lost"}
"""Columns that have another name in files, which programs may read."""

_LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
}


def row_counts(rows: Sequence[int]) -> str:
    """Return rows per class as a text; empty if there are none."""
    return "/".join(map(str, rows)) if sum(rows) else ""


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return either data frame as it is written to a file: sequences as texts, without display columns."""
    texts: dict[str, Callable[[Any], str]] = {
        "variant": "; ".join,
        "reasons_without_value": "; ".join,
        "classes": "; ".join,
        "seeds": seeds_text,
        **dict.fromkeys(("rows_train", "rows_validation", "rows_test"), row_counts),
    }
    frame = frame.drop(columns=[name for name in NOT_IN_FILES if name in frame])
    frame = frame.assign(**{name: frame[name].map(text) for name, text in texts.items() if name in frame})
    return frame.rename(columns=NAMES_IN_FILES)


def csv(table: Table) -> str:
    """Return the plain numbers of a table as CSV."""
    return table.data.to_csv(index=False)


def markdown(table: Table) -> str:
    """Return a table as Markdown: title, caption, table, footnotes."""
    parts = [f"### {_markdown_text(table.title)}", _markdown_text(table.caption)]
    if table.rows:
        lines = [[_markdown_text(name) for name in table.columns], ["---"] * len(table.columns)]
        lines += [[_markdown_cell(cell) for cell in row] for row in table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if table.footnotes:
        parts.append(
            "\n".join(
                f"- {f'({letter}) ' if letter else ''}{_markdown_text(text)}"
                for letter, text in table.footnotes
            )
        )
    return "\n\n".join(parts) + "\n"


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_|<\[\]])", r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    text = _markdown_text(cell.text)
    marks = f" ({','.join(cell.marks)})" if cell.marks else ""
    return (f"**{text}**" if cell.bold else text) + marks


def latex_text(text: str) -> str:
    """Return a text with LaTeX's special characters escaped, and minus signs before numbers."""
    escaped = "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub(r"(?<![\w.)])-(?=\d)", "$-$", escaped)


def _latex_cell(cell: Cell) -> str:
    text = latex_text(cell.text)
    marks = f"\\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else ""
    return (f"\\textbf{{{text}}}" if cell.bold else text) + marks


def latex(table: Table) -> str:
    """Return a table as LaTeX: scaled down if it is wider than the page, in landscape if it has many columns.

    It needs the packages booktabs, graphicx and pdflscape, and fontenc with the option T1.
    """
    if not table.rows:
        return f"% {table.name}\n{latex_text(f'{table.title}. {table.caption}')}\n"
    head = " & ".join(map(latex_text, table.columns)) + r" \\"
    notes = "\\\\\n".join(
        (f"\\textsuperscript{{{letter}}} " if letter else "") + latex_text(text)
        for letter, text in table.footnotes
    )
    landscape = len(table.columns) > MOST_COLUMNS
    lines = [f"% {table.name}"]
    for start in range(0, len(table.rows), ROWS_PER_PAGE):
        body = []
        for i, row in enumerate(table.rows[start : start + ROWS_PER_PAGE], start):
            if i > start and i in table.groups:
                body.append(r"\midrule")
            body.append(" & ".join(map(_latex_cell, row)) + r" \\")
        caption = latex_text(f"{table.title}, continued." if start else f"{table.title}. {table.caption}")
        label = "" if start else f"\\label{{tab:{table.name}}}"
        lines += [
            r"\begin{landscape}" if landscape else "",
            r"\begin{table}[p]",
            rf"\centering\caption{{{caption}}}{label}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
            rf"\toprule {head} \midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\par\smallskip\raggedright\footnotesize {notes}",
            r"\end{table}",
            r"\end{landscape}" if landscape else "",
        ]
    return "\n".join(filter(None, lines)) + "\n"
