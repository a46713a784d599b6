use std::collections::BTreeMap;
use std::sync::Arc;

use rstest::rstest;

use super::{KnownSource, changes, suggest};
use crate::config::pipeline::{CsvSpec, Drift, Keep, Mapping, ReaderSpec, TableSpec};
use crate::contract::CodeList;
use crate::contract::parse::{CodeLists, parse};
use crate::diagnostic::{Problems, SourceFile};
use crate::normalise::ColumnShape;

const MODELS: &str = "code,label,label_en,aliases\n\
    association,Association,,Association loi 1901\n\
    scic,SCIC ou SCOP,,\"Coopérative|SCIC, SCOP\"\n\
    autre,Autre,,\n";

fn models() -> Arc<CodeList> {
    let file = SourceFile::new("seeds/codes/modeles.csv", MODELS);
    CodeList::parse("modeles", &file, &Problems::new()).unwrap()
}

#[rstest]
#[case::like_a_label(
    "Associations",
    &[],
    1,
    "if it means `association`, make that line of seeds/codes/modeles.csv \
     `association,Association,,Association loi 1901|Associations`; if not, add `associations,Associations,,`"
)]
#[case::the_only_one_that_is_gone(
    "Société à plusieurs",
    &["scic"],
    1,
    "if it means `scic`, which no row has any longer, make that line of seeds/codes/modeles.csv \
     `scic,SCIC ou SCOP,,\"Coopérative|SCIC, SCOP|Société à plusieurs\"`; if not, add \
     `societe_a_plusieurs,Société à plusieurs,,`"
)]
#[case::one_of_several_new("Société à plusieurs", &["scic"], 2, "add it to seeds/codes/modeles.csv as `societe_a_plusieurs,Société à plusieurs,,`")]
#[case::like_nothing("Mairie, école", &[], 1, "add it to seeds/codes/modeles.csv as `mairie_ecole,\"Mairie, école\",,`")]
#[case::no_alias_holds_a_bar("Autre|Autres", &[], 1, "add it to seeds/codes/modeles.csv as `autre_autres,Autre|Autres,,`")]
fn an_option_that_is_in_no_list_is_told_with_the_line_to_write(
    #[case] option: &str,
    #[case] gone: &[&str],
    #[case] new: usize,
    #[case] advice: &str,
) {
    let gone: Vec<(String, u64)> = gone.iter().map(|code| ((*code).to_owned(), 3)).collect();
    assert_eq!(suggest::option(&models(), option, &gone, new), advice);
}

/// A table of one column.
fn table(kind: &str, visibility: &str, codes: &str) -> TableSpec {
    let problems = Problems::new();
    let lists: CodeLists = [("modeles".to_owned(), models())].into_iter().collect();
    let text = format!(
        r#"{{"fields": [{{"name": "a", "type": "{kind}", "essaim": {{"visibility": "{visibility}"{codes}}}}}],
             "primaryKey": "a"}}"#
    );
    let contract = parse(&"t".parse().unwrap(), &SourceFile::new("t.schema.json", text), &lists, &problems).unwrap();
    TableSpec {
        name: "t".parse().unwrap(),
        source: "s".parse().unwrap(),
        contract: Arc::new(contract),
        reader: ReaderSpec::Csv(CsvSpec::default()),
        parts: None,
        members: None,
        explode: None,
        derived: Vec::new(),
        mappings: vec![Mapping { column: 0, from: vec!["a".to_owned()], ..Mapping::default() }],
        place: None,
        rejects: Vec::new(),
        keep: Keep::First,
        duplicate: None,
        matched: None,
        reject_table: None,
        drift: Drift::Stop,
        consent: None,
    }
}

#[rstest]
#[case::words("boolean", "", "malade")]
#[case::a_unit("number", "", "12 zorks")]
#[case::an_option("string", ", \"codes\": \"modeles\"", "Zorks")]
fn only_values_of_public_columns_are_named(#[case] kind: &str, #[case] codes: &str, #[case] text: &str) {
    let value = text.trim_start_matches("12 ");
    for visibility in ["public", "restricted", "personal"] {
        let table = table(kind, visibility, codes);
        let options = |rows: u64| if codes.is_empty() { Vec::new() } else { vec![rows, 0, 0] };
        let columns = ["a".to_owned()];
        let fits = ColumnShape { filled: 30, unfit: 0, options: options(30), texts: BTreeMap::new() };
        let texts = [(text.to_owned(), 30)].into_iter().collect();
        let not = ColumnShape { filled: 30, unfit: 30, options: options(0), texts };
        let before = KnownSource::of(&table, &columns, &[fits]);
        let shapes = [not];
        let now = KnownSource::of(&table, &columns, &shapes);
        let told: Vec<String> = changes(&before, &now, &shapes, &table).iter().map(ToString::to_string).collect();
        let told = told.join("; ");
        let kept = serde_json::to_string(&now).unwrap();
        if visibility == "public" {
            assert!(told.contains(value), "{told}");
        } else {
            assert!(told.contains("30 cells; see the private list unfit/t.csv of the run"), "{told}");
            let named = [value, "association"].into_iter().any(|name| told.contains(name) || kept.contains(value));
            assert!(!named, "{told} {kept}");
        }
    }
}
