//! The API.

use serde_json::json;

use super::{Service, published};

const ROWS: &str = "/api/v1/datasets/lieux/releases/latest/tables/lieux/rows";

#[test]
fn one_link_leads_to_the_next_from_the_catalogue_to_the_rows() {
    let project = published();
    let service = Service::start(&project);
    let release = project.releases("lieux").remove(0);
    let root = service.json("/api/v1");
    let datasets = service.json(root["links"]["datasets"].as_str().unwrap());
    let dataset = &datasets["datasets"][0];
    assert_eq!(dataset["dataset"], "lieux");
    assert_eq!(dataset["latest"], release.as_str());
    assert!(dataset["description"].as_str().unwrap().contains("Quelques lieux inventés"));
    let detail = service.json(dataset["links"]["self"].as_str().unwrap());
    assert_eq!(detail["tables"], json!(["lieux", "lieux_par_region"]));
    assert_eq!(detail["releases"][0]["status"], "current");
    assert!(detail["freshness"]["dataset"]["last_success"].is_string());
    let shown = service.json(dataset["links"]["latest"].as_str().unwrap());
    assert_eq!((&shown["release"], &shown["current"]), (&json!(release), &json!(true)));
    let file = shown["files"].as_array().unwrap().iter().find(|file| file["path"] == "lieux.csv").unwrap();
    let csv = service.get(file["url"].as_str().unwrap()).expect(200);
    assert_eq!(json!(csv.body.len()), file["bytes"]);
    assert_eq!(csv.header("etag"), Some(format!("\"{}\"", file["sha256"].as_str().unwrap()).as_str()));
    let tables = service.json(shown["links"]["tables"].as_str().unwrap());
    let table = service.json(tables["tables"][0]["links"]["self"].as_str().unwrap());
    assert_eq!((&table["rows"], &table["key"], &table["geographic"]), (&json!(5), &json!(["id"]), &json!(true)));
    let column = table["columns"].as_array().unwrap().iter().find(|column| column["name"] == "type_lieu").unwrap();
    assert_eq!(column["schema"]["title"], "Type de lieu");
    let labels = &column["schema"]["categories"];
    assert!(labels.as_array().unwrap().contains(&json!({"value": "atelier", "label": "Atelier partagé"})), "{labels}");
    let rows = service.json(table["links"]["rows"].as_str().unwrap());
    assert_eq!((&rows["total"], &rows["rows"][0]["id"]), (&json!(5), &json!("L-01")));
    service.end().expect(0);
}

#[test]
fn rows_are_filtered_sorted_and_paged() {
    let project = published();
    let service = Service::start(&project);
    let ids = |query: &str| {
        let rows = service.json(&format!("{ROWS}?columns=id&{query}"));
        let ids: Vec<String> =
            rows["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(rows["total"], ids.len(), "{query}");
        ids.join(" ")
    };
    for (query, expected) in [
        ("type_lieu=atelier", "L-02 L-03 L-05"),
        ("type_lieu__ne=atelier", "L-01 L-04"),
        ("type_lieu__in=cafe,coworking", "L-01 L-04"),
        ("surface__gte=120.5", "L-01 L-03 L-05"),
        ("surface__lt=120.5", "L-02"),
        ("surface__null=true", "L-04"),
        ("surface__null=false&type_lieu=atelier", "L-02 L-03 L-05"),
        ("ouverture__gt=2020-01-15", "L-03 L-05"),
        ("ouverture=2020-01-15", "L-02"),
        ("nom__contains=ÉTABLI", "L-03"),
        ("nom__contains=%25", ""),
        ("nom__startswith=La", "L-02 L-05"),
        ("nom=L'Établi du Port' OR '1'='1", ""),
        ("sort=-surface", "L-03 L-05 L-01 L-02 L-04"),
        ("sort=type_lieu,-id", "L-05 L-03 L-02 L-04 L-01"),
        ("bbox=-3,48,-2,48.6", "L-03"),
        ("bbox=-5,46,0,49&type_lieu=cafe", "L-04"),
        ("bbox=170,-30,-170,-20", ""),
    ] {
        assert_eq!(ids(&query.replace(' ', "%20").replace('\'', "%27")), expected, "{query}");
    }
    let mut next = Some(format!("{ROWS}?columns=id&sort=-id&limit=2"));
    let mut seen = Vec::new();
    while let Some(path) = next {
        let answer = service.get(&path).expect(200);
        let page = answer.json();
        assert_eq!(page["total"], 5);
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        next = page["links"]["next"].as_str().map(str::to_owned);
        if let Some(next) = &next {
            assert!(answer.header("link").unwrap().contains(&format!("<{next}>; rel=\"next\"")));
        }
    }
    assert_eq!(seen, ["L-05", "L-04", "L-03", "L-02", "L-01"]);
    service.end().expect(0);
}

#[test]
fn rows_come_as_json_csv_and_geojson_with_the_values_of_the_files() {
    let project = published();
    let service = Service::start(&project);
    let stored = |file: &str| std::fs::read_to_string(project.latest("lieux").join(file)).unwrap();
    let csv = service.get(&format!("{ROWS}.csv")).expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.text(), stored("lieux.csv"), "all rows are the file");
    let negotiated = service.ask("GET", ROWS, &[("Accept", "text/csv")]).expect(200);
    assert_eq!((negotiated.text(), negotiated.header("vary")), (csv.text(), Some("Accept")));
    let geojson = service.ask("GET", ROWS, &[("Accept", "application/geo+json")]).expect(200);
    assert_eq!(geojson.header("content-type"), Some("application/geo+json"));
    let file: serde_json::Value = serde_json::from_str(&stored("lieux.geojson")).unwrap();
    assert_eq!(geojson.json()["features"], file["features"], "all features are those of the file");
    let page = service.json(&format!("{ROWS}.json?limit=1&columns=nom,surface,ouverture"));
    let first = json!({"nom": "Le Hangar des Possibles", "surface": 120.5, "ouverture": "2019-09-01"});
    assert_eq!(page["rows"], json!([first]));
    let regions = "/api/v1/datasets/lieux/releases/latest/tables/lieux_par_region/rows";
    let refused = service.get(&format!("{regions}.geojson")).expect(406).json();
    assert_eq!(refused["allowed"], json!(["application/json", "text/csv; charset=utf-8"]));
    service.ask("GET", ROWS, &[("Accept", "application/xml")]).expect(406);
    let tag = csv.header("etag").unwrap();
    assert_eq!(service.ask("GET", &format!("{ROWS}.csv"), &[("If-None-Match", tag)]).status, 304);
    let head = service.ask("HEAD", &format!("{ROWS}.csv"), &[]).expect(200);
    assert_eq!(head.header("content-length"), Some(csv.body.len().to_string().as_str()));
    service.end().expect(0);
}

#[test]
fn a_mistake_says_which_parameter_is_wrong_and_what_is_allowed() {
    let project = published();
    let service = Service::start(&project);
    let refused = |query: &str| {
        let answer = service.get(&format!("{ROWS}?{query}")).expect(400);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        answer.json()
    };
    let column = refused("type_lieux=atelier");
    assert_eq!((&column["parameter"], &column["suggestion"]), (&json!("type_lieux"), &json!("type_lieu")));
    assert!(column["allowed"].as_array().unwrap().contains(&json!("surface")));
    let code = refused("type_lieu=ateliers");
    assert_eq!((&code["suggestion"], &code["allowed"][0]), (&json!("atelier"), &json!("coworking")));
    let comparison = refused("surface__gtt=3");
    assert_eq!((&comparison["parameter"], &comparison["suggestion"]), (&json!("surface__gtt"), &json!("gt")));
    assert_eq!(refused("limit=10001")["detail"], "write a whole number from 0 to 10000");
    for query in ["surface=grand", "ouverture__gt=hier", "bbox=1,2", "page=0", "sort=courriel", "offset=-1", "rien"] {
        assert_eq!(refused(query)["code"], "bad_parameter", "{query}");
    }
    let table = service.get("/api/v1/datasets/lieux/releases/latest/tables/lieu").expect(404).json();
    assert_eq!(table["suggestion"], "lieux");
    let dataset = service.get("/api/v1/datasets/lieu").expect(404).json();
    assert_eq!(dataset["suggestion"], "lieux");
    service.get("/api/v1/datasets/lieux/releases/2020-01-01").expect(404);
    service.get("/api/v1/datasets/lieux/releases/hier").expect(404);
    service.get("/api/v2").expect(404);
    assert_eq!(service.ask("POST", ROWS, &[("Content-Length", "0")]).status, 405);
    service.end().expect(0);
}

#[test]
fn every_path_of_the_description_answers() {
    let project = published();
    let service = Service::start(&project);
    let description = service.json("/api/openapi.json");
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 8);
    for path in paths.keys() {
        let path = path.replace("{dataset}", "lieux").replace("{release}", "latest").replace("{table}", "lieux");
        let answer = service.get(&path).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        answer.json();
    }
    service.end().expect(0);
}
