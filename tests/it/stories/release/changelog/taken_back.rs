//! What somebody took back is not said again by the changelog.

use std::fs;

use serde_json::{Value, json};

use super::super::{PUBLIC, SHIPPED, answer, files};
use super::{
    FABRIQUES, by_cause, change_a_label, compared_independently, counts, difference, found_in_newest, lines_of, pages,
    released, shown,
};
use crate::harness::Project;
use crate::harness::sample::{answers, public_id};

#[test]
fn a_withdrawn_consent_is_a_count_and_nothing_else() {
    let project = released();
    let page = pages(1, shown).remove(0);
    let name =
        answers().into_iter().find(|(other, _)| *other == page).unwrap().1["bf_titre"].as_str().unwrap().to_owned();
    let id = public_id(&page);
    let before = found_in_newest(&project, &[&id, &name]);
    assert!(
        before.contains(&format!("structures.parquet: {id}"))
            && before.contains(&format!("structures.parquet: {name}")),
        "{before}"
    );
    answer(&project, &page, "bf_consentement", "non");
    project.run();
    let found = found_in_newest(&project, &[&id, &name]);
    assert!(found.trim_end().ends_with(", 0 found"), "{found}");
    let difference = difference(&project);
    let structures = counts(&difference, "structures");
    assert_eq!((&structures["removed"], &structures["removed_unlisted"]), (&json!(1), &json!(1)));
    assert_eq!(lines_of(&difference, "structures"), Vec::<&Value>::new());
    let html = fs::read_to_string(project.latest(SHIPPED).join("changes.html")).unwrap();
    assert!(html.contains("1 ligne retirée, non nommée."), "{html}");
    compared_independently(&project);
}

#[test]
fn withdrawn_answers_are_a_count_and_nothing_else() {
    let project = released();
    let page = pages(1, shown).remove(0);
    answer(&project, &page, "bf_consentement_reponses", "non");
    project.run();
    let difference = difference(&project);
    let structures = counts(&difference, "structures");
    assert_eq!((&structures["changed"], &structures["changed_unlisted"]), (&json!(1), &json!(1)));
    assert_eq!(structures["cells"], json!({}));
    assert_eq!(lines_of(&difference, "structures"), Vec::<&Value>::new());
    let list = files(&project, &format!("{PUBLIC}/latest")).remove("changes.html").unwrap();
    assert!(!String::from_utf8(list).unwrap().contains(&public_id(&page)));
    compared_independently(&project);
}

#[test]
fn a_list_of_names_does_not_say_who_left_it() {
    let project = Project::shipped();
    let field = |name: &str| json!({"name": name, "type": "string", "title": name, "essaim": {"visibility": "public"}});
    let contract = json!({
        "title": "Noms par région", "description": "Les structures de chaque région.",
        "primaryKey": ["region"], "fields": [field("region"), field("noms")],
    });
    project.write("schemas/noms_par_region.schema.json", contract.to_string());
    let sql = "SELECT coalesce(region, 'aucune') AS region, string_agg(nom, ' ; ' ORDER BY nom) AS noms\n\
               FROM reponses_publiques\nGROUP BY coalesce(region, 'aucune')\n";
    project.write(&format!("sql/{SHIPPED}/noms_par_region.sql"), sql);
    project.replace(
        &format!("pipelines/{SHIPPED}.toml"),
        "  \"structures\",\n",
        "  \"structures\",\n  \"noms_par_region\",\n",
    );
    project.run();
    let page = pages(1, shown).remove(0);
    let name =
        answers().into_iter().find(|(other, _)| *other == page).unwrap().1["bf_titre"].as_str().unwrap().to_owned();
    assert!(found_in_newest(&project, &[&name]).contains(&format!("noms_par_region.csv: {name}")));
    answer(&project, &page, "bf_consentement", "non");
    project.run();
    let found = found_in_newest(&project, &[&name]);
    assert!(found.trim_end().ends_with(", 0 found"), "{found}");
    let difference = difference(&project);
    let names = counts(&difference, "noms_par_region");
    assert_eq!((&names["changed"], &names["changed_unlisted"]), (&json!(1), &json!(1)));
    compared_independently(&project);
}

#[test]
fn a_consent_that_is_withdrawn_while_the_project_changes_is_a_count_too() {
    let project = released();
    let labels = change_a_label(&project);
    let page = pages(1, shown).remove(0);
    answer(&project, &page, "bf_consentement", "non");
    project.run();
    let difference = difference(&project);
    assert_eq!(by_cause(&difference)["project"], labels);
    assert_eq!(counts(&difference, "structures")["removed_unlisted"], 1);
    let found = found_in_newest(&project, &[&public_id(&page)]);
    assert!(found.trim_end().ends_with(", 0 found"), "{found}");
    // Told the other way round, who left would be told as new.
    let releases = project.releases(SHIPPED);
    let output = project.essaim(&["releases", "diff", "latest", &releases[0], "--table", "structures"]).expect(0);
    assert!(output.stdout.contains("0 added, 1 removed, 0 changed"), "{}", output.stdout);
    assert!(!output.stdout.contains(&public_id(&page)), "{}", output.stdout);
}

#[test]
fn an_entry_that_a_registry_no_longer_has_is_a_count_and_a_new_one_has_a_line() {
    let project = released();
    let text = project.read(FABRIQUES);
    let gone: Vec<&str> = text.lines().filter(|line| !line.starts_with("FAI-02,")).collect();
    project.write(
        FABRIQUES,
        format!("{}\nFAI-99,Fabrique neuve,,Nouzonville,08328,08700,,,,2026-01-01\n", gone.join("\n")),
    );
    project.run();
    let difference = difference(&project);
    let places = counts(&difference, "reseaux_implantations");
    assert_eq!((&places["removed"], &places["removed_unlisted"], &places["added"]), (&json!(1), &json!(1), &json!(1)));
    let lines = lines_of(&difference, "reseaux_implantations");
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["change"], &lines[0]["key"]), (&json!("added"), &json!("fabrique_a_initiatives|FAI-99")));
    compared_independently(&project);
}
