use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, DictionaryArray, RecordBatch, StringArray, UInt64Array,
};
use arrow::datatypes::{Field, Int16Type, Int64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::config::pipeline::{Base, Grouping, Question, QuestionKind};
use crate::contract::CodeList;
use crate::contract::parse::{CodeLists, parse};
use crate::diagnostic::{Problems, SourceFile};

const SCHEMA: &str = r#"{
  "fields": [
    {"name": "id", "type": "string"},
    {"name": "region", "type": "string"},
    {"name": "actif", "type": "boolean"},
    {"name": "statut", "type": "string", "essaim": {"codes": "statut"}},
    {"name": "besoins", "type": "list", "essaim": {"codes": "besoins", "multi": true, "status": true}},
    {"name": "outils", "type": "list", "essaim": {"codes": "outils", "multi": true}}
  ],
  "primaryKey": "id"
}"#;

const REGION: usize = 1;
const ACTIF: usize = 2;
const STATUT: usize = 3;
const BESOINS: usize = 4;
const OUTILS: usize = 5;

/// Codes of the lists. That of `outils` has 64 of them, the most that a set holds.
fn codes(list: &str) -> Vec<String> {
    match list {
        "statut" => ["scop", "asso", "scic"].map(str::to_owned).into(),
        "besoins" => ["pairs", "outils", "argent", "temps", "autre"].map(str::to_owned).into(),
        _ => (0..64).map(|at| format!("o{at:02}")).collect(),
    }
}

fn contract() -> Contract {
    let problems = Problems::new();
    let list = |name: &str| {
        let lines: Vec<String> = codes(name).iter().map(|code| format!("{code},{code} !\n")).collect();
        let file = SourceFile::new(name, format!("code,label\n{}", lines.concat()));
        (name.to_owned(), CodeList::parse(name, &file, &problems).unwrap())
    };
    let lists: CodeLists = ["statut", "besoins", "outils"].map(list).into_iter().collect();
    let contract = parse(&"reponses".parse().unwrap(), &SourceFile::new("s.json", SCHEMA), &lists, &problems).unwrap();
    assert_eq!(problems.into_sorted(), []);
    contract
}

fn crosstab(contract: &Contract, by: &[usize], questions: &[usize]) -> Crosstab {
    Crosstab {
        name: "croise".parse().unwrap(),
        table: contract.name.clone(),
        contract: Arc::new(contract.clone()),
        by: by.to_vec(),
        questions: questions.to_vec(),
    }
}

/// A row of the table: a single code is its position in the list, a set its bits.
#[derive(Debug, Clone, Default)]
struct Row {
    region: Option<&'static str>,
    actif: Option<bool>,
    statut: Option<usize>,
    besoins: Option<u64>,
    outils: Option<u64>,
}

fn batch(contract: &Contract, rows: &[Row]) -> RecordBatch {
    let ids: StringArray = (0..rows.len()).map(|at| Some(at.to_string())).collect();
    let statuts = codes("statut");
    let statut: DictionaryArray<Int16Type> = rows.iter().map(|row| row.statut.map(|at| statuts[at].as_str())).collect();
    let told = |row: &Row| if row.besoins.unwrap_or(0) == 0 { "empty" } else { "answered" };
    let statuses: DictionaryArray<Int16Type> = rows.iter().map(|row| Some(told(row))).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids),
        Arc::new(rows.iter().map(|row| row.region).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.actif).collect::<BooleanArray>()),
        Arc::new(statut),
        Arc::new(rows.iter().map(|row| row.besoins).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|row| row.outils).collect::<UInt64Array>()),
        Arc::new(statuses),
    ];
    let fields = contract.coded_schema();
    let fields: Vec<Field> = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// A row of a cross-table: its groups, question, option, and `rang`, `n`, `base`, `ensemble`.
type Line = (Vec<Option<String>>, String, String, [i64; 4]);

fn lines(table: &RecordBatch) -> Vec<Line> {
    let by = table.num_columns() - 6;
    let text = |at: usize, row: usize| {
        let column = table.column(at).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let number = |at: usize, row: usize| table.column(by + at).as_primitive::<Int64Type>().value(row);
    let line = |row: usize| {
        let numbers = [2, 3, 4, 5].map(|at| number(at, row));
        ((0..by).map(|at| text(at, row)).collect(), text(by, row).unwrap(), text(by + 1, row).unwrap(), numbers)
    };
    (0..table.num_rows()).map(line).collect()
}

/// Counts rows in batches of some size.
fn counted(contract: &Contract, crosstab: &Crosstab, rows: &[Row], size: usize) -> Vec<Line> {
    let mut counter = Counter::new(contract, None, [crosstab]);
    for rows in rows.chunks(size) {
        counter.take(&batch(contract, rows));
    }
    assert_eq!(counter.outgrown(), None);
    let (name, table) = counter.crosstabs().next().unwrap();
    let table = table.unwrap();
    assert_eq!((name, table.schema()), (&crosstab.name, crosstab_schema(crosstab)));
    lines(&table)
}

/// Values of a cell, by the contract's word for the column.
fn cell(row: &Row, column: usize) -> Vec<String> {
    let of_set = |list: &str, set: Option<u64>| {
        let set = set.unwrap_or(0);
        codes(list).into_iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, code)| code).collect()
    };
    match column {
        REGION => row.region.map(str::to_owned).into_iter().collect(),
        ACTIF => row.actif.map(|actif| actif.to_string()).into_iter().collect(),
        STATUT => row.statut.map(|at| codes("statut")[at].clone()).into_iter().collect(),
        BESOINS => of_set("besoins", row.besoins),
        OUTILS => of_set("outils", row.outils),
        _ => Vec::new(),
    }
}

/// Groups that a row is in by one column.
fn groups(row: &Row, column: usize) -> Vec<Option<String>> {
    let values: Vec<_> = cell(row, column).into_iter().map(Some).collect();
    if values.is_empty() { vec![None] } else { values }
}

/// The same table, counted row by row as its definition says.
fn naive(by: &[usize], questions: &[usize], rows: &[Row]) -> Vec<Line> {
    let list = |column: usize| ["", "", "", "statut", "besoins", "outils"][column];
    let mut grid: Vec<Vec<Option<String>>> = vec![Vec::new()];
    for column in by {
        let mut values: BTreeSet<Option<String>> = rows.iter().flat_map(|row| groups(row, *column)).collect();
        if !list(*column).is_empty() {
            values.extend(codes(list(*column)).into_iter().map(Some));
        }
        grid = grid
            .into_iter()
            .flat_map(|group| values.iter().map(move |value| [group.clone(), vec![value.clone()]].concat()))
            .collect();
    }
    let mut lines = Vec::new();
    for group in grid {
        let inside = |row: &&Row| by.iter().zip(&group).all(|(column, value)| groups(row, *column).contains(value));
        let inside: Vec<&Row> = rows.iter().filter(inside).collect();
        for question in questions {
            let answered = |row: &&&Row| !cell(row, *question).is_empty();
            let base = inside.iter().filter(answered).count();
            let valued = |row: &&Row| by.iter().all(|column| !cell(row, *column).is_empty());
            let whole = rows.iter().filter(valued).filter(|row| !cell(row, *question).is_empty()).count();
            for (rank, code) in (1..).zip(codes(list(*question))) {
                let n = inside.iter().filter(|row| cell(row, *question).contains(&code)).count();
                let numbers = [n, base, whole].map(|number| i64::try_from(number).unwrap());
                let name = ["id", "region", "actif", "statut", "besoins", "outils"][*question].to_owned();
                lines.push((group.clone(), name, code, [rank, numbers[0], numbers[1], numbers[2]]));
            }
        }
    }
    lines
}

/// Four organisations in two regions; the last one has no region, the third one said nothing.
fn four() -> Vec<Row> {
    let row = |region, statut, besoins| Row { region, statut, besoins, ..Row::default() };
    vec![
        row(Some("53"), Some(1), Some(0b00011)),
        row(Some("11"), Some(0), Some(0b00001)),
        row(Some("53"), None, Some(0)),
        row(None, Some(1), Some(0b10001)),
    ]
}

#[test]
fn without_groups_every_option_is_counted_once_over_those_who_answered() {
    let contract = contract();
    let crosstab = crosstab(&contract, &[], &[STATUT, BESOINS]);
    let lines = counted(&contract, &crosstab, &four(), 2);
    let expected = [
        ("statut", "scop", [1, 1, 3, 3]),
        ("statut", "asso", [2, 2, 3, 3]),
        ("statut", "scic", [3, 0, 3, 3]),
        ("besoins", "pairs", [1, 3, 3, 3]),
        ("besoins", "outils", [2, 1, 3, 3]),
        ("besoins", "argent", [3, 0, 3, 3]),
        ("besoins", "temps", [4, 0, 3, 3]),
        ("besoins", "autre", [5, 1, 3, 3]),
    ];
    let expected =
        expected.map(|(question, code, numbers)| (Vec::new(), question.to_owned(), code.to_owned(), numbers));
    assert_eq!(lines, expected);
}

#[test]
fn groups_of_a_text_are_the_values_found_with_nothing_first_and_the_whole_has_a_value_each() {
    let contract = contract();
    let crosstab = crosstab(&contract, &[REGION], &[STATUT]);
    let lines = counted(&contract, &crosstab, &four(), 8);
    let group = |region: Option<&str>, n: [i64; 3], base: i64| {
        // The organisation without a region answered and is in its own group, but not in the whole.
        let line = |(rank, code, n): (i64, &str, i64)| {
            (vec![region.map(str::to_owned)], "statut".to_owned(), code.to_owned(), [rank, n, base, 2])
        };
        [(1, "scop", n[0]), (2, "asso", n[1]), (3, "scic", n[2])].map(line)
    };
    let expected =
        [group(None, [0, 1, 0], 1), group(Some("11"), [1, 0, 0], 1), group(Some("53"), [0, 1, 0], 1)].concat();
    assert_eq!(lines, expected);
}

#[test]
fn a_row_is_in_each_group_of_its_several_choices() {
    let contract = contract();
    let crosstab = crosstab(&contract, &[BESOINS], &[STATUT]);
    let lines = counted(&contract, &crosstab, &four(), 3);
    let asso: BTreeMap<Option<String>, [i64; 4]> = lines
        .into_iter()
        .filter(|(_, _, code, _)| code == "asso")
        .map(|(mut group, _, _, numbers)| (group.remove(0), numbers))
        .collect();
    let expected = [
        // The third organisation named no need, and no status either.
        (None, [2, 0, 0, 3]),
        (Some("argent"), [2, 0, 0, 3]),
        (Some("autre"), [2, 1, 1, 3]),
        (Some("outils"), [2, 1, 1, 3]),
        (Some("pairs"), [2, 2, 3, 3]),
        (Some("temps"), [2, 0, 0, 3]),
    ];
    assert_eq!(asso, expected.map(|(group, numbers)| (group.map(str::to_owned), numbers)).into());
}

#[test]
fn a_table_without_rows_has_all_groups_of_a_list_and_no_other() {
    let contract = contract();
    let zeros = |by: &[usize]| {
        let lines = counted(&contract, &crosstab(&contract, by, &[BESOINS]), &[], 1);
        assert!(lines.iter().all(|(_, _, _, numbers)| numbers[1..] == [0; 3]));
        lines.len()
    };
    assert_eq!((zeros(&[]), zeros(&[STATUT]), zeros(&[REGION]), zeros(&[STATUT, ACTIF])), (5, 15, 0, 0));
}

#[test]
fn a_table_that_grows_too_large_is_told_while_it_is_counted() {
    let contract = contract();
    let crosstab = crosstab(&contract, &[OUTILS, OUTILS], &[OUTILS, STATUT]);
    // 65 by 65 groups, the one without a value among them, of 67 options.
    let mut counter = Counter::new(&contract, None, [&crosstab]);
    counter.take(&batch(&contract, &[Row::default()]));
    assert_eq!((counter.crossings[0].rows(&counter.coded), counter.outgrown()), (65 * 65 * 67, None));
    // Three options for each id, so that a third of the most is just not too many.
    let many: StringArray = (0..MOST_ROWS / 3).map(|at| Some(at.to_string())).collect();
    let by_id = Crosstab { name: "par_id".parse().unwrap(), by: vec![0], questions: vec![STATUT], ..crosstab.clone() };
    let mut counter = Counter::new(&contract, None, [&crosstab, &by_id]);
    let id = Schema::new(vec![Field::new("id", arrow::datatypes::DataType::Utf8, false)]);
    let many = RecordBatch::try_new(Arc::new(id), vec![Arc::new(many)]).unwrap();
    counter.take(&many);
    assert_eq!(counter.outgrown(), None);
    counter.take(&batch(&contract, &[Row::default()]).slice(0, 1));
    assert_eq!(counter.outgrown(), None, "the id 0 was there already");
    let other = batch(&contract, &[Row::default(), Row::default(), Row::default()]);
    let renamed: StringArray = ["x", "y", "z"].into_iter().map(Some).collect();
    let columns = [vec![Arc::new(renamed) as ArrayRef], other.columns()[1..].to_vec()].concat();
    counter.take(&RecordBatch::try_new(other.schema(), columns).unwrap());
    assert_eq!(counter.outgrown(), Some(&by_id.name));
}

/// Indicators and cross-tables of one pass are what each is alone.
#[test]
fn one_pass_counts_the_questionnaire_and_all_cross_tables() {
    let contract = contract();
    let question = |column, kind| Question { column, kind, base: Base::Respondents };
    let questionnaire = Questionnaire {
        table: "reponses".parse().unwrap(),
        population: None,
        questions: vec![question(STATUT, QuestionKind::Single), question(BESOINS, QuestionKind::Multi)],
        groupings: vec![Grouping { name: "besoins".to_owned(), column: BESOINS, recode: BTreeMap::new() }],
    };
    let crosstabs = [crosstab(&contract, &[REGION], &[BESOINS]), crosstab(&contract, &[BESOINS, STATUT], &[OUTILS])];
    let mut together = Counter::new(&contract, Some(&questionnaire), &crosstabs);
    let mut alone = Counter::new(&contract, Some(&questionnaire), []);
    for rows in four().chunks(3) {
        together.take(&batch(&contract, rows));
        alone.take(&batch(&contract, rows));
    }
    let indicators = |counter: &Counter<'_>| counter.indicators().unwrap().map(Result::unwrap);
    assert_eq!(indicators(&together), indicators(&alone));
    for (crosstab, (_, table)) in crosstabs.iter().zip(together.crosstabs()) {
        assert_eq!(lines(&table.unwrap()), counted(&contract, crosstab, &four(), 4));
    }
    let columns = ["statut", "besoins", "outils", "besoins_statut", "besoins", "region", "statut"];
    assert_eq!(together.columns(), columns);
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let region = proptest::option::of(prop_oneof![Just("11"), Just("53"), Just("84"), Just("2A")]);
    let set = |bits: u32| {
        proptest::option::of(any::<u64>().prop_map(move |set| set & set.rotate_left(7) & (u64::MAX >> (64 - bits))))
    };
    let row = (region, any::<Option<bool>>(), proptest::option::of(0..3_usize), set(5), set(64));
    let row = row.prop_map(|(region, actif, statut, besoins, outils)| Row { region, actif, statut, besoins, outils });
    proptest::collection::vec(row, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counts_are_those_of_a_count_row_by_row(
        rows in rows(),
        by in proptest::sample::subsequence(vec![REGION, ACTIF, STATUT, BESOINS, OUTILS], 0..=2).prop_shuffle(),
        questions in proptest::sample::subsequence(vec![STATUT, BESOINS, OUTILS], 1..=3).prop_shuffle(),
        size in 1..9_usize,
    ) {
        let contract = contract();
        let crosstab = crosstab(&contract, &by, &questions);
        prop_assert_eq!(counted(&contract, &crosstab, &rows, size), naive(&by, &questions, &rows));
    }
}
