"""Tables of one's own: what loads, and every bad input named with its mend. The file is never changed."""

import dataclasses
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bfl_stpc import ehr
from bfl_stpc.ehr import own
from bfl_stpc.ehr.own import checks
from bfl_stpc.ehr.own import mapping as mappings
from bfl_stpc.errors import DataError, LabelLeaked, MappingError, SchemaError, TableUnreadable, UnfitHospitals


def people(n=300, seed=0, signal=1.0):
    """A table of n patients at three hospitals; `marker` carries the signal."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "site": rng.choice(["North", "South", "West"], n),
            "patient_id": [f"p{i:05d}" for i in range(n)],
            "age": rng.integers(20, 95, n),
            "sex": rng.choice(["f", "m"], n),
            "marker": x.round(3),
            "pain": rng.choice(["none", "mild", "severe"], n),
            "admitted": (np.datetime64("2020-01-01") + rng.integers(0, 900, n)).astype(str),
            "lab": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n).round(2)),
            "died": np.where(rng.random(n) < 1 / (1 + np.exp(-2 * signal * x)), "yes", "no"),
        }
    )


@pytest.fixture
def frame():
    return people()


@pytest.fixture
def load(tmp_path):
    """Write a table, load it, and prove that the file is as it was."""

    def run(table, name="my.csv", **options):
        path = tmp_path / name
        if isinstance(table, bytes):
            path.write_bytes(table)
        elif name.endswith("parquet"):
            table.to_parquet(path, index=False)
        else:
            table.to_csv(path, index=False)
        before = path.read_bytes()
        try:
            return own.load_table(path, **{"accept": True} | options)
        finally:
            assert path.read_bytes() == before

    return run


# --- what loads


def test_a_table_becomes_what_the_study_takes(load, frame):
    table = load(frame)
    assert isinstance(table, ehr.Tabular)
    assert table.columns == ("age", "sex = m", "marker", "pain = mild", "pain = none", "pain = severe", "lab")
    assert set(table.hospitals) == {"North", "South", "West"}
    np.testing.assert_array_equal(table.y, frame["died"] == "yes")
    np.testing.assert_array_equal(np.array(table.hospitals)[table.hospital], frame["site"])
    np.testing.assert_allclose(table.X[:, 2], frame["marker"], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(table.X[:, 6]), frame["lab"].isna())
    np.testing.assert_array_equal(table.X[:, 5], frame["pain"] == "severe")
    np.testing.assert_array_equal(table.groups["sex"], frame["sex"])
    assert table.groups["age"][np.argmax(frame["age"])] == "75+"


def test_parquet_gives_the_same_table(load, frame):
    text, typed = load(frame), load(frame.astype({"pain": "category"}), name="my.parquet")
    np.testing.assert_array_equal(text.X, typed.X)
    np.testing.assert_array_equal(text.y, typed.y)


def test_types_of_parquet_are_read_as_what_they_are(load, frame):
    frame["admitted"] = pd.to_datetime(frame["admitted"])
    frame["smoker"] = np.arange(len(frame)) % 3 == 0
    table = load(frame, name="my.parquet")
    np.testing.assert_array_equal(table.X[:, table.columns.index("smoker")], frame["smoker"])
    assert table.mapping.columns["admitted"].form == "%Y-%m-%d"


def test_semicolons_and_decimal_commas(load, frame):
    table = load(frame.to_csv(index=False, sep=";", decimal=",").encode())
    np.testing.assert_array_equal(table.X, load(frame).X)


def test_quoted_lines_and_a_mark_at_the_start(load, frame):
    frame["pain"] = frame["pain"].replace("mild", 'mild,\n"a bit"')
    table = load(b"\xef\xbb\xbf" + frame.to_csv(index=False).encode())
    assert 'pain = mild,\n"a bit"' in table.columns
    assert len(table.y) == len(frame)


def test_a_category_not_recorded_is_marked(load, frame):
    frame.loc[:9, "sex"] = ""
    table = load(frame)
    marked = table.X[:, table.columns.index("sex = (not recorded)")]
    np.testing.assert_array_equal(marked, np.arange(len(frame)) < 10)
    assert set(table.groups["sex"]) == {"", "f", "m"}


def test_dates_become_years_since_another_date(load, frame):
    frame["born"] = "1950-06-01"
    mapping = mapped(load, frame)
    columns = dict(mapping.columns)
    columns["born"] = dataclasses.replace(columns["born"], kind="ignore", form="%Y-%m-%d")
    columns["admitted"] = dataclasses.replace(columns["admitted"], kind="date", since="born")
    table = load(frame, mapping=dataclasses.replace(mapping, columns=columns))
    years = (pd.to_datetime(frame["admitted"]) - pd.Timestamp("1950-06-01")).dt.days / 365.2425
    np.testing.assert_allclose(table.X[:, table.columns.index("admitted")], years, rtol=1e-5)


def test_a_draw_is_of_the_size_asked_in_the_tables_order_and_repeats(load):
    frame = people(2000)
    whole, drawn = load(frame), load(frame, patients=500)
    assert len(drawn.y) == 500
    rows = [int(np.flatnonzero((whole.X[:, 2] == x[2]) & (whole.X[:, 0] == x[0]))[0]) for x in drawn.X[:50]]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(drawn.X, load(frame, patients=500).X)
    assert not np.array_equal(drawn.X, load(frame, patients=500, seed=1).X)
    assert any("500 of 2000 rows" in note.what for note in drawn.report.notes)
    twice = pd.concat([frame, frame])
    with pytest.raises(SchemaError, match="come more than once"):
        load(twice, patients=500)
    anonymous = load(frame.drop(columns="patient_id"), patients=500)
    assert 0.4 < (anonymous.X[:, 0] > np.median(whole.X[:, 0])).mean() < 0.6


# --- the mapping


def mapped(load, frame):
    return load(frame, minimum=2, unfit="drop").mapping


def test_nothing_is_loaded_before_somebody_confirmed(load, frame, tmp_path):
    with pytest.raises(MappingError, match="make table DATA=my"):
        load(frame, accept=False)
    path = own.mapping_path(tmp_path / "my.csv")
    own.write_mapping(own.propose_mapping(tmp_path / "my.csv"), path)
    with pytest.raises(MappingError, match="confirmed: true"):
        load(frame, accept=False)
    path.write_text(path.read_text().replace("confirmed: false", "confirmed: true"))
    assert load(frame, accept=False).report.notes == ()


def test_a_mapping_on_disk_is_never_overwritten(load, frame, tmp_path):
    mapping, path = mapped(load, frame), tmp_path / "my.mapping.yaml"
    path.write_text("mine")
    with pytest.raises(MappingError, match="exists"):
        own.write_mapping(mapping, path)
    assert path.read_text() == "mine"


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
kinds = st.one_of(
    st.builds(mappings.Input, st.sampled_from(["number", "ignore"]), keep=st.booleans()),
    st.builds(mappings.Input, st.just("category"), levels=st.lists(texts, min_size=2, max_size=4).map(tuple)),
    st.just(mappings.Input("number", usual=(1.0, 2.5))),
)


@given(st.dictionaries(texts, kinds, max_size=4), st.lists(texts, max_size=3), st.sampled_from(mappings.UNFIT))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_mapping_survives_being_written_and_read(columns, positive, unfit):
    mapping = mappings.Mapping("site", "died", tuple(positive), columns, unfit=unfit, file="x.csv")
    assert mappings.parse(yaml.safe_load(mappings.dump(mapping))) == mapping


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fill": "mode"}, "fill: 'mode' is none of mean, median"),
        ({"hospitals": "site"}, "hospitals: unknown"),
        ({"minimum": "20"}, "minimum: '20' is no int"),
        ({"minimum": 1}, "cannot be split"),
        ({"hospital": None}, "hospital: name the column"),
        ({"label": "died"}, "label: must have"),
        ({"label": {"column": "died", "positive": [True]}}, "put True in quotes"),
        ({"columns": {"age": "numeric"}}, "age: kind: 'numeric' is none of"),
        ({"columns": {"age": {"kind": "number", "type": "int"}}}, "age: give a kind"),
        ({"columns": {"pain": {"kind": "category", "levels": ["one"]}}}, "at least two levels"),
        ({"columns": {"born": {"kind": "date", "form": "%Y-%m-%d"}}}, "name the date `since`"),
        ({"columns": {"born": {"kind": "date", "form": "year"}}}, "form: 'year' is none of"),
        ({"columns": {"age": {"kind": "number", "usual": [3, 1]}}}, "is no range"),
    ],
)
def test_a_wrong_mapping_names_its_key(change, says):
    good = {"hospital": "site", "label": {"column": "died", "positive": ["1"]}, "columns": {"age": "number"}}
    assert mappings.parse(good).columns["age"].kind == "number"
    with pytest.raises(MappingError, match=says.replace("(", r"\(")):
        mappings.parse(good | change)


def test_a_mapping_that_does_not_fit_the_table_names_the_columns(load, frame):
    mapping = mapped(load, frame)
    with pytest.raises(MappingError, match="columns pain of the mapping are not in the table"):
        load(frame.drop(columns="pain"), mapping=mapping)
    with pytest.raises(MappingError, match="columns ward are not in the mapping"):
        load(frame.assign(ward=1), mapping=mapping)
    columns = {**mapping.columns, "died": mappings.Input("ignore")}
    with pytest.raises(MappingError, match="'age' is the label and an input at once"):
        load(frame, mapping=dataclasses.replace(mapping, label="age", columns=columns))


# --- bad input


def test_missing_hospital_or_label_column_is_named(load, frame):
    with pytest.raises(MappingError, match=r"no column is named like a hospital: say HOSPITAL=.*age, sex"):
        load(frame.drop(columns="site"))
    with pytest.raises(MappingError, match="no column is named like a label: say LABEL="):
        load(frame.drop(columns="died"))
    with pytest.raises(MappingError, match="hospital column 'ward' is not in the table, which has site, patient_id"):
        load(frame, hospital="ward")


def test_more_than_two_classes_are_named_and_a_threshold_mends_it(load, frame):
    frame["died"] = np.arange(len(frame)) % 5
    with pytest.raises(
        MappingError, match=r"label 'died' has more than two classes.*'0', '1', '2', '3', '4'.*positive"
    ):
        load(frame)
    np.testing.assert_array_equal(load(frame, positive=(">0",)).y, frame["died"] > 0)
    np.testing.assert_array_equal(load(frame, positive=("1", "2", "3", "4")).y, frame["died"] > 0)
    with pytest.raises(MappingError, match="more than two"):
        load(frame, positive=("1", "2"))
    assert load(frame, positive=("1", "2"), negative=("0", "3", "4")).y.sum() == frame["died"].isin([1, 2]).sum()


def test_junk_in_a_number_names_row_value_count_and_mend(load, frame):
    frame = frame.astype({"marker": object})
    frame.loc[6, "marker"], frame.loc[9, "marker"] = "high", "inf"
    with pytest.raises(SchemaError, match=r"column 'marker', row 8: 'high': no number \(2 rows in all\): .*`missing`"):
        load(frame)
    assert np.isnan(load(frame, missing=("", "high", "inf")).X[[6, 9], 2]).all()


def test_all_wrong_columns_are_named_at_once(load, frame):
    mapping = mapped(load, frame)
    frame = frame.astype({"marker": object})
    frame.loc[3, "marker"], frame.loc[4, "pain"], frame.loc[5, "died"] = "x", "awful", ""
    with pytest.raises(SchemaError) as error:
        load(frame, mapping=mapping)
    for part in ("'marker', row 5: 'x'", "'pain', row 6: 'awful'", "'died', row 7: ''"):
        assert part in str(error.value)


def test_rows_without_label_or_hospital_are_refused_or_dropped_as_asked(load, frame):
    frame.loc[:4, "died"], frame.loc[10:11, "site"] = "", "NA"
    with pytest.raises(SchemaError, match=r"'died', row 2: .*5 rows in all.*'site', row 12"):
        load(frame)
    table = load(frame, unlabelled="drop")
    assert len(table.y) == len(frame) - 7
    assert "7 of 300 rows lack label or hospital" in table.report.markdown()


def test_latin_1_within_utf_8_names_line_and_byte(load, frame):
    text = frame.assign(site=frame["site"].replace("West", "Süd")).to_csv(index=False).encode()
    at = len(text)
    mixed = text + "Süd".encode("latin-1") + text.splitlines()[-1][4:] + b"\n"
    with pytest.raises(TableUnreadable, match=rf"line {len(frame) + 2}, byte {at + 1}: 0xfc .*mixes encodings"):
        load(mixed)
    latin = frame.assign(site=frame["site"].replace("West", "Süd")).to_csv(index=False).encode("latin-1")
    with pytest.raises(TableUnreadable, match="set `encoding: latin-1`"):
        load(latin)
    assert "Süd" in load(latin, encoding="latin-1").hospitals


@given(st.binary(min_size=1, max_size=40), st.integers(0, 60))
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_table_or_an_error_of_the_tree(tmp_path_factory, noise, at):
    text = people(40).to_csv(index=False).encode()
    path = tmp_path_factory.mktemp("noise") / "my.csv"
    path.write_bytes(text[:at] + noise + text[at:])
    with suppress(DataError):  # any other error fails
        assert len(own.load_table(path, accept=True, minimum=2, unfit="drop").hospitals) >= 2


def test_dates_are_recognised_and_ambiguous_ones_left_to_the_reader(load, frame, tmp_path):
    frame["visit"] = ["03/04/2021", "05/06/2021"] * (len(frame) // 2)
    load(frame)
    columns = own.propose_mapping(tmp_path / "my.csv").columns
    assert columns["visit"].kind == "ignore"
    assert columns["visit"].form is None
    assert "%d/%m/%Y, or %m/%d/%Y" in columns["visit"].note
    born = {"visit": dataclasses.replace(columns["visit"], kind="date", form="%m/%d/%Y", since="admitted")}
    frame.loc[2, "visit"] = "25/12/2021"
    with pytest.raises(SchemaError, match="'visit', row 4: '25/12/2021': no date of the form %m/%d/%Y"):
        load(frame, mapping=dataclasses.replace(mapped_again(tmp_path, columns), columns={**columns, **born}))


def mapped_again(tmp_path, columns):
    return mappings.Mapping("site", "died", ("yes",), columns, patient="patient_id", confirmed=True)


def test_a_patient_at_two_hospitals_is_named_by_rows(load, frame):
    frame.loc[7, "patient_id"], frame.loc[7, "site"] = frame.loc[2, "patient_id"], "North"
    frame.loc[2, "site"] = "South"
    with pytest.raises(
        SchemaError, match=r"1 patients come more than once \(1 rows at another hospital\), first in rows 4 "
    ):
        load(frame)
    table = load(frame, repeated="first")
    assert len(table.y) == len(frame) - 1
    assert table.hospitals[table.hospital[2]] == "South"


def test_equal_rows_are_counted_where_nobody_names_the_patient(load, frame):
    table = load(pd.concat([frame, frame[:5]]).drop(columns="patient_id"))
    assert "5 rows equal another one" in table.report.notes[0].what


def test_small_hospitals_and_one_class_are_refused_merged_or_dropped(load, frame):
    frame.loc[:4, "site"] = "Hut"
    frame.loc[frame["site"] == "West", "died"] = "no"
    with pytest.raises(
        UnfitHospitals, match=r"Hut: 5 patients, fewer than 20; West: all \d+ labels are 0.*unfit: merge"
    ):
        load(frame)
    merged = load(frame, unfit="merge")
    assert len(merged.y) == len(frame)
    assert set(merged.hospitals) == {"North", "South", "merged"}
    dropped = load(frame, unfit="drop")
    assert set(dropped.hospitals) == {"North", "South"}
    kept = frame["site"].isin(["North", "South"])
    np.testing.assert_allclose(dropped.X[:, 2], frame["marker"][kept], rtol=1e-6)
    np.testing.assert_array_equal(np.array(merged.hospitals)[merged.hospital] == "merged", ~kept)
    with pytest.raises(UnfitHospitals, match="needs two"):
        load(frame[frame["site"] == "North"])


def test_leaks_are_refused_by_name_and_kept_when_asked(load, frame):
    y = (frame["died"] == "yes").astype(int)
    frame["risk"] = y * 10 + frame["marker"] / 10
    frame["went_to"] = np.where(y == 1, np.where(frame["age"] > 60, "morgue", "chapel"), "home")
    frame["autopsy"] = np.where(y == 1, 1.5, np.nan)
    frame["folder"] = np.arange(len(frame)) + 1000
    kinds = {"folder": mappings.Input("number"), "autopsy": mappings.Input("number")}
    mapping = mapped(load, frame.drop(columns=["risk", "went_to", "autopsy", "folder"]))
    proposed = {
        **mapping.columns,
        **kinds,
        "risk": mappings.Input("number"),
        "went_to": mappings.Input("category", ("chapel", "home", "morgue")),
    }
    with pytest.raises(LabelLeaked) as error:
        load(frame, mapping=dataclasses.replace(mapping, columns=proposed))
    for part in ("'risk': alone it reaches AUC 1.000", "'went_to': alone it reaches AUC 1.000",
                 "'autopsy': whether it is recorded tells the label", "'folder': nearly every row"):  # fmt: skip
        assert part in str(error.value)
    assert "'marker'" not in str(error.value)
    kept = {name: dataclasses.replace(how, keep=True) for name, how in proposed.items()}
    assert len(load(frame, mapping=dataclasses.replace(mapping, columns=kept)).report.notes) == 5


def test_a_rare_flag_beside_a_rare_label_is_no_leak():
    y = np.zeros(4000, np.int8)
    y[:20] = 1
    flag = np.zeros((4000, 1), np.float32)
    flag[10:30] = 1  # agrees on 99.5 % of the patients, and still is no twin
    assert checks._leak(flag, y) is None
    flag[:] = y[:, None]
    assert "nearly the label" in checks._leak(flag, y) or "AUC" in checks._leak(flag, y)


def test_imbalance_is_told_and_too_few_are_refused(load):
    frame = people(1000)
    frame["died"] = "no"
    frame.loc[::25, "died"] = "yes"
    assert "the rarer class has 4 %" in load(frame).report.notes[0].what
    frame.loc[200:, "died"] = "no"
    with pytest.raises(DataError, match="8 of 1000 patients have y = 1: at least 10"):
        load(frame)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"site,age,died\n", "a header but no row"),
        (b"site,age,age,died\nA,1,2,0\n", r"2 columns are named 'age' \(columns 2, 3\)"),
        (b"site,,died\nA,1,0\n", "column 2 has no name"),
        (b"site\nA\n", "hospital, label and one input are the least"),
        (b"site,age,died\nA,1,0\nB,2\n", r"row 3: 2 cells where the header has 3"),
        (b'site,age,died\nA,1,0\nB,"2,0\n', "a double quote after line 2 never closes"),
        ("site,age,died\nA,1,0\n".encode("utf-16"), "UTF-16"),
        (b"site,age,died\nA,1\x00,0\n", "byte 17: a zero byte"),
    ],
)
def test_what_is_no_table_is_named(load, content, says):
    with pytest.raises(TableUnreadable, match=says):
        load(content)


def test_ragged_rows_deep_in_a_file_are_counted_from_its_start(load):
    text = people(120_000).to_csv(index=False).encode()
    assert len(text) > 4 << 20  # several blocks
    with pytest.raises(TableUnreadable, match="row 120002: 1 cells"):
        load(text + b"lost\n")


def test_damaged_and_empty_parquet_and_unknown_kinds_are_named(load, frame, tmp_path):
    with pytest.raises(TableUnreadable, match="is no readable Parquet file"):
        load(b"PAR1 not really", name="my.parquet")
    with pytest.raises(TableUnreadable, match="columns but no row"):
        load(frame[:0], name="my.parquet")
    path = tmp_path / "cut.parquet"
    frame.to_parquet(path, index=False)
    with pytest.raises(TableUnreadable, match="Parquet"):
        load(path.read_bytes()[:-500], name="my.parquet")
    with pytest.raises(TableUnreadable, match="holds list"):
        load(frame.assign(ecg=[[1, 2]] * len(frame)), name="my.parquet")
    with pytest.raises(TableUnreadable, match="neither"):
        load(b"x", name="my.xlsx")
    with pytest.raises(TableUnreadable, match="does not exist"):
        own.load_table(tmp_path / "gone.csv", accept=True)


# --- the report


def test_the_report_tells_hospitals_inputs_and_the_strongest_alone(load, frame):
    report = load(frame).report
    assert report.inputs["input"][0] == "marker"
    assert report.hospitals["patients"].sum() == len(frame)
    text = report.markdown()
    for part in ("300 patients, 3 hospitals", "| marker | number", "patient_id", "nobody has confirmed"):
        assert part in text
