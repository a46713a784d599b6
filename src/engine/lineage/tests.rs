use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::diagnostic::SourceFile;
use crate::engine::Engine;
use crate::engine::fixture::{plan, survey};

fn shown(origin: &Origin) -> String {
    let how = match &origin.how {
        How::Raw => "",
        How::Aggregated(function) => &format!(" {function}"),
        How::Predicate => " ?",
    };
    format!("{}.{}{how}", origin.table, origin.column)
}

/// Origins of a column, `?` for predicates and the name of the aggregate.
fn origins(lineage: &TableLineage, column: &str) -> Vec<String> {
    lineage.column(column).unwrap().origins.iter().map(shown).collect()
}

#[rstest]
#[case::alias("SELECT nom AS x FROM reponses", &["reponses.nom"])]
#[case::table_alias("SELECT r.nom AS x FROM reponses AS r", &["reponses.nom"])]
#[case::expression(
    "SELECT upper(nom) || statut_juridique AS x FROM reponses",
    &["reponses.nom", "reponses.statut_juridique"]
)]
#[case::literal("SELECT 1 AS x FROM reponses", &[])]
#[case::coded_set("SELECT types AS x FROM reponses", &["reponses.types"])]
#[case::function_of_coded_set("SELECT contient(types, 'achats') AS x FROM reponses", &["reponses.types"])]
#[case::dictionary("SELECT statut_juridique AS x FROM reponses", &["reponses.statut_juridique"])]
#[case::is_null("SELECT nom IS NULL AS x FROM reponses", &["reponses.nom"])]
#[case::cte("WITH t AS (SELECT nom AS y FROM reponses) SELECT y AS x FROM t", &["reponses.nom"])]
#[case::cte_used_twice(
    "WITH t AS (SELECT nom AS y, id FROM reponses) SELECT a.y AS x FROM t a JOIN t b ON a.id = b.id",
    &["reponses.id ?", "reponses.nom"]
)]
#[case::subquery_in_from("SELECT x FROM (SELECT nom AS x FROM reponses) AS t", &["reponses.nom"])]
#[case::filter("SELECT id AS x FROM reponses WHERE adherent", &["reponses.adherent ?", "reponses.id"])]
#[case::filter_beneath(
    "SELECT x FROM (SELECT id AS x FROM reponses WHERE adherent) AS t",
    &["reponses.adherent ?", "reponses.id"]
)]
#[case::join(
    "SELECT c.nom AS x FROM reponses r LEFT JOIN communes c ON c.structure_id = r.id AND r.salaries > 3",
    &["communes.nom", "communes.structure_id ?", "reponses.id ?", "reponses.salaries ?"]
)]
#[case::same_names_in_a_join(
    "SELECT r.nom AS x FROM reponses r CROSS JOIN communes c",
    &["reponses.nom"]
)]
#[case::using(
    "SELECT nom AS x FROM reponses JOIN communes USING (nom)",
    &["communes.nom ?", "reponses.nom", "reponses.nom ?"]
)]
#[case::semi_join(
    "SELECT r.id AS x FROM reponses r LEFT SEMI JOIN communes c ON c.structure_id = r.salaries",
    &["communes.structure_id ?", "reponses.id", "reponses.salaries ?"]
)]
#[case::union(
    "SELECT nom AS x FROM reponses WHERE adherent UNION ALL SELECT code FROM communes",
    &["communes.code", "reponses.adherent ?", "reponses.nom"]
)]
#[case::union_distinct(
    "SELECT nom AS x FROM reponses UNION SELECT code FROM communes",
    &["communes.code", "communes.code ?", "reponses.nom", "reponses.nom ?"]
)]
#[case::except(
    "SELECT nom AS x FROM reponses EXCEPT SELECT code FROM communes",
    &["communes.code ?", "reponses.nom", "reponses.nom ?"]
)]
#[case::count_of_rows("SELECT count(*) AS x FROM reponses", &[])]
#[case::count("SELECT count(nom) AS x FROM reponses", &["reponses.nom count"])]
#[case::sum_and_average(
    "SELECT sum(salaries) / avg(id) AS x FROM reponses",
    &["reponses.id avg", "reponses.salaries sum"]
)]
#[case::minimum("SELECT min(salaries) AS x FROM reponses", &["reponses.salaries"])]
#[case::maximum("SELECT max(salaries) AS x FROM reponses", &["reponses.salaries"])]
#[case::median("SELECT median(salaries) AS x FROM reponses", &["reponses.salaries"])]
#[case::string_agg("SELECT string_agg(nom, ',' ORDER BY id) AS x FROM reponses", &["reponses.id ?", "reponses.nom"])]
#[case::array_agg("SELECT array_agg(nom ORDER BY nom) AS x FROM reponses", &["reponses.nom", "reponses.nom ?"])]
#[case::first_value("SELECT first_value(nom ORDER BY id) AS x FROM reponses", &["reponses.id ?", "reponses.nom"])]
#[case::aggregate_of_aggregate(
    "SELECT max(n) AS x FROM (SELECT count(salaries) AS n FROM reponses) AS t",
    &["reponses.salaries count"]
)]
#[case::sum_of_raw_subquery(
    "SELECT sum(n) AS x FROM (SELECT salaries AS n FROM reponses) AS t",
    &["reponses.salaries sum"]
)]
#[case::group_key(
    "SELECT nom AS x, count(*) AS n FROM reponses GROUP BY nom",
    &["reponses.nom", "reponses.nom ?"]
)]
#[case::beside_a_group_key(
    "SELECT count(*) AS x FROM reponses GROUP BY nom",
    &["reponses.nom ?"]
)]
#[case::filter_beneath_an_aggregate(
    "SELECT sum(salaries) AS x FROM reponses WHERE adherent",
    &["reponses.adherent ?", "reponses.salaries sum"]
)]
#[case::condition_inside_an_aggregate(
    "SELECT sum(CASE WHEN adherent THEN 1 END) AS x FROM reponses",
    &["reponses.adherent sum"]
)]
#[case::condition_inside_an_aggregate_of_a_subquery(
    "SELECT sum(n) AS x FROM (SELECT CASE WHEN adherent THEN 1 END AS n FROM reponses) AS t",
    &["reponses.adherent sum"]
)]
#[case::filter_of_an_aggregate(
    "SELECT count(*) FILTER (WHERE adherent) AS x FROM reponses",
    &["reponses.adherent count"]
)]
#[case::filter_of_a_maximum(
    "SELECT max(id) FILTER (WHERE adherent) AS x FROM reponses",
    &["reponses.adherent ?", "reponses.id"]
)]
#[case::having_on_an_aggregate(
    "SELECT count(*) AS x FROM reponses HAVING count(salaries) > 2",
    &["reponses.salaries count"]
)]
#[case::having_on_a_maximum(
    "SELECT count(*) AS x FROM reponses HAVING max(salaries) > 2",
    &["reponses.salaries ?"]
)]
#[case::grouping_sets(
    "SELECT count(*) AS x FROM reponses GROUP BY GROUPING SETS ((nom), (adherent), ())",
    &["reponses.adherent ?", "reponses.nom ?"]
)]
#[case::case(
    "SELECT CASE WHEN adherent THEN nom WHEN salaries > 3 THEN 'x' ELSE contact_courriel END AS x FROM reponses",
    &["reponses.adherent ?", "reponses.contact_courriel", "reponses.nom", "reponses.salaries ?"]
)]
#[case::case_of_a_value(
    "SELECT CASE nom WHEN 'a' THEN 1 END AS x FROM reponses",
    &["reponses.nom ?"]
)]
#[case::coalesce(
    "SELECT coalesce(nom, contact_courriel) AS x FROM reponses",
    &["reponses.contact_courriel", "reponses.nom"]
)]
#[case::scalar_subquery(
    "SELECT (SELECT max(population) FROM communes WHERE code > 'a') AS x FROM reponses",
    &["communes.code ?", "communes.population"]
)]
#[case::counting_subquery(
    "SELECT (SELECT count(population) FROM communes c WHERE c.structure_id = r.id) AS x FROM reponses r",
    &["communes.population count", "communes.structure_id ?", "reponses.id ?"]
)]
#[case::in_subquery(
    "SELECT id AS x FROM reponses WHERE nom IN (SELECT code FROM communes)",
    &["communes.code ?", "reponses.id", "reponses.nom ?"]
)]
#[case::in_subquery_as_a_value(
    "SELECT nom IN (SELECT code FROM communes) AS x FROM reponses",
    &["communes.code ?", "reponses.nom"]
)]
#[case::exists(
    "SELECT id AS x FROM reponses r WHERE EXISTS (SELECT 1 FROM communes c WHERE c.structure_id = r.salaries)",
    &["communes.structure_id ?", "reponses.id", "reponses.salaries ?"]
)]
#[case::outer_of_outer(
    "SELECT id AS x FROM reponses r WHERE EXISTS (SELECT 1 FROM communes c WHERE EXISTS \
     (SELECT 1 FROM communes d WHERE d.population = r.salaries))",
    &["communes.population ?", "reponses.id", "reponses.salaries ?"]
)]
#[case::order_alone_tells_nothing("SELECT id AS x FROM reponses ORDER BY nom", &["reponses.id"])]
#[case::order_with_limit("SELECT id AS x FROM reponses ORDER BY nom LIMIT 1", &["reponses.id", "reponses.nom ?"])]
#[case::distinct(
    "SELECT x FROM (SELECT DISTINCT id AS x, nom FROM reponses) AS t",
    &["reponses.id", "reponses.id ?", "reponses.nom ?"]
)]
#[case::distinct_on(
    "SELECT DISTINCT ON (nom) id AS x FROM reponses ORDER BY nom, salaries",
    &["reponses.id", "reponses.nom ?", "reponses.salaries ?"]
)]
#[case::window_of_the_whole("SELECT sum(salaries) OVER () AS x FROM reponses", &["reponses.salaries sum"])]
#[case::running_window(
    "SELECT sum(salaries) OVER (ORDER BY id) AS x FROM reponses",
    &["reponses.id ?", "reponses.salaries"]
)]
#[case::window_of_a_partition(
    "SELECT count(salaries) OVER (PARTITION BY nom) AS x FROM reponses",
    &["reponses.nom ?", "reponses.salaries count"]
)]
#[case::row_number("SELECT row_number() OVER (ORDER BY salaries) AS x FROM reponses", &["reponses.salaries ?"])]
#[case::lag("SELECT lag(nom) OVER (ORDER BY id) AS x FROM reponses", &["reponses.id ?", "reponses.nom"])]
#[case::qualify(
    "SELECT id AS x FROM reponses QUALIFY row_number() OVER (PARTITION BY nom ORDER BY salaries) = 1",
    &["reponses.id", "reponses.nom ?", "reponses.salaries ?"]
)]
#[case::unnest("SELECT unnest(types) AS x FROM reponses", &["reponses.types", "reponses.types ?"])]
#[case::beside_unnest("SELECT id AS x, unnest(types) AS y FROM reponses", &["reponses.id", "reponses.types ?"])]
#[case::item_of_a_list("SELECT types[1] AS x FROM reponses", &["reponses.types"])]
#[case::values("SELECT column1 AS x FROM (VALUES (1), (2)) AS t", &[])]
fn every_way_of_deriving_is_followed(#[case] sql: &str, #[case] expected: &[&str]) {
    let planned = plan(sql).unwrap();
    assert_eq!(origins(&planned.lineage, "x"), expected);
}

#[test]
fn tables_are_noted_even_when_no_column_is_used() {
    let planned = plan("SELECT count(*) AS n FROM reponses CROSS JOIN (SELECT 1 FROM communes) AS c").unwrap();
    assert_eq!(planned.lineage.tables, BTreeSet::from(["communes".to_owned(), "reponses".to_owned()]));
}

/// Plans models one after the other, each over those before it.
fn chain(engine: &Engine, models: &[(&str, &str)]) -> BTreeMap<String, TableLineage> {
    let mut known = BTreeMap::new();
    for (table, sql) in models {
        let planned = engine.plan(&SourceFile::new(format!("sql/coop/{table}.sql"), *sql)).unwrap();
        engine.register_empty(&table.parse().unwrap(), Arc::clone(&planned.schema)).unwrap();
        known.insert((*table).to_owned(), compose(&planned.lineage, &known));
    }
    known
}

#[test]
fn the_way_through_models_is_kept() {
    let known = chain(
        &survey(),
        &[
            ("contacts", "SELECT id, contact_courriel AS courriel FROM reponses"),
            ("structures", "SELECT id, lower(courriel) AS adresse FROM contacts"),
        ],
    );
    let origin = known["structures"].column("adresse").unwrap().origins.first().unwrap();
    assert_eq!(origin.path.join(" <- "), "structures.adresse <- contacts.courriel <- reponses.contact_courriel");
    assert_eq!(known["structures"].tables, BTreeSet::from(["reponses".to_owned()]));
}

#[rstest]
#[case::raw_then_sum("SELECT salaries AS a FROM reponses", "SELECT sum(a) AS x FROM m", &["reponses.salaries sum"])]
#[case::count_then_raw(
    "SELECT count(salaries) AS a FROM reponses", "SELECT a AS x FROM m",
    &["reponses.salaries count"]
)]
#[case::count_then_maximum(
    "SELECT count(nom) AS a FROM reponses", "SELECT max(a) AS x FROM m",
    &["reponses.nom count"]
)]
#[case::count_then_condition(
    "SELECT count(nom) AS a, 1 AS b FROM reponses",
    "SELECT b AS x FROM m WHERE a > 3",
    &["reponses.nom count"]
)]
#[case::raw_then_condition(
    "SELECT nom AS a, 1 AS b FROM reponses",
    "SELECT b AS x FROM m WHERE a > 'b'",
    &["reponses.nom ?"]
)]
#[case::condition_of_rows_stays(
    "SELECT salaries AS a FROM reponses WHERE adherent",
    "SELECT sum(a) AS x FROM m",
    &["reponses.adherent ?", "reponses.salaries sum"]
)]
#[case::condition_of_a_value_is_summed(
    "SELECT CASE WHEN adherent THEN 1 ELSE 0 END AS a FROM reponses",
    "SELECT sum(a) AS x FROM m",
    &["reponses.adherent sum"]
)]
#[case::rows_count_without_any_column(
    "SELECT id FROM reponses WHERE adherent",
    "SELECT count(*) AS x FROM m",
    &["reponses.adherent ?"]
)]
#[case::models_beside_tables(
    "SELECT id AS a FROM reponses",
    "SELECT c.nom AS x FROM m JOIN communes c ON c.structure_id = m.a",
    &["communes.nom", "communes.structure_id ?", "reponses.id ?"]
)]
fn composing_goes_down_to_tables(#[case] beneath: &str, #[case] above: &str, #[case] expected: &[&str]) {
    let known = chain(&survey(), &[("m", beneath), ("modele", above)]);
    assert_eq!(origins(&known["modele"], "x"), expected);
    let starts: Vec<&str> =
        known["modele"].column("x").unwrap().origins.iter().map(|origin| origin.path[0].as_str()).collect();
    assert!(starts.iter().all(|start| *start == "modele.x"), "{starts:?}");
}
