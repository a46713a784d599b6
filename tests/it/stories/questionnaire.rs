//! What the answers say: bases, shares, mentions, intervals, non-responses, from the raw answers by a second method.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Project, python, repository, walk};

const SHIPPED: &str = "cooperations-territoriales";
const PIPELINE: &str = "pipelines/cooperations-territoriales.toml";

type Row = BTreeMap<String, String>;

/// The second computation of the shipped answers.
fn second_computation() -> Value {
    let sample = |part: &str| repository().join(format!("seeds/exemple/questionnaire.synthetique.{part}.json"));
    let printed = python("independent_figures.py", &[&sample("form"), &sample("lists"), &sample("entries")]);
    serde_json::from_str(&printed).unwrap()
}

/// Indicators of a release by question.
fn indicators(project: &Project) -> BTreeMap<String, Vec<Row>> {
    let mut questions: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in project.csv(SHIPPED, "indicateurs") {
        questions.entry(row["question"].clone()).or_default().push(row);
    }
    questions
}

fn whole(row: &Row, column: &str) -> u64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} of {row:?} is no whole number"))
}

fn share(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} of {row:?} is no number"))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a small survey")]
fn quotient(n: u64, base: u64) -> f64 {
    n as f64 / base as f64
}

#[test]
fn every_indicator_is_that_of_the_second_computation() {
    let project = Project::shipped();
    project.run();
    let (expected, found) = (second_computation(), indicators(&project));
    assert_eq!(found.len(), 12);
    for (question, rows) in &found {
        let truth = &expected[question];
        let number = |key: &str| truth[key].as_u64().unwrap();
        let base = if question == "filiere_essentielle" { number("answered") } else { number("repondants") };
        assert_eq!(rows.len(), truth["options"].as_object().unwrap().len(), "{question}");
        for row in rows {
            let place = format!("{question} {}", row["modalite"]);
            let n = truth["options"][&row["modalite"]].as_u64().unwrap_or_else(|| panic!("{place} is no option"));
            assert_eq!(
                (whole(row, "n"), whole(row, "base"), whole(row, "mentions")),
                (n, base, number("mentions")),
                "{place}"
            );
            assert_eq!(whole(row, "non_reponses"), number("non_reponse"), "{place}");
            assert_eq!(share(row, "part_repondants"), quotient(n, base), "{place}");
            assert_eq!(share(row, "part_mentions"), quotient(n, number("mentions")), "{place}");
            assert_eq!(row["secret"], "false", "{place}");
        }
    }
}

#[test]
fn sums_mentions_bases_and_non_responses_go_together() {
    let project = Project::shipped();
    project.run();
    let single = ["statut_juridique", "filiere_essentielle"];
    for (question, rows) in indicators(&project) {
        let mut ranks: Vec<u64> = rows.iter().map(|row| whole(row, "rang")).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (1..=rows.len() as u64).collect::<Vec<_>>(), "{question}");
        let ticks: u64 = rows.iter().map(|row| whole(row, "n")).sum();
        for row in &rows {
            assert_eq!(whole(row, "mentions"), ticks, "{question}");
            assert!(whole(row, "n") <= whole(row, "base"), "{question}");
            assert_eq!(row["base"], rows[0]["base"], "{question}");
        }
        let answered = 62 - whole(&rows[0], "non_reponses");
        if single.contains(&question.as_str()) {
            assert_eq!(ticks, answered, "{question} has one answer a respondent");
        } else {
            assert!(ticks > answered, "{question} has several answers a respondent");
        }
        let all: f64 = rows.iter().map(|row| share(row, "part_mentions")).sum();
        assert!((all - 1.0).abs() < 1e-12, "{question}: the shares of mentions add up to {all}");
    }
}

#[test]
fn without_a_population_there_is_no_interval() {
    let project = Project::shipped();
    project.run();
    for row in project.csv(SHIPPED, "indicateurs") {
        assert_eq!((row["intervalle_bas"].as_str(), row["intervalle_haut"].as_str()), ("", ""), "{row:?}");
    }
}

/// The shipped project with a declared number of structures that were asked.
fn with_population(population: u64) -> Project {
    let project = Project::shipped();
    project.replace(
        PIPELINE,
        "table = \"reponses\"\nquestion",
        &format!("table = \"reponses\"\npopulation = {population}\nquestion"),
    );
    project
}

#[test]
fn a_declared_population_gives_wilson_intervals() {
    let project = with_population(100);
    project.run();
    // The ends of the interval are the two shares p for which (n / base - p)² = z² p (1 - p) / size, with the effective
    // size base (N - 1) / (N - base): solved with 40 decimal digits in Python's `decimal`, z = 1.959963984540054.
    let solved = [
        ("statut_juridique", "association", 0.568_786_997_658_267, 0.714_791_450_153_910),
        ("statut_juridique", "fondation", 0.0, 0.023_229_790_869_169),
        ("financements", "subventions_publiques", 0.810_534_281_643_195, 0.914_166_196_099_034),
        ("filiere_essentielle", "5", 0.274_523_712_873_679, 0.435_712_676_296_230),
        ("filiere_essentielle", "1", 0.050_318_547_499_172, 0.148_570_293_147_047),
    ];
    let found = indicators(&project);
    for (question, option, low, high) in solved {
        let row = found[question].iter().find(|row| row["modalite"] == option).unwrap();
        let (a, b) = (share(row, "intervalle_bas"), share(row, "intervalle_haut"));
        assert!((a - low).abs() < 1e-12 && (b - high).abs() < 1e-12, "{question} {option}: {a} {b}");
    }
    let z2 = 1.959_963_984_540_054_f64.powi(2);
    for row in found.values().flatten() {
        let (n, base) = (whole(row, "n"), whole(row, "base"));
        let size = quotient(base * 99, 100 - base);
        let p = quotient(n, base);
        for end in [share(row, "intervalle_bas"), share(row, "intervalle_haut")] {
            let rest = (p - end).powi(2) - z2 * end * (1.0 - end) / size;
            assert!(rest.abs() < 1e-12, "{} {}: {end} is no root", row["question"], row["modalite"]);
        }
        assert!(share(row, "intervalle_bas") <= p && p <= share(row, "intervalle_haut"));
    }
}

#[test]
fn a_census_has_no_uncertainty() {
    let project = with_population(62);
    project.run();
    for row in indicators(&project).into_values().flatten().filter(|row| row["question"] != "filiere_essentielle") {
        assert_eq!(row["intervalle_bas"], row["part_repondants"], "{row:?}");
        assert_eq!(row["intervalle_haut"], row["part_repondants"], "{row:?}");
    }
}

#[test]
fn groupings_are_computed_and_in_no_file_of_the_release() {
    let project = Project::shipped();
    // A model without contract stays inside; it divides by zero unless the groups are there.
    project.write(
        "sql/cooperations-territoriales/controle_interne.sql",
        "SELECT 1 / CAST(count(*) FILTER (WHERE groupement = 'statut' AND groupe = 'cooperative') > 0 AS BIGINT) AS a, \
         1 / CAST(count(DISTINCT groupement) = 3 AS BIGINT) AS b FROM indicateurs_groupes",
    );
    project.run();
    let mut files = 0;
    walk(&project.path("data/public"), &mut |path| {
        files += 1;
        let name = path.strip_prefix(project.path("data/public")).unwrap().display().to_string();
        assert!(!name.contains("groupe") && !name.contains("controle_interne"), "{name}");
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for word in [
            "indicateurs_groupes",
            "\"groupement\"",
            "groupement,groupe",
            "groupement;groupe",
            "cooperative,",
            "cooperative\"",
        ] {
            assert!(!text.contains(word), "{name} holds `{word}`");
        }
    });
    assert!(files > 100);
}

#[test]
fn a_grouping_cannot_be_published() {
    let project = Project::shipped();
    project.replace(
        PIPELINE,
        "  \"maillage_departements\",\n]",
        "  \"maillage_departements\",\n  \"indicateurs_groupes\",\n]",
    );
    let output = project.essaim(&["run"]).expect(2);
    assert!(output.stderr.contains("groupings of a survey are not published"), "{}", output.stderr);
    assert!(output.stderr.contains("section 7"), "{}", output.stderr);
    assert!(!project.path("data").exists(), "something was done before the mistake was reported");
}

#[test]
fn a_model_cannot_publish_a_grouping_under_another_name() {
    let project = Project::shipped();
    project.write(
        "sql/cooperations-territoriales/par_region.sql",
        "SELECT groupe AS region, sum(n) AS n FROM indicateurs_groupes WHERE groupement = 'region' GROUP BY groupe",
    );
    project.write(
        "schemas/par_region.schema.json",
        r#"{"title": "Par région", "fields": [
            {"name": "region", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "n", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "secret", "type": "boolean", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["region"], "essaim": {"cell": {"respondents": "n", "hides": ["n"]}}}"#,
    );
    project.replace(PIPELINE, "  \"maillage_departements\",\n]", "  \"maillage_departements\",\n  \"par_region\",\n]");
    let output = project.essaim(&["run"]).expect(2);
    assert!(output.stderr.contains("section 7"), "{}", output.stderr);
    assert!(!project.path("data").exists());
}

#[test]
fn answers_cannot_be_broken_down_by_hand_either() {
    let project = Project::shipped();
    project.write(
        "sql/cooperations-territoriales/par_region.sql",
        "SELECT region, count(*) AS n FROM reponses WHERE statut_juridique = 'association' GROUP BY region",
    );
    project.write(
        "schemas/par_region.schema.json",
        r#"{"title": "Par région", "fields": [
            {"name": "region", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "n", "type": "integer", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["region"]}"#,
    );
    project.replace(PIPELINE, "  \"maillage_departements\",\n]", "  \"maillage_departements\",\n  \"par_region\",\n]");
    let output = project.essaim(&["run"]).expect(2);
    assert!(output.stderr.contains("section 7"), "{}", output.stderr);
}
