//! Answers of `YesWiki`: the recorded ones cell by cell, with values typed from reading the payloads, and written ones for
//! what they do not show.

use proptest::prelude::*;
use rstest::rstest;

use super::{Collected, part, run, table};
use crate::config::pipeline::{Place, ReaderSpec, TableSpec, YesWikiSpec};
use crate::normalise::{NormaliseError, Part, Summary};

macro_rules! recorded {
    ($file:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/yeswiki/", $file)).as_slice()
    };
}

const LISTS: [(&str, &str); 6] = [
    (
        "statut",
        "asso,Association,,\ngip,Groupement d'intérêt public (GIP),,Groupement d'intérêt public\nep,Établissement public,,\n\
        scic,SCIC / SCOP,,\nfondation,Fondation,,\ncoll,Collectivité territoriale,,\nautre,Autre (précisez),,Autre\n",
    ),
    (
        "echelle",
        "loc,\"Locale (commune, EPCI)\",,\ndep,Départementale,,\nreg,Régionale,,\nnat,Nationale,,\nint,\"Européenne, internationale\",,\n",
    ),
    (
        "reseaux",
        "rural,Réseau rural français,,\ncler,CLER – Réseau pour la transition énergétique,,\nunadel,Unadel,,\n\
        urbaine,\"France Urbaine, ANCT & « autres »\",,\nfabrique,La Fabrique des transitions,,\n",
    ),
    (
        "types",
        "interco,Coopération entre intercommunalités,,\nepci,EPCI voisins,,\npole,Pôles métropolitains / PETR,,\n\
        ville,\"Coopération ville-campagne, interterritoriale\",,\npp,Coopération public-privé,,\ncit,\"Coopération citoyenne (habitants, associations)\",,\n",
    ),
    ("dimensions", "gouv,Gouvernance,,\ncult,Culture de la coopération,,Culture\njur,Juridique,,\nfin,Financière,,\n"),
    (
        "financements",
        "cotis,Cotisations,,\netat,Subventions État,,\nregion,Subventions Région,,\nue,\"Fonds européens (FEDER, LEADER…)\",,\npresta,Prestations,,\n",
    ),
];

/// Columns of the recorded form: name here, kind, source column.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("id", r#""type": "string""#, "id_fiche"),
    ("nom", r#""type": "string""#, "bf_titre"),
    ("raison", r#""type": "string""#, "bf_raison_sociale"),
    ("statut", r#""type": "string", "codes": "statut""#, "bf_statut"),
    ("statut_autre", r#""type": "string""#, "bf_statut_autre"),
    ("echelle", r#""type": "list", "codes": "echelle""#, "bf_echelle"),
    ("principale", r#""type": "string", "codes": "echelle""#, "bf_echelle_principale"),
    ("principale_texte", r#""type": "string""#, "bf_echelle_principale"),
    ("echelle_texte", r#""type": "string""#, "bf_echelle"),
    ("reseaux", r#""type": "list", "codes": "reseaux""#, "bf_reseaux"),
    ("types", r#""type": "list", "codes": "types""#, "bf_types_coop"),
    ("dimensions", r#""type": "list", "codes": "dimensions""#, "bf_dimensions"),
    ("financements", r#""type": "list", "codes": "financements""#, "bf_financements"),
    ("besoins", r#""type": "string""#, "bf_besoins"),
    ("description", r#""type": "string""#, "bf_description"),
    ("commentaire", r#""type": "string""#, "bf_commentaire"),
    ("mail", r#""type": "string""#, "bf_mail"),
    ("mail_direct", r#""type": "string""#, "bf_mail_direct"),
    ("mail_interne", r#""type": "string""#, "bf_mail_interne"),
    ("site", r#""type": "string", "format": "uri""#, "bf_site_internet"),
    ("etp", r#""type": "number""#, "bf_nb_etp"),
    ("creation", r#""type": "date""#, "bf_date_creation"),
    ("lat", r#""type": "number""#, "bf_latitude"),
    ("lon", r#""type": "number""#, "bf_longitude"),
    ("mots", r#""type": "list""#, "bf_motscles"),
    ("cree", r#""type": "datetime""#, "date_creation_fiche"),
    ("maj", r#""type": "datetime""#, "date_maj_fiche"),
    ("etat", r#""type": "integer""#, "statut_fiche"),
    ("adresse", r#""type": "string", "format": "uri""#, "url"),
];

fn spec() -> YesWikiSpec {
    let [form, lists, entries] = ["form", "lists", "entries"].map(str::to_owned);
    YesWikiSpec { form_id: "5".into(), form, lists: Some(lists), entries, admin: false }
}

/// A table of some columns, all with a status, read from a form.
fn form_table(columns: &[(&str, &str, &str)], spec: YesWikiSpec) -> TableSpec {
    let field = |(name, kind, _): &(&str, &str, &str)| {
        let (kind, codes) = kind.split_once(", \"codes\": ").unwrap_or((kind, ""));
        let codes = if codes.is_empty() { String::new() } else { format!(", \"codes\": {codes}") };
        format!("{{\"name\": \"{name}\", {kind}, \"essaim\": {{\"status\": true{codes}}}}}")
    };
    let fields: Vec<String> = columns.iter().map(field).collect();
    let mut table = table(&fields.join(", "), ", \"primaryKey\": \"id\"", &LISTS, ReaderSpec::YesWiki(spec));
    for (mapping, (_, _, from)) in table.mappings.iter_mut().zip(columns) {
        mapping.from = vec![(*from).to_owned()];
    }
    table
}

fn recorded_parts(entries: &[u8]) -> Vec<Part> {
    vec![
        part("entries", entries),
        part("form", recorded!("doryphore-dev/form.json")),
        part("lists", recorded!("doryphore-dev/lists.json")),
    ]
}

fn anonymous() -> (Summary, Collected) {
    let mut table = form_table(COLUMNS, spec());
    let from = |name: &str| vec![name.to_owned()];
    table.place = Some(Place {
        code_postal: from("bf_code_postal"),
        commune: from("bf_ville"),
        longitude: from("bf_longitude"),
        latitude: from("bf_latitude"),
        ..Place::default()
    });
    run(&table, recorded_parts(recorded!("doryphore-dev/entries.json"))).unwrap()
}

#[rstest]
#[case("id", ["ReseauDesPasseursDArmorique", "GipMassifCoop", "ScicLEtabliDesVallees", "AgenceOutreMerCoopere", "FondationTerresLiees",
    "PaysDeLaBoucle", "PaysDeLaBoucle2", "MaisonDesCooperationsDuValDOule", "CollectifSansCarte"])]
#[case("nom", ["Réseau des passeurs d'Armorique", "GIP Massif Coop", "SCIC L'Établi 🛠️ des Vallées", "Agence Outre-mer Coopère",
    "Fondation Terres Liées", "Pays de la Boucle", "Pays de la Boucle", "Maison des coopérations du Val d'Oule", "Collectif sans carte"])]
#[case("raison", ["Association Passeurs d'Armorique", "GIP Massif Coopération", "SCIC \"L'Établi\"", "∅", "∅", "∅", "∅", "MCVO",
    "Collectif sans carte"])]
#[case("statut", ["asso", "gip", "scic", "ep", "fondation", "coll", "asso", "asso", "autre"])]
#[case("statut_autre", ["∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "Collectif informel, désormais déclaré"])]
#[case("echelle", ["loc|dep", "reg", "loc|dep|reg|nat|int", "nat", "int", "loc", "dep", "loc|reg", "loc|reg"])]
#[case("principale", ["dep", "reg", "nat", "nat", "int", "loc", "∅", "loc", "∅"])]
#[case("principale_texte", ["Départementale", "Régionale", "Nationale", "Nationale", "Européenne, internationale",
    "Locale (commune, EPCI)", "∅", "Locale (commune, EPCI)", "∅"])]
#[case("reseaux", ["rural|unadel", "urbaine", "rural|cler|unadel|urbaine|fabrique", "∅", "fabrique", "rural", "∅", "cler", "∅"])]
#[case("types", ["interco|epci", "ville|pp", "pole|cit", "pp", "ville", "interco|epci|pole", "cit", "interco|cit", "cit"])]
#[case("dimensions", ["gouv|cult", "jur", "gouv|cult|jur|fin", "fin", "fin", "gouv", "gouv|jur", "cult|fin", "cult"])]
#[case("financements", ["cotis|region", "etat|ue", "cotis|etat|region|ue|presta", "etat", "presta", "region", "cotis", "cotis|presta", "∅"])]
#[case("besoins", ["Besoin de **temps long**, d'outils partagés.\n- un annuaire\n- une [[https://example.org/carte carte]]",
    "Financement pluriannuel", "Il dit « rien », puis \"tout\" ; point-virgule, virgule, \\ antislash", "∅",
    "<i>html</i> dans un champ wiki & esperluette", "Clé de liste qui n'existe plus (financements)", "Doublon de titre",
    "Ligne 1\nLigne 2\n\nLigne 4", "Un local"])]
#[case("description", ["<p>Nous accompagnons <b>les élus</b> & les habitants.</p>alert(1)", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("mail_direct", ["bonjour@passeurs.example.org", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("mail_direct_statut", ["answered", "empty", "empty", "empty", "empty", "empty", "empty", "empty", "empty"])]
#[case("commentaire_statut", ["masked"; 9])]
#[case("mail_statut", ["masked"; 9])]
#[case("mail_interne_statut", ["masked"; 9])]
#[case("mail", ["∅"; 9])]
#[case("site", ["https://passeurs.example.org/", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("etp", ["3.5", "12.0", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("creation", ["2009-05-12", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("creation_statut", ["answered", "empty", "empty", "empty", "empty", "empty", "empty", "empty", "empty"])]
#[case("lat", ["47.996", "45.7772", "44.5596", "-20.8789", "∅", "47.2378", "∅", "44.41", "∅"])]
#[case("lat_statut", ["answered", "answered", "answered", "answered", "unknown", "answered", "not_shown", "answered", "not_shown"])]
#[case("lon", ["-4.1025", "3.087", "6.0786", "55.4481", "∅", "6.0241", "∅", "5.36", "∅"])]
#[case("mots", ["[élus, habitants]", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅"])]
#[case("cree", ["2026-11-22T20:19:12", "2026-11-22T20:19:13", "2026-11-22T20:19:13", "2026-11-22T20:19:13", "2026-11-22T20:19:14",
    "2026-11-22T20:19:14", "2026-11-22T20:19:15", "2026-11-22T20:19:16", "2026-11-22T19:19:14"])]
#[case("maj", ["2026-11-22T20:19:12", "2026-11-22T20:19:13", "2026-11-22T20:19:13", "2026-11-22T20:19:13", "2026-11-22T20:19:14",
    "2026-11-22T20:19:14", "2026-11-22T20:19:15", "2026-11-22T20:19:16", "2026-11-22T20:19:21"])]
#[case("etat", ["1"; 9])]
#[case("__place_code_postal", ["29000", "63000", "05000", "97400", "75011", "25000", "∅", "26510", "∅"])]
#[case("__place_commune", ["Quimper", "Clermont-Ferrand", "Gap", "Saint-Denis", "Paris", "Besançon", "∅", "Rémuzat", "∅"])]
#[case("__place_latitude", ["47.9960", "45.7772", "44.5596", "-20.8789", "48,8566", "47.2378", "∅", "44.41", "∅"])]
#[case("__place_longitude", ["-4.1025", "3.0870", "6.0786", "55.4481", "2,3522", "6.0241", "∅", "5.36", "∅"])]
fn the_recorded_answers_come_out_cell_by_cell(#[case] column: &str, #[case] expected: [&str; 9]) {
    assert_eq!(anonymous().1.column(column), expected);
}

#[test]
fn what_does_not_fit_in_the_recorded_answers_is_listed() {
    let (summary, out) = anonymous();
    assert_eq!(
        out.unfit(),
        [
            (5, "lat", "48,8566", "nombre_illisible"),
            (5, "lon", "2,3522", "nombre_illisible"),
            (6, "financements", "cle_supprimee", "option_inconnue"),
        ]
    );
    let rules: Vec<(&str, &str)> = out.corrections().iter().map(|(column, _, rule, _)| (*column, *rule)).collect();
    assert_eq!(rules, [("description", "entites_html"), ("besoins", "entites_html")]);
    assert_eq!((summary.read, summary.kept, summary.rejected, summary.ignored), (9, 9, 0, 0));
    assert!(summary.columns_missing.is_empty());
}

#[test]
fn labels_of_several_keys_are_joined_in_a_text_column() {
    let out = anonymous().1;
    assert_eq!(out.column("echelle_texte")[0], "Locale (commune, EPCI), Départementale");
}

#[test]
fn an_administrators_key_shows_what_was_masked() {
    let table = form_table(COLUMNS, YesWikiSpec { admin: true, ..spec() });
    let (summary, out) = run(&table, recorded_parts(recorded!("doryphore-dev/entries-admin.json"))).unwrap();
    assert_eq!(summary.kept, 10);
    assert_eq!(out.column("id")[7], "FicheReserveeAuxAdmins");
    let mails = [
        "contact@passeurs.example.org",
        "gip@massif.example.org",
        "etabli@vallees.example.org",
        "agence@om.example.org",
        "terres@example.org",
        "pays@example.org",
        "doublon@example.org",
        "prive@example.org",
        "mcvo@example.org",
        "collectif@example.org",
    ];
    assert_eq!(out.column("mail"), mails);
    assert_eq!(
        out.column("mail_interne")[..3],
        ["repondant1@passeurs.example.org", "repondant2@massif.example.org", "∅"]
    );
    assert_eq!(out.column("mail_interne_statut")[..3], ["answered", "answered", "empty"]);
    assert_eq!(out.column("commentaire")[0], "Texte brut <b>sans</b> HTML ; 10 % d'ETP");
    assert_eq!(out.column("commentaire_statut")[1..], ["empty"; 9]);
}

/// Columns of the form of version 4.4.4, whose keys are of the older kind.
const OLDER: &[(&str, &str, &str)] = &[
    ("id", r#""type": "string""#, "id_fiche"),
    ("nom", r#""type": "string""#, "bf_titre"),
    ("statut", r#""type": "string", "codes": "statut""#, "radioListeStatutbf_statut"),
    ("principale", r#""type": "string", "codes": "echelle""#, "listeListeEchelle"),
    ("echelle", r#""type": "list", "codes": "echelle""#, "checkboxListeEchellebf_echelle"),
    ("dimensions", r#""type": "list", "codes": "dimensions""#, "checkboxListeDimensions"),
    ("mail", r#""type": "string""#, "bf_mail"),
    ("mail_direct", r#""type": "string""#, "bf_mail_direct"),
    ("besoins", r#""type": "string""#, "bf_besoins"),
    ("lat", r#""type": "number""#, "bf_latitude"),
    ("lon", r#""type": "number""#, "bf_longitude"),
    ("mots", r#""type": "list""#, "bf_motscles"),
    ("cree", r#""type": "datetime""#, "date_creation_fiche"),
];

fn older_parts(entries: &[u8]) -> Vec<Part> {
    vec![
        part("form", recorded!("v4.4.4/form.json")),
        part("lists", recorded!("v4.4.4/lists.json")),
        part("entries", entries),
    ]
}

#[rstest]
#[case("id", ["AlphA", "BetA", "GammA"])]
#[case("nom", ["Alpha", "Bêta", "Gamma"])]
#[case("statut", ["asso", "gip", "autre"])]
#[case("principale", ["loc", "reg", "∅"])]
#[case("principale_statut", ["answered", "answered", "empty"])]
#[case("echelle", ["loc|dep", "reg", "∅"])]
#[case("dimensions", ["gouv", "cult|jur", "∅"])]
#[case("dimensions_statut", ["answered", "answered", "empty"])]
#[case("mail_statut", ["masked", "masked", "masked"])]
#[case("mail_direct", ["b@ex.org", "b@ex.org", "b@ex.org"])]
#[case("besoins", ["besoin", "besoin", "besoin"])]
#[case("lat", ["47.9", "45.7", "∅"])]
#[case("lat_statut", ["answered", "answered", "not_shown"])]
#[case("lon", ["-4.1", "3.0", "∅"])]
#[case("mots", ["[a, b]", "[a, b]", "[a, b]"])]
#[case("cree", ["2026-11-22T20:08:43", "2026-11-22T20:08:43", "2026-11-22T20:08:44"])]
fn answers_of_the_older_version_come_out_cell_by_cell(#[case] column: &str, #[case] expected: [&str; 3]) {
    let (summary, out) = run(&form_table(OLDER, spec()), older_parts(recorded!("v4.4.4/entries.json"))).unwrap();
    assert_eq!(out.column(column), expected);
    assert_eq!((summary.kept, summary.unfit), (3, 0));
}

#[test]
fn the_older_version_shows_an_administrator_the_mails() {
    let table = form_table(OLDER, YesWikiSpec { admin: true, ..spec() });
    let (_, out) = run(&table, older_parts(recorded!("v4.4.4/entries-admin.json"))).unwrap();
    assert_eq!(out.column("mail"), ["a@ex.org"; 3]);
}

#[test]
fn what_the_server_adds_among_the_entries_is_ignored_and_counted() {
    let (summary, out) =
        run(&form_table(COLUMNS, spec()), recorded_parts(recorded!("doryphore-dev/entries-with-server-output.json")))
            .unwrap();
    assert_eq!((summary.read, summary.kept, summary.ignored), (9, 9, 1));
    assert_eq!(out.column("nom_statut"), ["not_shown"; 9]);
}

#[rstest]
#[case::recorded(recorded!("doryphore-dev/entries-empty.json"))]
#[case::null(b"null")]
#[case::array(b" [] ")]
fn a_form_without_entries_has_no_rows(#[case] entries: &[u8]) {
    let (summary, out) = run(&form_table(COLUMNS, spec()), recorded_parts(entries)).unwrap();
    assert_eq!((summary.read, out.chunks.len()), (0, 0));
}

const SMALL_FORM: &str = r#"{"bn_id_nature": "5", "prepared": [
    {"id": "a", "type": "text", "read_acl": "*"},
    {"id": "c", "type": "checkbox", "read_acl": "", "linkedObjectName": "L", "options": []},
    {"id": "geo", "type": "map", "read_acl": "*", "latitudeField": "y", "longitudeField": "x"},
    {"id": "user", "type": "text", "read_acl": "*"}]}"#;

const SMALL: &[(&str, &str, &str)] = &[
    ("id", r#""type": "string""#, "id_fiche"),
    ("a", r#""type": "string""#, "a"),
    ("c", r#""type": "list", "codes": "dimensions""#, "c"),
    ("lat", r#""type": "number""#, "y"),
    ("lon", r#""type": "number""#, "x"),
];

/// Runs written entries through a small form.
fn small(form: &str, lists: &str, entries: &str) -> Result<(Summary, Collected), NormaliseError> {
    run(&form_table(SMALL, spec()), vec![part("form", form), part("lists", lists), part("entries", entries)])
}

#[rstest]
#[case::the_form(SMALL_FORM.to_owned())]
#[case::an_array_of_one(format!("[{SMALL_FORM}]"))]
#[case::all_forms_by_id(format!("{{\"4\": {{\"bn_id_nature\": \"4\", \"prepared\": []}}, \"5\": {SMALL_FORM}}}"))]
#[case::after_a_byte_order_mark(format!("\u{feff}{SMALL_FORM}"))]
fn a_form_is_found_however_it_is_wrapped(#[case] form: String) {
    let (summary, out) = small(&form, "{}", r#"{"E": {"id_fiche": "E", "a": "x"}}"#).unwrap();
    assert_eq!((summary.kept, out.column("a")), (1, vec!["x".to_owned()]));
}

#[rstest]
#[case::another(r#"{"bn_id_nature": "4", "prepared": []}"#, "it holds the form `4`")]
#[case::none("[]", "it holds no form at all")]
#[case::no_fields(r#"{"bn_id_nature": "5", "prepared": null}"#, "it has no list `prepared` of fields")]
fn a_definition_of_something_else_is_an_error(#[case] form: &str, #[case] found: &str) {
    let error = small(form, "{}", "{}").unwrap_err();
    let message = format!(
        "table `t`: part `form` does not define the form `5`, {found}: check `form_id` and the address of the form"
    );
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case::flat(r#"{"L": {"titre_liste": "L", "label": {"1": "Juridique", "2": "Financière"}}}"#, "1,2", "jur|fin")]
#[case::flat_by_position(r#"{"L": {"titre_liste": "L", "label": ["Gouvernance", "Juridique"]}}"#, "0,1", "gouv|jur")]
#[case::a_tree(r#"{"L": {"title": "L", "nodes": [{"id": 1, "label": "Juridique", "children": [{"id": "k", "label": "Gouvernance"}]}]}}"#, "1,k", "gouv|jur")]
#[case::no_list_but_the_codes_own_keys("{}", "jur, fin", "jur|fin")]
fn labels_come_from_the_lists_when_the_form_has_none(#[case] lists: &str, #[case] keys: &str, #[case] codes: &str) {
    let entries = format!(r#"{{"E": {{"id_fiche": "E", "c": "{keys}"}}}}"#);
    for options in ["[]", "{}", "null"] {
        let form = SMALL_FORM.replace("\"options\": []", &format!("\"options\": {options}"));
        let (summary, out) = small(&form, lists, &entries).unwrap();
        assert_eq!((out.column("c"), summary.unfit), (vec![codes.to_owned()], 0), "{options}");
    }
}

#[rstest]
#[case::texts(r#""y": "48.5", "x": "2.5""#)]
#[case::numbers(r#""y": 48.5, "x": 2.5"#)]
#[case::only_in_the_object(r#""geo": {"y": "48.5", "x": "2.5"}"#)]
#[case::empty_beside_the_object(r#""y": "", "x": null, "geo": {"y": "48.5", "x": "2.5"}"#)]
#[case::the_oldest_form(r#""carte_google": "48.5|2.5""#)]
fn coordinates_are_found_where_versions_put_them(#[case] members: &str) {
    let (_, out) = small(SMALL_FORM, "{}", &format!(r#"{{"E": {{"id_fiche": "E", {members}}}}}"#)).unwrap();
    assert_eq!((out.column("lat"), out.column("lon")), (vec!["48.5".to_owned()], vec!["2.5".to_owned()]));
}

#[test]
fn entries_of_another_form_are_rejected() {
    let entries = r#"{"E": {"id_fiche": "E", "id_typeannonce": "4"}, "F": {"id_fiche": "F", "id_typeannonce": 5}}"#;
    let (summary, out) = small(SMALL_FORM, "{}", entries).unwrap();
    assert_eq!(out.rejects(), [(1, None, "autre_formulaire")]);
    assert_eq!(out.chunks[0].rejects[0].detail, "La fiche est du formulaire 4, non du formulaire 5.");
    assert_eq!((summary.read, summary.kept, out.rows()), (2, 1, vec![2]));
}

#[rstest]
#[case("user")]
#[case("owner")]
#[case("html_data")]
fn who_answered_is_never_a_source_column(#[case] name: &str) {
    let columns = [SMALL[0], ("a", r#""type": "string""#, name)];
    let entries = format!(r#"{{"E": {{"id_fiche": "E", "{name}": "192.0.2.1"}}}}"#);
    let parts = vec![part("form", SMALL_FORM), part("lists", "{}"), part("entries", entries)];
    let (summary, out) = run(&form_table(&columns, spec()), parts).unwrap();
    assert_eq!(summary.columns_missing, [name]);
    assert_eq!((out.column("a"), out.column("a_statut")), (vec!["∅".to_owned()], vec!["not_shown".to_owned()]));
}

#[test]
fn rejects_never_hold_who_answered() {
    let entries = r#"{"E": {"id_fiche": "", "a": "x", "user": "192.0.2.1", "html_data": "data-user=192.0.2.1"}}"#;
    let (_, out) = small(SMALL_FORM, "{}", entries).unwrap();
    assert_eq!(out.rejects(), [(1, None, "cle_manquante")]);
    assert!(!format!("{:?}", out.chunks).contains("192.0.2.1"));
}

#[rstest]
#[case::a_page_in_its_place("<!DOCTYPE html>")]
#[case::cut_off(r#"{"E": {"id_fiche": "E"}, "F": {"id_fi"#)]
#[case::something_after("{} <b>Warning</b>")]
#[case::a_text("\"x\"")]
#[case::nothing("")]
fn entries_that_are_no_json_are_an_error(#[case] entries: &str) {
    let error = small(SMALL_FORM, "{}", entries).unwrap_err();
    assert!(matches!(&error, NormaliseError::Json { part, .. } if part == "entries"), "{error}");
}

#[test]
fn a_part_that_is_not_there_is_named_beside_those_that_are() {
    let error = run(&form_table(SMALL, spec()), vec![part("formulaire", SMALL_FORM)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table `t`: the snapshot has no part `form`; it has `formulaire`: name the right part in the table's reader"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_damage_to_an_answer_is_an_error_or_counted(
        cut in 0_usize..20_000,
        changes in proptest::collection::vec((0_usize..20_000, any::<u8>()), 0..4),
    ) {
        let mut entries = recorded!("doryphore-dev/entries.json").to_vec();
        let mut form = recorded!("doryphore-dev/form.json").to_vec();
        for (at, byte) in changes {
            let (len, len_of_form) = (entries.len(), form.len());
            entries[at % len] = byte;
            form[at % len_of_form] = byte;
        }
        entries.truncate(cut);
        for form in [part("form", form), part("form", recorded!("doryphore-dev/form.json"))] {
            let lists = part("lists", recorded!("doryphore-dev/lists.json"));
            if let Ok((summary, out)) = run(&form_table(COLUMNS, spec()), vec![form, lists, part("entries", entries.clone())]) {
                prop_assert_eq!(summary.read, summary.kept + summary.rejected);
                prop_assert_eq!(out.rows().len() as u64, summary.kept);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in "[\\[\\]{}\":,a-z0-9 \\\\null]{0,80}") {
        for (form, lists, entries) in [(bytes.as_str(), "{}", "{}"), (SMALL_FORM, &bytes, "{}"), (SMALL_FORM, "{}", &bytes)] {
            if let Ok((summary, _)) = small(form, lists, entries) {
                prop_assert_eq!(summary.read, summary.kept + summary.rejected);
            }
        }
    }
}
