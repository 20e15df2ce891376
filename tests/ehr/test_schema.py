import numpy as np
import pandas as pd
import pytest

from bfl_stpc.ehr import schema
from bfl_stpc.errors import DataError, SchemaError


def change(tables, name, column, row, value):
    table = tables[name].copy()
    if isinstance(table[column].dtype, pd.CategoricalDtype) and value not in table[column].cat.categories:
        table[column] = table[column].cat.add_categories([value])
    table.loc[row, column] = value
    return {**tables, name: table}


def test_what_was_generated_is_accepted(small):
    schema.validate(small.tables())


@pytest.mark.parametrize(
    ("name", "column", "row", "value", "rule"),
    [
        ("patients", "patient_id", 7, "Jane Doe", "32 hex digits"),
        ("patients", "sex", 3, "f", "one of male, female"),
        ("patients", "birth_date", 4, pd.NaT, "not_nullable"),
        ("encounters", "class", 9, "SPA", "one of IMP, EMER"),
        ("encounters", "end", 11, pd.Timestamp("2001-01-01"), "after its start"),
        ("vitals", "value", 12, 999.0, "within the reportable range of its code"),
        ("vitals", "value", 12, -1.0, "within the reportable range of its code"),
        ("labs", "value", 31, np.nan, "not_nullable"),
        ("labs", "value", 31, np.inf, "within the reportable range of its code"),
        ("labs", "code", 2, "1234-5", "one of 4548-4"),
        ("labs", "unit", 20, "mmol/L", "the UCUM unit of its code"),
        ("conditions", "code", 5, "X99", "one of I10"),
        ("medications", "code", 6, "aspirin", "one of 6809"),
        ("labs", "patient_id", 8, "0" * 32, "a known patient_id"),
        ("conditions", "encounter_id", 8, "0" * 32, "a known encounter_id"),
    ],
)
def test_one_bad_cell_is_named_by_table_column_row_and_rule(small, name, column, row, value, rule):
    tables = small.tables()
    if (name, column, row) == ("labs", "unit", 20):
        assert tables["labs"].loc[20, "unit"] != value
    with pytest.raises(SchemaError) as caught:
        schema.validate(change(tables, name, column, row, value))
    for part in (f"table {name}", f"column {column}", f"row {row}", rule):
        assert part in str(caught.value)


def test_a_repeated_patient_is_named(small):
    tables = small.tables()
    with pytest.raises(SchemaError, match=r"patients, column patient_id, row 0.*field_uniqueness"):
        schema.validate(change(tables, "patients", "patient_id", 1, tables["patients"].loc[0, "patient_id"]))


def test_a_missing_and_an_extra_column_are_named(small):
    tables = small.tables()
    with pytest.raises(SchemaError, match=r"table labs, column unit, in the whole column: it is missing"):
        schema.validate({**tables, "labs": tables["labs"].drop(columns="unit")})
    with pytest.raises(SchemaError, match=r"table labs, column name"):
        schema.validate({**tables, "labs": tables["labs"].assign(name="Jane Doe")})


def test_a_column_of_the_wrong_type_is_named(small):
    tables = small.tables()
    with pytest.raises(SchemaError, match=r"table vitals, column value, in the whole column"):
        schema.validate({**tables, "vitals": tables["vitals"].astype({"value": str})})


def test_a_missing_table_is_named(small):
    tables = small.tables()
    del tables["labs"]
    with pytest.raises(SchemaError, match="labs"):
        schema.validate(tables)


def test_a_patient_without_index_encounter_is_named(small):
    tables = small.tables()
    row = tables["encounters"].index[tables["encounters"]["is_index"]][5]
    encounters = tables["encounters"].drop(index=row)
    with pytest.raises(SchemaError):
        schema.validate({**tables, "encounters": encounters})


def test_an_outcome_on_an_earlier_encounter_is_refused(small):
    tables = small.tables()
    row = tables["encounters"].index[~tables["encounters"]["is_index"]][0]
    with pytest.raises(SchemaError, match=rf"deteriorated, row {row}.*index encounter and for no other"):
        schema.validate(change(tables, "encounters", "deteriorated", row, 1))


def test_an_encounter_of_someone_else_is_refused(small):
    tables = small.tables()
    labs = tables["labs"]
    other = labs["encounter_id"].iloc[-1]
    with pytest.raises(SchemaError, match=r"labs, column encounter_id, row 0.*an encounter of the patient"):
        schema.validate(change(tables, "labs", "encounter_id", 0, other))


def test_many_bad_rows_are_counted(small):
    labs = small.labs.copy()
    labs.loc[10:19, "value"] = -5.0
    with pytest.raises(SchemaError, match=r"row 10.*10 rows fail in all"):
        schema.validate({**small.tables(), "labs": labs})


def test_schema_errors_are_data_errors():
    assert issubclass(SchemaError, DataError)
