use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, DictionaryArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Float64Type, Int16Type, Int64Type};

use super::*;
use crate::config::pipeline::{Base, Grouping, Question, QuestionKind};
use crate::contract::CodeList;
use crate::contract::parse::{CodeLists, parse};
use crate::diagnostic::{Problems, SourceFile};

const SCHEMA: &str = r#"{
  "fields": [
    {"name": "id", "type": "string"},
    {"name": "statut", "type": "string", "essaim": {"codes": "statut"}},
    {"name": "besoins", "type": "list", "essaim": {"codes": "besoins", "multi": true, "status": true}}
  ],
  "primaryKey": "id"
}"#;

fn contract() -> Contract {
    let problems = Problems::new();
    let lists = [
        ("statut", "code,label\nasso,Association\nscic,SCIC\nscop,SCOP\n"),
        ("besoins", "code,label\npairs,Pairs\noutils,Outils\n"),
    ];
    let lists: CodeLists = lists
        .into_iter()
        .map(|(name, text)| {
            let list = CodeList::parse(name, &SourceFile::new(name, text), &problems).unwrap();
            (name.to_owned(), list)
        })
        .collect();
    let contract = parse(&"reponses".parse().unwrap(), &SourceFile::new("s.json", SCHEMA), &lists, &problems).unwrap();
    assert_eq!(problems.into_sorted(), []);
    contract
}

fn questionnaire(base: Base, population: Option<u64>) -> Questionnaire {
    let question = |column, kind| Question { column, kind, base };
    let recode = [("asso", "association"), ("scic", "cooperative"), ("scop", "cooperative")];
    Questionnaire {
        table: "reponses".parse().unwrap(),
        population,
        questions: vec![question(1, QuestionKind::Single), question(2, QuestionKind::Multi)],
        groupings: vec![Grouping {
            name: "statut".to_owned(),
            column: 1,
            recode: recode.map(|(code, group)| (code.to_owned(), group.to_owned())).into(),
        }],
    }
}

/// Five respondents: one was not shown the needs, one ticked none of them.
fn answers_of_five(contract: &Contract) -> RecordBatch {
    let statut: DictionaryArray<Int16Type> =
        [Some("scop"), Some("asso"), None, Some("scic"), Some("asso")].into_iter().collect();
    let besoins = UInt64Array::from(vec![Some(0b01), Some(0b11), Some(0b10), None, None]);
    let statuses: DictionaryArray<Int16Type> =
        ["answered", "answered", "answered", "empty", "not_shown"].into_iter().map(Some).collect();
    let ids: arrow::array::StringArray = ["a", "b", "c", "d", "e"].into_iter().map(Some).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(statut), Arc::new(besoins), Arc::new(statuses)];
    let fields = contract.coded_schema();
    let fields: Vec<_> = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).unwrap()
}

fn whole_sample(counter: &Counter<'_>) -> RecordBatch {
    let [whole, _] = counter.indicators().unwrap();
    whole.unwrap()
}

fn grouped(counter: &Counter<'_>) -> RecordBatch {
    let [_, grouped] = counter.indicators().unwrap();
    grouped.unwrap()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn options_bases_mentions_and_silence_are_counted() {
    let contract = contract();
    let questionnaire = questionnaire(Base::Respondents, None);
    let mut counter = Counter::new(&contract, Some(&questionnaire), []);
    counter.take(&answers_of_five(&contract));
    let table = whole_sample(&counter);
    // asso, scic, scop, then pairs, outils
    assert_eq!(numbers(&table, "n"), [2, 1, 1, 2, 2].map(Some));
    assert_eq!(numbers(&table, "base"), [5; 5].map(Some));
    assert_eq!(numbers(&table, "mentions"), [4, 4, 4, 4, 4].map(Some));
    assert_eq!(numbers(&table, "non_reponses"), [1, 1, 1, 2, 2].map(Some));
    let shares: Vec<_> =
        table.column_by_name("part_repondants").unwrap().as_primitive::<Float64Type>().iter().collect();
    assert_eq!(shares, [0.4, 0.2, 0.2, 0.4, 0.4].map(Some));
    assert_eq!(table.column_by_name("intervalle_bas").unwrap().null_count(), 5);
}

#[test]
fn the_base_is_everyone_those_asked_or_those_who_answered() {
    let contract = contract();
    for (base, expected) in [(Base::Respondents, 5), (Base::Asked, 4), (Base::Answered, 3)] {
        let questionnaire = questionnaire(base, None);
        let mut counter = Counter::new(&contract, Some(&questionnaire), []);
        counter.take(&answers_of_five(&contract));
        let table = whole_sample(&counter);
        assert_eq!(numbers(&table, "base")[3], Some(expected), "{base:?}");
    }
}

#[test]
fn counting_in_several_batches_gives_the_same_table() {
    let contract = contract();
    let questionnaire = questionnaire(Base::Respondents, Some(100));
    let batch = answers_of_five(&contract);
    let (mut once, mut thrice) =
        (Counter::new(&contract, Some(&questionnaire), []), Counter::new(&contract, Some(&questionnaire), []));
    once.take(&batch);
    for (from, length) in [(0, 2), (2, 1), (3, 2)] {
        thrice.take(&batch.slice(from, length));
    }
    assert_eq!(whole_sample(&once), whole_sample(&thrice));
    assert_eq!(grouped(&once), grouped(&thrice));
    assert_eq!(whole_sample(&once).column_by_name("intervalle_bas").unwrap().null_count(), 0);
}

#[test]
fn a_grouping_gathers_codes_and_stands_apart() {
    let contract = contract();
    let questionnaire = questionnaire(Base::Respondents, Some(100));
    let mut counter = Counter::new(&contract, Some(&questionnaire), []);
    counter.take(&answers_of_five(&contract));
    let table = grouped(&counter);
    let groups: Vec<_> = table.column_by_name("groupe").unwrap().as_string::<i32>().iter().flatten().collect();
    assert_eq!(groups, [["association"; 5], ["cooperative"; 5]].concat());
    // Two associations; of the two cooperatives one is a SCIC, one a SCOP.
    assert_eq!(numbers(&table, "n"), [2, 0, 0, 1, 1, 0, 1, 1, 1, 0].map(Some));
    assert_eq!(numbers(&table, "base"), [2; 10].map(Some));
}
