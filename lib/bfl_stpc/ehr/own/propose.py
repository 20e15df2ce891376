"""A mapping proposed from what the columns hold. It is a guess, with its reasons, for a person to confirm."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary

from bfl_stpc.ehr.own.mapping import Input, Mapping
from bfl_stpc.ehr.own.profile import Column
from bfl_stpc.errors import MappingError

LEVELS = 30  # a category with more values than this would be names or free text
FEW = 10  # whole numbers with at most so many values may be codes
NAMES = {
    "hospital": r"hospital|site|cent(er|re)|clinic|institution|organi[sz]ation|facility|provnum|provider",
    "label": r"label|outcome|target|deteriorated|died|death|dead|mortality|readmitted|readmission|event|y|num",
    "patient": r"patient|patient_?id|mrn|subject|subject_?id|person_?id|pat_?id|id|case_?id|nhs_?number",
    "sex": r"sex|gender|female|male",
    "age": r"age|age_?years|alter",
}
YES = ("1", "1.0", "yes", "y", "true", "t", "positive", "pos", "dead", "died", "event", "present", "ja")
IDENTIFIER = r"(^|_)(id|uuid|guid|mrn|ssn|name|phone|email|address|insurance|passport)(_|$)|_no$|number$"


def propose(
    columns: Dictionary[str, Column],
    *,
    hospital: str | None = None,
    label: str | None = None,
    file: str = "",
    encoding: str = "utf-8",
    delimiter: str | None = None,
    decimal: str = ".",
    at: str | None = None,
) -> Mapping:
    """Return the proposed mapping, not confirmed.

    Args:
        columns: what `profile` found.
        hospital, label: columns where the caller knows them; else found by name.
        file, encoding, delimiter, decimal, at: as in `Mapping`.

    Raises:
        MappingError: hospital or label is no column, or none is named like one; the columns are listed.
    """
    hospital = _role("hospital", hospital, columns, ())
    label = _role("label", label, columns, (hospital,))
    others = {name: column for name, column in columns.items() if name not in (hospital, label)}
    patient, sex, age = (_named(role, others) for role in ("patient", "sex", "age"))
    if age is not None and not others[age].numbers:
        age = None
    inputs = {name: _input(column, name == patient) for name, column in others.items()}
    return Mapping(
        hospital=hospital,
        label=label,
        positive=_positive(columns[label]),
        columns=inputs,
        file=file,
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        at=at,
        patient=patient,
        sex=sex,
        age=age,
    )


def decimal_sign(columns: Dictionary[str, Column], delimiter: str | None) -> str:
    """Return "," where numbers of a table that is not parted by commas are written with one, else "."."""
    if delimiter == ",":
        return "."
    texts = [column.first_junk[1] for column in columns.values() if column.first_junk]
    return "," if any(re.fullmatch(r"[+-]?\d+,\d+", text) for text in texts) else "."


def _role(role: str, given: str | None, columns: Dictionary[str, Column], taken: tuple[str, ...]) -> str:
    listed = ", ".join(columns)
    if given is not None:
        if given not in columns:
            raise MappingError(f"{role} column {given!r} is not in the table, which has {listed}")
        return given
    found = _named(role, {name: column for name, column in columns.items() if name not in taken})
    if found is None:
        raise MappingError(f"no column is named like a {role}: say {role.upper()}=<column>, one of {listed}")
    return found


def _named(role: str, columns: Dictionary[str, Column]) -> str | None:
    """Return the first column whose whole name fits the role, else whose name holds a word of it."""
    for pattern in (rf"({NAMES[role]})", rf"(.*[_ .-])?({NAMES[role]})([_ .-].*)?"):
        for name in columns:
            if re.fullmatch(pattern, name.strip(), re.IGNORECASE):
                return name
    return None


def _positive(column: Column) -> tuple[str, ...]:
    """Return the values that mean y = 1: a word for yes, the larger number, else the rarer value.

    Of more than two classes nobody can guess which count: nothing is proposed, and loading says what to write.
    """
    values = column.values or {}
    if column.values is None or len(values) > 2:
        return ()
    for value in values:
        if value.lower() in YES:
            return (value,)
    if column.numeric:
        return (max(values, key=float),)
    return (min(values, key=lambda value: (values[value], value)),) if values else ()


def _input(column: Column, patient: bool) -> Input:
    name, few = column.name, column.values
    if column.recorded == 0:
        return Input("ignore", note="nothing is recorded")
    missing = f"{100 * column.missing / column.rows:.3g} % missing"
    if patient:
        return Input("ignore", note=f"names the patient; {missing}")
    if few is not None and len(few) == 1:
        return Input("ignore", note=f"one value throughout: {next(iter(few))!r}; {missing}")
    if column.dates and not (column.numeric and column.high < 19_000_101):
        forms = ", or ".join(column.dates)
        note = f"a date ({forms}); as an input: kind date, since another date column, in years"
        return Input("ignore", form=column.dates[0] if len(column.dates) == 1 else None, note=note)
    identifier = re.search(IDENTIFIER, name, re.IGNORECASE) is not None
    if column.unique and (identifier or not column.numeric or (column.whole and column.high > 10 * column.rows)):
        return Input("ignore", note="nearly every row has a value of its own: an identifier")
    if column.numeric:
        said = f"{column.low:g} to {column.high:g}; {missing}"
        if few is not None and 2 < len(few) <= FEW and column.whole:
            said += f"; {len(few)} whole numbers: make it a category if they are codes"
        return Input("number", note=said)
    if column.numbers > 0.8 * column.recorded and column.first_junk is not None:
        row, text = column.first_junk
        others = column.recorded - column.numbers
        return Input("number", note=f"{others} cells are no numbers, first {text!r} in row {row}: mend them, or add "
                                    f"the text to `missing`; {missing}")  # fmt: skip
    if few is not None and len(few) <= LEVELS:
        return Input("category", levels=tuple(sorted(few)), note=f"{len(few)} values; {missing}")
    return Input("ignore", note="text of many values: free text or an identifier")
