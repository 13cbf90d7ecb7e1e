"""Tables as Markdown, LaTeX and CSV."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

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

LONGEST_LINE = 60
"""Letters of a cell that is not broken into lines."""
Alignment = Literal["left", "right", "wrapped"]
LATEX_COLUMNS: dict[Alignment, str] = {
    "left": "l",
    "right": "r",
    "wrapped": r">{\raggedright\arraybackslash}p{6cm}",
}
NUMBER = re.compile(r"[+-]?\d[^a-zA-Z]*(of \d+|d -?[\d.]+)?|[<=] .*|NA|-|undefined|")
"""A cell of a column of numbers."""

LATEX_HEAD = (
    r"% pdflatex compiles this file as it is. To include it in another document with \input, load docmute",
    "% and the packages below there.",
    r"\documentclass{article}",
    r"\usepackage[T1]{fontenc}",
    r"\usepackage{array}",
    r"\usepackage{booktabs}",
    r"\usepackage{graphicx}",
    r"\usepackage{pdflscape}",
    r"\begin{document}",
)

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
    texts = [_markdown_text(text) for text in (table.lead, table.caption) if text]
    parts = [f"### {_markdown_text(table.title)}", *texts]
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


def alignments(table: Table) -> list[Alignment]:
    """Return the alignment of each column: numbers right, other texts left, long ones wrapped."""
    return [_alignment([row[i].text for row in table.rows]) for i in range(len(table.columns))]


def _alignment(texts: Sequence[str]) -> Alignment:
    if any(texts) and all(NUMBER.fullmatch(text) for text in texts):
        return "right"
    return "wrapped" if any(len(text) > LONGEST_LINE for text in texts) else "left"


def latex(table: Table) -> str:
    """Return a table as a LaTeX document that compiles as it is.

    The table is scaled down if it is wider than the page, and in landscape if it has many columns. The
    caption is the title; how the numbers were measured is below the table.
    """
    return "\n".join([*LATEX_HEAD, *_latex_tables(table), r"\end{document}"]) + "\n"


def _latex_tables(table: Table) -> list[str]:
    """Return the lines of a document: a table for each page, or a paragraph if there are no rows."""
    if not table.rows:
        return [latex_text(f"{table.title}. {table.lead} {table.caption}")]
    head = " & ".join(map(latex_text, table.columns)) + r" \\"
    alignment = "".join(LATEX_COLUMNS[alignment] for alignment in alignments(table))
    notes = [("", f"{table.lead} {table.caption}".strip()), *table.footnotes]
    below = "\n\n".join(
        (f"\\textsuperscript{{{letter}}} " if letter else "") + latex_text(text) for letter, text in notes
    )
    landscape = len(table.columns) > MOST_COLUMNS
    lines: list[str] = []
    for start in range(0, len(table.rows), ROWS_PER_PAGE):
        body = []
        for i, row in enumerate(table.rows[start : start + ROWS_PER_PAGE], start):
            if i > start and i in table.groups:
                body.append(r"\midrule")
            body.append(" & ".join(map(_latex_cell, row)) + r" \\")
        caption = latex_text(f"{table.title}, continued" if start else table.title)
        label = "" if start else f"\\label{{tab:{table.name}}}"
        lines += [
            r"\begin{landscape}" if landscape else "",
            r"\begin{table}[p]",
            rf"\centering\caption{{{caption}}}{label}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{alignment}}}",
            rf"\toprule {head} \midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\par\smallskip\raggedright\footnotesize{{}}{below}",
            r"\end{table}",
            r"\end{landscape}" if landscape else "",
        ]
    return list(filter(None, lines))
