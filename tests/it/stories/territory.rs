//! Where rows are: every one against the answer sheet, and against the official geography read a second time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::sample::{ANSWERS, REGISTRY, agrees, answer_sheet, answers, planted_ids, public_id, registry};
use crate::harness::{Project, repository, rows};

const SHIPPED: &str = "cooperations-territoriales";

type Row = BTreeMap<String, String>;

fn released() -> Project {
    let project = Project::shipped();
    project.run();
    project
}

/// Published places of one network, by id.
fn network(project: &Project, reseau: &str) -> BTreeMap<String, Row> {
    let rows = project.csv(SHIPPED, "reseaux_implantations").into_iter().filter(|row| row["reseau"] == reseau);
    rows.map(|row| (row["id"].clone(), row)).collect()
}

/// Published structures, by id.
fn structures(project: &Project) -> BTreeMap<String, Row> {
    project.csv(SHIPPED, "structures").into_iter().map(|row| (row["id"].clone(), row)).collect()
}

/// Communes of today, by code.
fn communes() -> BTreeMap<String, Row> {
    let rows = rows(&repository().join("seeds/cog/communes.csv")).into_iter().filter(|row| row["type"] == "COM");
    rows.map(|row| (row["code"].clone(), row)).collect()
}

fn degrees(cell: &str) -> f64 {
    cell.replace(',', ".").parse().unwrap_or_else(|_| panic!("`{cell}` is no number"))
}

fn ids(kinds: &[&str]) -> BTreeSet<String> {
    kinds.iter().flat_map(|kind| planted_ids(REGISTRY, kind)).collect()
}

#[test]
fn every_published_place_says_how_it_was_found() {
    let project = released();
    let methods = [
        "code_insee",
        "ancien_code",
        "code_postal_et_nom",
        "nom_et_departement",
        "code_postal_seul",
        "introuvable",
        "non_renseigne",
    ];
    let origins = ["source", "source_inversee", "centre_commune", "aucune"];
    for table in ["structures", "reseaux_implantations"] {
        let rows = project.csv(SHIPPED, table);
        assert!(!rows.is_empty());
        for row in rows {
            let id = &row["id"];
            assert!(methods.contains(&row["lieu_methode"].as_str()), "{table} {id}: {}", row["lieu_methode"]);
            assert!(origins.contains(&row["position_origine"].as_str()), "{table} {id}: {}", row["position_origine"]);
            let confidence = degrees(&row["lieu_confiance"]);
            let found = !matches!(row["lieu_methode"].as_str(), "introuvable" | "non_renseigne");
            assert_eq!(confidence > 0.0, found, "{table} {id}: confidence {confidence}");
            assert!(confidence <= 1.0);
            assert_eq!(!row["code_insee"].is_empty(), found, "{table} {id}");
            assert_eq!(row["longitude"].is_empty(), row["position_origine"] == "aucune", "{table} {id}");
            assert_eq!(row["longitude"].is_empty(), row["latitude"].is_empty(), "{table} {id}");
        }
    }
}

#[test]
fn every_place_of_the_registry_is_in_the_commune_of_the_answer_sheet() {
    let project = released();
    let published = network(&project, "tiers_lieu");
    let communes = communes();
    let sheet = answer_sheet(REGISTRY);
    let expected = sheet["communes"].as_object().unwrap();
    assert_eq!(expected.len(), 291);
    assert_eq!(published.keys().collect::<BTreeSet<_>>(), expected.keys().collect::<BTreeSet<_>>());
    for (id, code) in expected {
        let row = &published[id];
        assert_eq!(row["code_insee"], code.as_str().unwrap_or(""), "commune of {id}");
        let Some(commune) = code.as_str().map(|code| &communes[code]) else { continue };
        assert_eq!(row["commune"], commune["nom"], "name of the commune of {id}");
        assert_eq!(row["code_departement"], commune["departement"], "département of {id}");
        assert_eq!(row["code_region"], commune["region"], "région of {id}");
    }
}

#[test]
fn every_structure_is_in_the_commune_of_the_answer_sheet() {
    let project = released();
    let published = structures(&project);
    let sheet = answer_sheet(ANSWERS);
    let mut seen = 0;
    for (page, answer) in answers().iter().filter(|(_, answer)| agrees(answer, "bf_consentement")) {
        assert_eq!(
            published[&public_id(page)]["code_insee"],
            sheet["communes"][page].as_str().unwrap(),
            "{page}: {}",
            answer["bf_ville"]
        );
        seen += 1;
    }
    assert_eq!((seen, published.len()), (49, 49));
}

#[test]
fn every_fabrique_is_in_the_commune_that_its_registry_says() {
    let project = released();
    let published = network(&project, "fabrique_a_initiatives");
    let source = rows(&repository().join("seeds/exemple/fabriques-a-initiatives.synthetique.csv"));
    assert_eq!((source.len(), published.len()), (30, 30));
    for row in source {
        let found = &published[&row["id"]];
        for column in ["code_insee", "commune", "code_postal", "nom"] {
            assert_eq!(found[column], row[column], "{column} of {}", row["id"]);
        }
        assert_eq!(found["lieu_methode"], "code_insee");
    }
}

#[test]
fn each_kind_of_dirt_is_placed_by_its_method() {
    let project = released();
    let published = network(&project, "tiers_lieu");
    let cases: [(&str, &[&str]); 8] = [
        ("former_insee_code", &["ancien_code"]),
        ("lost_leading_zero", &["code_insee"]),
        ("insee_missing", &["code_postal_et_nom"]),
        ("saint_abbreviated", &["code_postal_et_nom"]),
        ("former_commune_name", &["code_postal_et_nom"]),
        // A CEDEX code is that of no commune: it only tells the département.
        ("cedex", &["nom_et_departement"]),
        ("arrondissement", &["code_insee", "code_postal_et_nom"]),
        ("unknown_commune", &["introuvable"]),
    ];
    let without_code: BTreeSet<String> =
        registry().into_iter().filter(|row| row["INSEE"].is_empty()).map(|row| row["ID"].clone()).collect();
    for (kind, methods) in cases {
        for id in planted_ids(REGISTRY, kind) {
            let method = published[&id]["lieu_methode"].as_str();
            assert!(methods.contains(&method), "{kind} {id}: {method}");
            assert_eq!(
                without_code.contains(&id),
                !matches!(method, "code_insee" | "ancien_code"),
                "{kind} {id}: {method}"
            );
        }
    }
    let special = ids(&cases.map(|(kind, _)| kind));
    for (id, row) in published.iter().filter(|(id, _)| !special.contains(*id)) {
        assert_eq!((row["lieu_methode"].as_str(), row["lieu_confiance"].as_str()), ("code_insee", "1"), "{id}");
    }
}

#[test]
fn coordinates_are_kept_turned_or_replaced_as_the_answer_sheet_says() {
    let project = released();
    let published = network(&project, "tiers_lieu");
    let communes = communes();
    let raw: BTreeMap<String, Row> = registry().into_iter().map(|row| (row["ID"].clone(), row)).collect();
    let (swapped, unknown) = (ids(&["swapped_coordinates"]), ids(&["unknown_commune"]));
    let useless = ids(&["zero_coordinates", "out_of_bounds_coordinates", "coordinates_missing"]);
    assert_eq!((swapped.len(), useless.len(), unknown.len()), (5, 21, 1));
    for (id, row) in &published {
        let given = &raw[id];
        let (origin, point) = if unknown.contains(id) {
            ("aucune", None)
        } else if useless.contains(id) {
            let centre = &communes[&row["code_insee"]];
            ("centre_commune", Some((degrees(&centre["longitude"]), degrees(&centre["latitude"]))))
        } else if swapped.contains(id) {
            ("source_inversee", Some((degrees(&given["LAT"]), degrees(&given["LON"]))))
        } else {
            ("source", Some((degrees(&given["LON"]), degrees(&given["LAT"]))))
        };
        assert_eq!(row["position_origine"], origin, "{id}");
        let found = (!row["longitude"].is_empty()).then(|| (degrees(&row["longitude"]), degrees(&row["latitude"])));
        assert_eq!(found, point, "{id}");
        // Zeros and points that are nowhere on Earth have no distance either.
        assert_eq!(row["lieu_distance_km"].is_empty(), !origin.starts_with("source"), "distance of {id}");
    }
}

#[test]
fn coordinates_of_structures_are_read_from_wherever_the_wiki_keeps_them() {
    let project = released();
    let published = structures(&project);
    let planted = |kind: &str| planted_ids(ANSWERS, kind).into_iter().collect::<BTreeSet<_>>();
    let (swapped, missing) = (planted("swapped_coordinates"), planted("coordinates_missing"));
    let old_key = planted("coordinates_carte_google");
    for (page, answer) in answers().iter().filter(|(_, answer)| agrees(answer, "bf_consentement")) {
        let row = &published[&public_id(page)];
        let given = |key: &str| answer[key].as_str().map(degrees);
        let (origin, point) = if missing.contains(page) {
            ("centre_commune", None)
        } else if old_key.contains(page) {
            let (latitude, longitude) = answer["carte_google"].as_str().unwrap().split_once('|').unwrap();
            ("source", Some((degrees(longitude), degrees(latitude))))
        } else if swapped.contains(page) {
            ("source_inversee", given("bf_latitude").zip(given("bf_longitude")))
        } else {
            ("source", given("bf_longitude").zip(given("bf_latitude")))
        };
        assert_eq!(row["position_origine"], origin, "{page}");
        if let Some(point) = point {
            assert_eq!((degrees(&row["longitude"]), degrees(&row["latitude"])), point, "{page}");
        }
    }
}

/// Distance over a sphere of the Earth's mean radius, by the angle between two vectors.
fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let vector = |(longitude, latitude): (f64, f64)| {
        let (l, b) = (longitude.to_radians(), latitude.to_radians());
        [b.cos() * l.cos(), b.cos() * l.sin(), b.sin()]
    };
    let (a, b) = (vector(from), vector(to));
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let (sine, cosine) =
        (cross.iter().map(|x| x * x).sum::<f64>().sqrt(), a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>());
    6371.0088 * sine.atan2(cosine)
}

#[test]
fn distances_to_the_centre_are_right() {
    let project = released();
    let communes = communes();
    let mut compared = 0;
    for row in network(&project, "tiers_lieu").values().filter(|row| row["lieu_methode"] == "code_insee") {
        // The arrondissements of the three cities have centres of their own.
        if row["lieu_distance_km"].is_empty() || ["75056", "69123", "13055"].contains(&row["code_insee"].as_str()) {
            continue;
        }
        let centre = &communes[&row["code_insee"]];
        let centre = (degrees(&centre["longitude"]), degrees(&centre["latitude"]));
        let expected = distance_km((degrees(&row["longitude"]), degrees(&row["latitude"])), centre);
        let found = degrees(&row["lieu_distance_km"]);
        assert!((found - expected).abs() < 0.001, "{}: {found} km, expected {expected}", row["id"]);
        compared += 1;
    }
    assert!(compared > 150, "only {compared} distances were compared");
}

#[test]
fn overseas_places_are_overseas_in_every_format() {
    let project = released();
    let published = network(&project, "tiers_lieu");
    let map: Value =
        serde_json::from_slice(&std::fs::read(project.latest(SHIPPED).join("reseaux_implantations.geojson")).unwrap())
            .unwrap();
    let points: BTreeMap<&str, &Value> = map["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| (feature["properties"]["id"].as_str().unwrap(), &feature["geometry"]))
        .collect();
    // West, south, east, north, from an atlas; département and région.
    let islands = [
        ("971", "01", [-62.0, 15.7, -60.9, 16.6]),
        ("972", "02", [-61.3, 14.3, -60.7, 15.0]),
        ("973", "03", [-54.7, 2.1, -51.6, 5.9]),
        ("974", "04", [55.1, -21.5, 55.9, -20.8]),
        ("976", "06", [44.9, -13.1, 45.4, -12.6]),
    ];
    let mut seen = BTreeSet::new();
    for id in planted_ids(REGISTRY, "overseas") {
        let row = &published[&id];
        let (departement, region, [west, south, east, north]) = islands
            .iter()
            .find(|(code, ..)| row["code_insee"].starts_with(code))
            .unwrap_or_else(|| panic!("{id} is not overseas"));
        assert_eq!((row["code_departement"].as_str(), row["code_region"].as_str()), (*departement, *region), "{id}");
        let point = points[id.as_str()]["coordinates"].as_array().unwrap();
        let (longitude, latitude) = (point[0].as_f64().unwrap(), point[1].as_f64().unwrap());
        assert!(
            (*west..=*east).contains(&longitude) && (*south..=*north).contains(&latitude),
            "{id}: {longitude} {latitude}"
        );
        assert_eq!((degrees(&row["longitude"]), degrees(&row["latitude"])), (longitude, latitude));
        seen.insert(*departement);
    }
    assert_eq!(seen.len(), 5, "the sample has places in all five overseas départements");
    assert!(points["TL-0066"].is_null(), "a place that was not found has no point");
}

#[test]
fn the_maps_count_every_place_in_its_territory() {
    let project = released();
    let communes = communes();
    let sheet = answer_sheet(REGISTRY);
    let mut places: Vec<(&str, String)> = Vec::new();
    places.extend(
        sheet["communes"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_str)
            .map(|code| ("tiers_lieux", code.to_owned())),
    );
    let fabriques = rows(&repository().join("seeds/exemple/fabriques-a-initiatives.synthetique.csv"));
    places.extend(fabriques.iter().map(|row| ("fabriques_a_initiatives", row["code_insee"].clone())));
    assert_eq!(places.len(), 320);
    for (table, level, territories) in
        [("maillage_regions", "region", 18), ("maillage_departements", "departement", 101)]
    {
        let rows = project.csv(SHIPPED, table);
        assert_eq!(rows.len(), territories);
        for row in &rows {
            let within: Vec<_> = places.iter().filter(|(_, code)| communes[code][level] == row["code"]).collect();
            let of = |network: &str| within.iter().filter(|(name, _)| *name == network).count();
            let covered = within.iter().map(|(_, code)| code).collect::<BTreeSet<_>>().len();
            let inhabitants: u64 = communes
                .values()
                .filter(|commune| commune[level] == row["code"])
                .map(|commune| commune["population"].parse::<u64>().unwrap_or(0))
                .sum();
            let place = format!("{table} {}", row["nom"]);
            assert_eq!(row["implantations"], within.len().to_string(), "{place}");
            assert_eq!(row["tiers_lieux"], of("tiers_lieux").to_string(), "{place}");
            assert_eq!(row["fabriques_a_initiatives"], of("fabriques_a_initiatives").to_string(), "{place}");
            assert_eq!(row["communes_couvertes"], covered.to_string(), "{place}");
            assert_eq!(row["population"], inhabitants.to_string(), "{place}");
            let hundredths = (within.len() as u64 * 10_000_000 * 2 + inhabitants) / (2 * inhabitants);
            assert_eq!((degrees(&row["pour_100000_habitants"]) * 100.0).round(), hundredths as f64, "{place}");
        }
        let map: Value =
            serde_json::from_slice(&std::fs::read(project.latest(SHIPPED).join(format!("{table}.geojson"))).unwrap())
                .unwrap();
        let shapes = map["features"].as_array().unwrap();
        assert_eq!(shapes.len(), territories);
        for shape in shapes {
            let kind = shape["geometry"]["type"].as_str().unwrap();
            assert!(matches!(kind, "Polygon" | "MultiPolygon"), "{table}: {kind}");
        }
    }
}
