//! What a source may do to a dataset that people rely on: answer with nothing, with half, with something else.

mod died;
mod read_back;

use serde_json::{Value, json};

use crate::harness::{Output, Project, Reply, Upstream};

/// A project with one registry in JSON, read with `settings`.
fn registry(source: &str, more: &str) -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [network]\nprivate_addresses = true\npause = 0\n[publisher]\nname = \"Essai\"\n",
    );
    project.write(
        "pipelines/lieux.toml",
        format!(
            "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n{more}\n\
             [source.lieux]\nlicence = \"etalab-2.0\"\n{source}\n\
             [table.lieux]\nsource = \"lieux\"\njson = {{}}\n\
             [table.lieux.columns]\nnom = \"nom\"\n\
             [publish]\ntables = [\"lieux\"]\n"
        ),
    );
    project.write("schemas/lieux.schema.json", serde_json::to_string(&contract()).unwrap());
    project.write("seeds/codes/etats.csv", "code,label,label_en\nouvert,Ouvert,Open\nfermé,Fermé,Closed\n");
    project
}

fn contract() -> Value {
    let public = json!({"visibility": "public"});
    json!({"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": ["id"], "fields": [
        {"name": "id", "type": "string", "title": "Id", "description": "Id.", "constraints": {"required": true}, "essaim": public},
        {"name": "nom", "type": "string", "title": "Nom", "description": "Nom.", "essaim": public},
        {"name": "etat", "type": "string", "title": "État", "description": "État.",
         "essaim": {"visibility": "public", "codes": "etats"}}
    ]})
}

/// An answer of the registry: places numbered from 1.
fn rows(count: usize) -> Vec<Value> {
    (1..=count).map(|n| json!({"id": format!("L{n:02}"), "nom": format!("Lieu {n}"), "etat": "ouvert"})).collect()
}

fn body(rows: &[Value]) -> String {
    serde_json::to_string(rows).unwrap()
}

/// The beginning of an answer.
fn torn() -> Vec<u8> {
    body(&rows(10)).into_bytes().into_iter().take(80).collect()
}

/// A project that was published once from ten places and then gets another answer; what the second run said.
fn then(second: Reply) -> (Project, Output) {
    let upstream = Upstream::start(vec![Reply::ok(body(&rows(10))), second]);
    let project = registry(&format!("http.url = \"{}\"\nhttp.attempts = 1", upstream.url("lieux.json")), "");
    project.run();
    let output = project.essaim(&["run"]);
    (project, output)
}

/// The second answer is refused with a code: the ten places stay, and everything says why.
#[track_caller]
fn is_held_back(second: Reply, code: &str) {
    let (project, output) = then(second);
    let release = project.releases("lieux");
    assert_eq!(release.len(), 1, "the same ten places make no new release");
    assert_eq!(project.csv("lieux", "lieux").len(), 10);
    assert_eq!(output.code, 1, "a person must look: {}", output.stderr);
    let said = format!("source lieux gave nothing good ({code}): snapshot 1 of");
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(output.stdout, "lieux\tunchanged\t[DATE]\n");
    let record = project.record();
    assert_eq!(record["sources"][0]["held_back"], code);
    let json = project.json("data/public/lieux/releases.json");
    let source = &json["freshness"]["sources"]["lieux"];
    assert_eq!(source["consecutive_failures"], 1);
    assert_eq!(source["failing_with"], code);
    assert!(source["last_attempt"].as_str() >= source["last_success"].as_str());
    assert_eq!(json["freshness"]["failures"][0]["code"], "source_held_back");
    assert_eq!(json["freshness"]["failures"][0]["source"], "lieux");
    project.essaim(&["releases", "verify"]).expect(0);

    // The next good answer heals it.
    project.replace("pipelines/lieux.toml", "http.attempts = 1", "");
    let text = project.read("pipelines/lieux.toml");
    let line = text.lines().find(|line| line.starts_with("http.url")).unwrap();
    project.replace("pipelines/lieux.toml", line, "file.path = \"lieux.json\"");
    project.write("lieux.json", body(&rows(11)));
    project.run();
    assert_eq!(project.csv("lieux", "lieux").len(), 11);
    let json = project.json("data/public/lieux/releases.json");
    assert_eq!(json["freshness"]["sources"]["lieux"]["consecutive_failures"], 0);
    assert_eq!(json["freshness"]["dataset"]["consecutive_failures"], 0);
}

#[test]
fn an_empty_list_does_not_wipe_the_data() {
    is_held_back(Reply::ok("[]"), "source_rows");
}

#[test]
fn an_empty_object_does_not_wipe_the_data() {
    is_held_back(Reply::ok("{}"), "source_rows");
}

#[test]
fn half_of_the_rows_do_not_replace_the_whole() {
    is_held_back(Reply::ok(body(&rows(5))), "source_rows");
}

#[test]
fn a_login_page_with_status_200_does_not_replace_the_data() {
    let page = "<!DOCTYPE html><html><body><form>Connexion</form></body></html>";
    is_held_back(Reply::ok(page).header("Content-Type", "text/html"), "source_unreadable");
}

#[test]
fn a_body_that_is_cut_off_does_not_replace_the_data() {
    is_held_back(Reply::ok(torn()).cut(400), "source_unreachable");
}

#[test]
fn a_body_that_was_cut_off_before_it_was_sent_does_not_replace_the_data() {
    is_held_back(Reply::ok(torn()), "source_unreadable");
}

#[test]
fn an_answer_of_another_schema_does_not_replace_the_data() {
    let rows: Vec<Value> = (1..=10).map(|n| json!({"id": "", "nom": format!("Lieu {n}"), "etat": "ouvert"})).collect();
    is_held_back(Reply::ok(body(&rows)), "source_rejects");
}

#[test]
fn a_key_that_silently_shows_less_does_not_empty_a_column() {
    let masked: Vec<Value> = (1..=10).map(|n| json!({"id": format!("L{n:02}"), "nom": "", "etat": "ouvert"})).collect();
    is_held_back(Reply::ok(body(&masked)), "source_empty");
}

#[test]
fn a_server_that_is_down_leaves_the_data_and_counts_the_nights() {
    let upstream = Upstream::start(vec![
        Reply::ok(body(&rows(10))),
        Reply::status("503 Service Unavailable"),
        Reply::status("503 Service Unavailable"),
    ]);
    let project = registry(&format!("http.url = \"{}\"\nhttp.attempts = 1", upstream.url("lieux.json")), "");
    project.run();
    project.essaim(&["run"]).expect(1);
    project.essaim(&["run"]).expect(1);
    let json = project.json("data/public/lieux/releases.json");
    assert_eq!(json["freshness"]["sources"]["lieux"]["consecutive_failures"], 2);
    assert_eq!(json["freshness"]["dataset"]["consecutive_failures"], 2);
    assert_eq!(json["freshness"]["failures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_source_may_be_told_to_stop_the_run_instead() {
    let source = "file.path = \"lieux.json\"\ngate = { on_failure = \"stop\" }";
    let project = registry(source, "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", "[]");
    let output = project.essaim(&["run"]).expect(1);
    assert!(
        output.stderr.contains("source `lieux` has 0 rows, 10 before; at least 8 are asked for"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stdout, "lieux\tfailed\t-\n");
    let json = project.json("data/public/lieux/releases.json");
    assert_eq!(json["freshness"]["failures"][0]["code"], "source_rows");
    assert_eq!(json["freshness"]["failures"][0]["source"], "lieux");
}

#[test]
fn a_first_answer_without_rows_publishes_nothing() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", "[]");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("source `lieux` has 0 rows; at least 1 are asked for"), "{}", output.stderr);
    assert!(!project.path("data/public/lieux").exists());
}

#[test]
fn a_loss_that_a_person_accepts_is_published_with_the_reason() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(5)));
    let refused = project.essaim(&["run"]).expect(1);
    assert!(refused.stderr.contains("source_rows:lieux"), "the bound to accept is named: {}", refused.stderr);
    let accept = ["run", "--accept", "source_rows:lieux", "--because", "Cinq lieux ont fermé."];
    let blocked = project.essaim(&accept).expect(1);
    assert_eq!(blocked.stdout, "lieux\tblocked\t-\n", "the published table has its own bounds");
    let line = "essaim run --accept rows:lieux --accept lost_keys:lieux --because";
    assert!(blocked.stderr.contains(line), "{}", blocked.stderr);
    assert_eq!(project.releases("lieux").len(), 1);
    assert_eq!(project.json("data/public/lieux/releases.json")["freshness"]["failures"][0]["code"], "gate_closed");
    let bounds = ["source_rows:lieux", "rows:lieux", "lost_keys:lieux"];
    let mut arguments = vec!["run"];
    arguments.extend(bounds.iter().flat_map(|bound| ["--accept", bound]));
    arguments.extend(["--because", "Cinq lieux ont fermé."]);
    let misspelt = ["run", "--accept", "row:lieux", "--accept", "source_rows:lieux", "--because", "x"];
    let misspelt = project.essaim(&misspelt).expect(1);
    let said = "nothing to accept: there is no bound row:lieux; did you mean rows:lieux?";
    assert!(misspelt.stderr.contains(said), "{}", misspelt.stderr);
    let dry = [arguments.as_slice(), &["--dry-run"]].concat();
    assert_eq!(project.essaim(&dry).expect(0).stdout, "lieux\tdry-run\t-\n");
    project.essaim(&arguments).expect(0);
    assert_eq!(project.csv("lieux", "lieux").len(), 5);
    let gate = project.json("data/public/lieux/latest/gate.json");
    for id in bounds {
        let bound = gate["bounds"].as_array().unwrap().iter().find(|bound| bound["id"] == id).unwrap();
        assert_eq!(bound["verdict"], "accepted");
        assert_eq!(bound["because"], "Cinq lieux ont fermé.");
    }
    assert_eq!(project.run().stdout, "lieux\tunchanged\t[DATE].2\n", "what was accepted is the measure from now on");
}

#[test]
fn a_dry_run_says_that_the_gate_would_stop_it() {
    let project = registry("file.path = \"lieux.json\"\ngate = { shrink = 1, minimum = 1, empty = 1 }", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(5)));
    let output = project.essaim(&["run", "--dry-run"]).expect(1);
    assert!(output.stderr.contains("broken rows:lieux: table `lieux` has 5 rows, 10 before"), "{}", output.stderr);
}

#[test]
fn declared_bounds_replace_the_usual_ones() {
    let project = registry("file.path = \"lieux.json\"\ngate = { shrink = 0.9 }", "");
    let gate =
        "\n[[publish.gate]]\ntable = \"lieux\"\nminimum = 3\nshrink = 0.9\nlost_keys = 0.9\nempty = { nom = 1 }\n";
    let pipeline = project.read("pipelines/lieux.toml") + gate;
    project.write("pipelines/lieux.toml", pipeline);
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(3)));
    project.run();
    assert_eq!(project.csv("lieux", "lieux").len(), 3);
    project.write("lieux.json", body(&rows(2)));
    let output = project.essaim(&["run"]).expect(1);
    assert!(
        output.stderr.contains("broken rows:lieux: table `lieux` has 2 rows, 3 before; at least 3"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_option_that_nobody_knows_makes_no_row_fewer() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    let mut with_new = rows(10);
    with_new[3]["etat"] = json!("en travaux");
    project.write("lieux.json", body(&with_new));
    let output = project.run();
    assert_eq!(output.stdout, "lieux\tpublished\t[DATE].2\n");
    let lieux = project.csv("lieux", "lieux");
    assert_eq!((lieux.len(), lieux[3]["etat"].as_str()), (10, ""));
    assert_eq!(project.ledger("unfit", "lieux")[0]["valeur"], "en travaux");
}

#[test]
fn keys_that_all_change_are_told_though_the_number_of_rows_stays() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    let text = body(&rows(10)).replace("\"L", "\"X");
    project.write("lieux.json", text);
    let output = project.essaim(&["run"]).expect(1);
    let said = "broken lost_keys:lieux: 10 of 10 keys of table `lieux` are gone; at most 2 may go";
    assert!(output.stderr.contains(said), "{}", output.stderr);
}

#[test]
fn a_contract_that_breaks_what_others_built_on_it_asks_for_a_major_version() {
    let project = registry("file.path = \"lieux.json\"", "version = \"1.4.0\"");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.edit_json("schemas/lieux.schema.json", |contract| {
        contract["fields"].as_array_mut().unwrap().remove(1);
    });
    project.replace("pipelines/lieux.toml", "[table.lieux.columns]\nnom = \"nom\"\n", "");
    let output = project.essaim(&["run"]).expect(1);
    let said = "broken contract:lieux: column gone: `lieux.nom`; write version = \"2.0.0\" in pipelines/lieux.toml";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(project.releases("lieux").len(), 1);
    project.replace("pipelines/lieux.toml", "1.4.0", "2.0.0");
    project.run();
    let manifest = project.json("data/public/lieux/latest/manifest.json");
    assert_eq!(manifest["contract_changes"][0]["change"], "column_gone");
    assert_eq!(manifest["contract_changes"][0]["level"], "major");
    let readme = project.read("data/public/lieux/latest/README.md");
    assert!(readme.contains("- Table `lieux`, colonne `nom` : colonne supprimée. **Incompatible.**"), "{readme}");
    let releases = project.json("data/public/lieux/releases.json");
    assert_eq!(releases["releases"][0]["version"], "1.4.0");
    assert_eq!(releases["releases"][1]["version"], "2.0.0");
}

#[test]
fn an_option_more_asks_for_a_minor_version() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    let codes = project.read("seeds/codes/etats.csv") + "travaux,En travaux,Under repair\n";
    project.write("seeds/codes/etats.csv", codes);
    let output = project.essaim(&["run"]).expect(1);
    let said = "option added: `lieux.etat` (travaux); write version = \"1.1.0\"";
    assert!(output.stderr.contains(said), "{}", output.stderr);
}

#[test]
fn a_run_that_nothing_stands_in_the_way_of_says_so_in_gate_json() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(9)));
    project.run();
    let gate = project.json("data/public/lieux/latest/gate.json");
    let bounds = gate["bounds"].as_array().unwrap();
    assert!(bounds.iter().all(|bound| bound["verdict"] == "held"), "{bounds:?}");
    let rows = bounds.iter().find(|bound| bound["id"] == "rows:lieux").unwrap();
    assert_eq!((&rows["before"], &rows["now"], &rows["limit"]), (&json!(10.0), &json!(9.0), &json!(8.0)));
    assert_eq!(gate["previous"], json!(project.releases("lieux")[0]));
}

#[test]
fn what_was_good_for_a_withdrawn_release_is_no_measure() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(8)));
    project.run();
    let cut = project.releases("lieux").pop().unwrap();
    let name = format!("lieux@{cut}");
    project.essaim(&["releases", "withdraw", &name, "--because", "Deux lieux manquaient."]).expect(0);
    project.write("lieux.json", "<html>login</html>");
    project.essaim(&["run"]).expect(1);
    assert_eq!(project.csv("lieux", "lieux").len(), 10, "the last good snapshot is that of the release that stands");
    project.write("lieux.json", body(&rows(7)));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("source `lieux` has 7 rows, 10 before"), "{}", output.stderr);
}

#[test]
fn a_damaged_measure_is_told_and_is_not_taken_for_a_first_run() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("data/private/good/lieux/lieux.json", "[{");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("cannot read `good/lieux/lieux.json` in the private store"), "{}", output.stderr);
}

#[test]
fn a_table_whose_keys_cannot_be_read_any_more_is_told_and_stops_the_run() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    let release = project.releases("lieux").pop().unwrap();
    let parquet = format!("data/public/lieux/releases/{release}/lieux.parquet");
    std::fs::write(project.path(&parquet), "PAR1").unwrap();
    project.write("lieux.json", body(&rows(9)));
    let output = project.essaim(&["run"]).expect(1);
    let said = "broken lost_keys:lieux: lieux.parquet of release [DATE] is missing or damaged";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(project.releases("lieux").len(), 1);
    project.essaim(&["run", "--accept", "lost_keys:lieux", "--because", "Le fichier est perdu."]).expect(0);
    assert_eq!(project.csv("lieux", "lieux").len(), 9);
    let changes = project.json("data/public/lieux/latest/changes.json");
    assert_eq!(changes["tables"][0]["reason"], "unreadable");
}

#[test]
fn a_column_that_may_be_empty_from_now_on_asks_for_a_major_version() {
    let project = registry("file.path = \"lieux.json\"", "");
    let required = |required: bool| {
        project.edit_json("schemas/lieux.schema.json", |contract| {
            contract["fields"][1]["constraints"] = json!({ "required": required });
        });
    };
    required(true);
    project.write("lieux.json", body(&rows(10)));
    project.run();
    required(false);
    let output = project.essaim(&["run"]).expect(1);
    let said = "required dropped: `lieux.nom`; write version = \"2.0.0\"";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    project.replace("pipelines/lieux.toml", "title = \"Lieux\"", "title = \"Lieux\"\nversion = \"2.0.0\"");
    project.run();
    let readme = project.read("data/public/lieux/latest/README.md");
    assert!(readme.contains("colonne `nom` : peut désormais être vide. **Incompatible.**"), "{readme}");
}

#[test]
fn the_gate_publishes_no_count_of_answers_that_are_not_public() {
    let project = Project::shipped();
    project.run();
    let registry = "seeds/exemple/fabriques-a-initiatives.synthetique.csv";
    project.write(registry, project.read(registry).replace("synthétique 01,", "synthétique 01 bis,"));
    project.run();
    let gate = project.json("data/public/cooperations-territoriales/latest/gate.json");
    let ids: Vec<&str> = gate["bounds"].as_array().unwrap().iter().map(|bound| bound["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"source_empty:fabriques.nom"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.starts_with("source_empty:reponses") || id.contains("__")), "{ids:?}");
}

#[test]
fn a_reason_that_is_published_holds_no_personal_value() {
    let project = Project::shipped();
    project.run();
    let name = format!("cooperations-territoriales@{}", project.releases("cooperations-territoriales")[0]);
    let withdraw = ["releases", "withdraw", &name, "--because", "Voir avec paul.durand@exemple.fr."];
    let output = project.essaim(&withdraw).expect(2);
    assert!(output.stderr.contains("holds a personal value (courriel)"), "{}", output.stderr);
    let output = project.essaim(&["run", "--accept", "rows:structures", "--because", " "]).expect(2);
    assert!(output.stderr.contains("say why: it is published"), "{}", output.stderr);
}

#[test]
fn a_log_that_lost_its_end_is_told_and_nothing_is_written_on_it() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(11)));
    project.run();
    std::fs::remove_file(project.path(&format!("data/public/lieux/log/{:020}.json", 2))).unwrap();
    let before = project.public();
    for command in [vec!["run"], vec!["releases", "verify"], vec!["releases", "gc", "--older-than", "0"]] {
        let output = project.essaim(&command).expect(1);
        let said = "the log of `lieux` ends at entry 1, and releases.json tells of entry 2: entries are lost";
        assert!(output.stderr.contains(said), "{command:?}: {}", output.stderr);
    }
    assert!(project.public() == before);
}

#[test]
fn a_source_that_gave_nothing_good_for_too_long_stops_the_run() {
    let upstream = Upstream::start(vec![Reply::ok(body(&rows(10))), Reply::ok(body(&rows(3)))]);
    let gate = "gate = { max_age = \"0 s\" }";
    let project = registry(&format!("{gate}\nhttp.url = \"{}\"\nhttp.attempts = 1", upstream.url("lieux.json")), "");
    project.run();
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(output.stdout, "lieux\tfailed\t-\n");
    let said =
        "source `lieux` gave nothing good, and the last time that it did, [TIME], is longer ago than `max_age` allows";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(project.record()["code"], "source_too_old");
    assert_eq!(project.csv("lieux", "lieux").len(), 10, "what was published stays");
}
