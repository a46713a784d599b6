//! Small cells, on the way out through every file. The answers are changed so that two options of one question have few on
//! one side: `internationale` 3 of 62, `locale` 59 of 62.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::{SHIPPED, answers_file};
use crate::harness::sample::answers;
use crate::harness::{Project, python};

/// Keys of a cell of the answers.
fn ticks(entry: &Value, field: &str) -> Vec<String> {
    entry[field].as_str().unwrap_or("").split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// Adds or removes a key so that exactly `wanted` answers have it; no answer is left empty.
fn tick(entries: &mut Value, field: &str, key: &str, wanted: usize) {
    let pages: Vec<String> = answers().into_iter().map(|(page, _)| page).collect();
    let mut having = pages.iter().filter(|page| ticks(&entries[page.as_str()], field).iter().any(|k| k == key)).count();
    for page in &pages {
        let mut keys = ticks(&entries[page.as_str()], field);
        let has = keys.iter().any(|k| k == key);
        if having < wanted && !has && !keys.is_empty() {
            keys.push(key.to_owned());
            having += 1;
        } else if having > wanted && has && keys.len() > 1 {
            keys.retain(|k| k != key);
            having -= 1;
        } else {
            continue;
        }
        entries[page.as_str()][field] = json!(keys.join(","));
    }
    assert_eq!(having, wanted, "{field} {key}");
}

/// A release where `internationale` (key 5) has 3 and `locale` (key 1) all but 3.
fn with_small_cells() -> Project {
    let project = Project::shipped();
    project.edit_json(&answers_file(), |entries| {
        tick(entries, "bf_echelle", "5", 3);
        tick(entries, "bf_echelle", "1", 59);
    });
    project.run();
    project
}

const SECRET: [&str; 2] = ["internationale", "locale"];
const NUMBERS: [&str; 6] = ["n", "mentions", "part_repondants", "part_mentions", "intervalle_bas", "intervalle_haut"];

#[test]
fn small_cells_are_empty_and_marked_in_every_file() {
    let project = with_small_cells();
    for table in ["indicateurs", "figure_1_echelle_action"] {
        let mut secret = BTreeSet::new();
        for row in
            project.csv(SHIPPED, table).iter().filter(|row| row.get("question").is_none_or(|q| q == "echelle_action"))
        {
            let hidden = row["secret"] == "true";
            for column in NUMBERS.iter().filter(|column| row.contains_key(**column)) {
                // No interval without a population; and what the options add up to goes for the whole question.
                let empty = hidden || !matches!(*column, "n" | "part_repondants");
                assert_eq!(row[*column].is_empty(), empty, "{table} {}: {column}", row["modalite"]);
            }
            assert_eq!(row["base"], "62");
            if hidden {
                secret.insert(row["modalite"].clone());
            }
        }
        assert_eq!(secret, SECRET.map(str::to_owned).into(), "{table}");
        // The copy for spreadsheets.
        let text = fs::read_to_string(project.latest(SHIPPED).join(format!("{table}.excel-fr.csv"))).unwrap();
        for line in text.lines().filter(|line| SECRET.iter().any(|code| line.contains(&format!(";{code};")))) {
            let cells: BTreeSet<&str> = line.split(';').collect();
            assert!(cells.contains("vrai") && !cells.contains("3") && !cells.contains("59"), "{line}");
        }
        // Parquet.
        let filter = if table == "indicateurs" { " AND question = 'echelle_action'" } else { "" };
        let sql = format!(
            "SELECT modalite FROM {table} WHERE secret AND n IS NULL AND part_repondants IS NULL{filter} ORDER BY modalite"
        );
        let answer = project.essaim(&["query", &sql, "--format", "csv"]).expect(0);
        assert_eq!(answer.stdout, "modalite\ninternationale\nlocale\n");
    }
    let others = project.csv(SHIPPED, "indicateurs").into_iter().filter(|row| row["question"] != "echelle_action");
    assert!(others.into_iter().all(|row| row["secret"] == "false"));
}

#[test]
fn a_release_with_small_cells_equals_the_second_computation_too() {
    let project = with_small_cells();
    let sample = |part: &str| project.path(&format!("seeds/exemple/questionnaire.synthetique.{part}.json"));
    let arguments = [project.latest(SHIPPED), sample("form"), sample("lists"), sample("entries")];
    let printed = python("compare_figures.py", &arguments.each_ref().map(AsRef::as_ref));
    assert!(printed.trim_end().ends_with(" cells compared, 0 differ"), "{printed}");
    let printed = python("readers.py", &[&project.latest(SHIPPED)]);
    assert!(printed.trim_end().ends_with(" checks passed, 0 failed"), "{printed}");
}

/// Texts of a drawing, without no-break spaces.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let elements = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    let text = |node: roxmltree::Node<'_, '_>| {
        let text: String = node.descendants().filter(roxmltree::Node::is_text).filter_map(|node| node.text()).collect();
        text.replace(['\u{a0}', '\u{202f}'], " ").trim().to_owned()
    };
    elements.map(text).collect()
}

#[test]
fn a_figure_says_less_than_five_and_draws_nothing_that_tells_more() {
    let project = with_small_cells();
    let figure =
        |project: &Project| fs::read_to_string(project.latest(SHIPPED).join("figure_1_echelle_action.svg")).unwrap();
    let svg = figure(&project);
    let texts = texts(&svg);
    assert_eq!(texts.iter().filter(|text| *text == "< 5").count(), 2, "{texts:?}");
    for hidden in ["3", "59"] {
        assert!(!texts.iter().any(|text| text == hidden), "{hidden} is drawn");
    }
    // Titles and descriptions are read out: they say no number either.
    let document = roxmltree::Document::parse(&svg).unwrap();
    for node in document.descendants().filter(|node| matches!(node.tag_name().name(), "title" | "desc")) {
        let words: Vec<&str> = node.text().unwrap_or("").split(|c: char| !c.is_alphanumeric()).collect();
        assert!(!words.contains(&"59") && !words.contains(&"3"), "{words:?}");
    }
    // Neither by the length of a bar: 3 and 2 respondents give one and the same drawing.
    let other = Project::shipped();
    other.edit_json(&answers_file(), |entries| {
        tick(entries, "bf_echelle", "5", 2);
        tick(entries, "bf_echelle", "1", 60);
    });
    other.run();
    assert!(figure(&other) == svg, "the drawing depends on a number that it hides");
}

#[test]
fn two_different_secrets_give_the_same_public_rows() {
    let project = with_small_cells();
    let other = Project::shipped();
    other.edit_json(&answers_file(), |entries| {
        // One less here and one more there: the mentions stay.
        tick(entries, "bf_echelle", "5", 2);
        tick(entries, "bf_echelle", "1", 60);
    });
    other.run();
    for table in ["indicateurs", "figure_1_echelle_action", "chiffres_cles", "constats"] {
        assert_eq!(project.csv(SHIPPED, table), other.csv(SHIPPED, table), "{table} tells the two apart");
    }
}

#[test]
fn a_lone_small_cell_cannot_be_had_by_subtraction() {
    let project = Project::shipped();
    project.edit_json(&answers_file(), |entries| tick(entries, "bf_echelle", "5", 3));
    project.run();
    let rows = project.csv(SHIPPED, "indicateurs").into_iter().filter(|row| row["question"] == "echelle_action");
    let rows: Vec<BTreeMap<String, String>> = rows.collect();
    let hidden: Vec<&str> =
        rows.iter().filter(|row| row["secret"] == "true").map(|row| row["modalite"].as_str()).collect();
    assert!(hidden.contains(&"internationale"), "{hidden:?}");
    // Neither the mentions nor a share of them beside its number tell what the options add up to, and one more is hidden.
    assert!(rows.iter().all(|row| row["mentions"].is_empty() && row["part_mentions"].is_empty()));
    assert_eq!(hidden.len(), 2, "{hidden:?}");
    // All tables hide the same, or one would complete the other.
    let figure: Vec<String> = project
        .csv(SHIPPED, "figure_1_echelle_action")
        .into_iter()
        .filter(|row| row["secret"] == "true")
        .map(|row| row["modalite"].clone())
        .collect();
    assert_eq!(figure.iter().map(String::as_str).collect::<BTreeSet<_>>(), hidden.into_iter().collect());
}

#[test]
fn a_finding_does_not_give_away_what_its_question_withholds() {
    // Four of the five dimensions are findings, and those are exempt: their numbers are known whatever the question hides.
    let project = Project::shipped();
    project.edit_json(&answers_file(), |entries| tick(entries, "bf_dimensions", "4", 3));
    project.run();
    let findings: BTreeMap<String, u64> = project
        .csv(SHIPPED, "constats")
        .into_iter()
        .filter(|row| row["constat"] == "quatre_dimensions")
        .map(|row| (row["element"].clone(), row["n"].parse().unwrap()))
        .collect();
    let rows = project.csv(SHIPPED, "indicateurs").into_iter().filter(|row| row["question"] == "dimensions");
    let rows: Vec<BTreeMap<String, String>> = rows.collect();
    let number = |row: &BTreeMap<String, String>| {
        row["n"].parse::<u64>().ok().or_else(|| findings.get(&row["modalite"]).copied())
    };
    let unknown: Vec<&str> =
        rows.iter().filter(|row| number(row).is_none()).map(|row| row["modalite"].as_str()).collect();
    assert!(unknown.contains(&"autre"), "{unknown:?}");
    let total_is_known = rows.iter().any(|row| !row["mentions"].is_empty() || !row["part_mentions"].is_empty());
    assert!(
        unknown.len() > 1 || !total_is_known,
        "mentions minus what is known elsewhere is the number of `{}`",
        unknown[0]
    );
}

#[test]
fn key_figures_stay_where_few_are_left_and_the_release_says_so() {
    let project = Project::shipped();
    project.edit_json(&answers_file(), |entries| tick(entries, "bf_financements", "sub_pub", 59));
    project.run();
    let figure = project
        .csv(SHIPPED, "chiffres_cles")
        .into_iter()
        .find(|row| row["indicateur"] == "subventions_publiques")
        .unwrap();
    assert_eq!(
        (figure["n"].as_str(), figure["pourcentage"].as_str(), figure["secret"].as_str()),
        ("59", "95", "false")
    );
    for table in ["financement", "indicateurs"] {
        let column = if table == "financement" { "financement" } else { "modalite" };
        let row = project.csv(SHIPPED, table).into_iter().find(|row| row[column] == "subventions_publiques").unwrap();
        assert_eq!((row["n"].as_str(), row["secret"].as_str()), ("", "true"), "{table}");
    }
    let gate: Value = serde_json::from_slice(&fs::read(project.latest(SHIPPED).join("gate.json")).unwrap()).unwrap();
    assert_eq!(gate["smallest_cell"], 5);
    assert_eq!(gate["exempt_from_complement_rule"], json!(["chiffres_cles", "constats"]));
    let rule = |table: &str| {
        let protected = gate["protected"].as_array().unwrap();
        protected
            .iter()
            .find(|entry| entry["table"] == table)
            .unwrap_or_else(|| panic!("{table} is not protected"))
            .clone()
    };
    assert_eq!(rule("chiffres_cles")["complement_rule"], false);
    assert_eq!(rule("chiffres_cles")["secret_rows"], 0);
    assert_eq!(rule("financement")["complement_rule"], true);
    assert!(rule("financement")["secret_rows"].as_u64().unwrap() >= 1);
}

#[test]
fn a_key_figure_of_few_respondents_is_secret_all_the_same() {
    let project = Project::shipped();
    project.edit_json(&answers_file(), |entries| {
        let pages: Vec<String> = answers().into_iter().map(|(page, _)| page).collect();
        for page in pages
            .iter()
            .filter(|page| answers().iter().any(|(p, a)| p == *page && a["bf_statut"] == "association"))
            .skip(4)
        {
            entries[page.as_str()]["bf_statut"] = json!("autre");
        }
    });
    project.run();
    let figure =
        project.csv(SHIPPED, "chiffres_cles").into_iter().find(|row| row["indicateur"] == "associations").unwrap();
    for column in ["n", "part", "pourcentage"] {
        assert_eq!(figure[column], "", "{column}");
    }
    assert_eq!(figure["secret"], "true");
}
