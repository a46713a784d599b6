//! Three changed answers change exactly the cells that follow from them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SHIPPED, answer};
use crate::harness::Project;
use crate::harness::sample::{agrees, answers, public_id};

/// Every cell of every published table, by table, key and column.
fn cells(project: &Project) -> BTreeMap<String, String> {
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(project.latest(SHIPPED).join("manifest.json")).unwrap()).unwrap();
    let mut cells = BTreeMap::new();
    for table in manifest["tables"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let key: Vec<&str> = table["key"].as_array().unwrap().iter().map(|column| column.as_str().unwrap()).collect();
        for row in project.csv(SHIPPED, name) {
            let id: Vec<&str> = key.iter().map(|column| row[*column].as_str()).collect();
            for (column, cell) in &row {
                let known = cells.insert(format!("{name} {} {column}", id.join(" ")), cell.clone());
                assert_eq!(known, None, "{name} {id:?} stands there twice");
            }
        }
    }
    cells
}

/// An answer that meets a condition: its page name and the answer.
fn find(condition: impl Fn(&Value) -> bool) -> (String, Value) {
    answers().into_iter().find(|(_, answer)| condition(answer)).expect("no answer meets the condition")
}

fn ticks(answer: &Value, field: &str) -> Vec<String> {
    answer[field].as_str().unwrap_or("").split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// A cell as it should be: a text, or a share.
enum Expected {
    Text(&'static str),
    Share(f64, f64),
}

use Expected::{Share, Text};

#[test]
fn three_changed_answers_change_exactly_the_expected_cells() {
    let project = Project::shipped();
    project.run();
    let before = cells(&project);

    // An association that shows its answers becomes a SCIC: 40 to 39 associations, 7 to 8 SCIC of 62 and of 57 mentions.
    let shown = |answer: &Value| agrees(answer, "bf_consentement") && agrees(answer, "bf_consentement_reponses");
    let (page, _) = find(|answer| shown(answer) && answer["bf_statut"] == "association");
    answer(&project, &page, "bf_statut", "scic");
    let shown_id = public_id(&page);

    // A structure that shows nothing ticks sponsorship: 9 to 10 of 62, 176 to 177 mentions.
    let hidden = |answer: &Value| !agrees(answer, "bf_consentement");
    let (page, old) =
        find(|answer| hidden(answer) && !ticks(answer, "bf_financements").contains(&"mecenat".to_owned()));
    answer(&project, &page, "bf_financements", &format!("{},mecenat", old["bf_financements"].as_str().unwrap()));

    // A structure that shows its name only no longer needs exchange: 53 to 52 of 62, 204 to 203 mentions.
    let named = |answer: &Value| agrees(answer, "bf_consentement") && !agrees(answer, "bf_consentement_reponses");
    let (page, old) = find(|answer| {
        let needs = ticks(answer, "bf_besoins");
        named(answer) && needs.len() > 1 && needs.contains(&"echange_pairs".to_owned())
    });
    let rest: Vec<String> = ticks(&old, "bf_besoins").into_iter().filter(|key| key != "echange_pairs").collect();
    answer(&project, &page, "bf_besoins", &rest.join(","));
    project.run();

    let mut expected: BTreeMap<String, Expected> = BTreeMap::new();
    let mut expect = |cell: String, value| assert!(expected.insert(cell, value).is_none());
    for (option, n, text) in [("association", 39.0, "39"), ("scic", 8.0, "8")] {
        let row = format!("indicateurs statut_juridique {option}");
        expect(format!("{row} n"), Text(text));
        expect(format!("{row} part_repondants"), Share(n, 62.0));
        expect(format!("{row} part_mentions"), Share(n, 57.0));
    }
    expect(format!("structures {shown_id} statut_juridique"), Text("scic"));
    // The key figures stand in the order of the document: the third is that of associations, the sixth that of exchange.
    expect("chiffres_cles 3 n".to_owned(), Text("39"));
    expect("chiffres_cles 3 part".to_owned(), Share(39.0, 62.0));
    expect("chiffres_cles 3 pourcentage".to_owned(), Text("63"));

    // Counts of the options after the change, as README.md of the sample has them with one sponsor more.
    let funding = [
        ("subventions_publiques", 54.0),
        ("prestations", 38.0),
        ("fondations", 24.0),
        ("adhesions", 30.0),
        ("fonds_europeens", 16.0),
        ("mecenat", 10.0),
        ("autre", 5.0),
    ];
    for (rank, (option, n)) in (1..).zip(funding) {
        for row in [format!("indicateurs financements {option}"), format!("financement {rank}")] {
            expect(format!("{row} mentions"), Text("177"));
            expect(format!("{row} part_mentions"), Share(n, 177.0));
            if option == "mecenat" {
                expect(format!("{row} n"), Text("10"));
                expect(format!("{row} part_repondants"), Share(n, 62.0));
            }
        }
    }

    let needs = [
        ("echange_pairs", 52.0),
        ("formation", 28.0),
        ("outils", 33.0),
        ("financement", 37.0),
        ("mesure_impact", 25.0),
        ("visibilite", 22.0),
        ("autre", 6.0),
    ];
    for (option, n) in needs {
        expect(format!("indicateurs besoins {option} mentions"), Text("203"));
        expect(format!("indicateurs besoins {option} part_mentions"), Share(n, 203.0));
    }
    expect("indicateurs besoins echange_pairs n".to_owned(), Text("52"));
    expect("indicateurs besoins echange_pairs part_repondants".to_owned(), Share(52.0, 62.0));
    expect("chiffres_cles 6 n".to_owned(), Text("52"));
    expect("chiffres_cles 6 part".to_owned(), Share(52.0, 62.0));
    expect("chiffres_cles 6 pourcentage".to_owned(), Text("84"));

    let after = cells(&project);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "rows came or went");
    let changed: Vec<&String> = before.keys().filter(|cell| before[*cell] != after[*cell]).collect();
    assert_eq!(changed, expected.keys().collect::<Vec<_>>());
    for (cell, value) in &expected {
        match value {
            Text(text) => assert_eq!(after[cell], *text, "{cell}"),
            Share(n, base) => assert_eq!(after[cell].parse::<f64>().unwrap(), n / base, "{cell}"),
        }
    }
}
