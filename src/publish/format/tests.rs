use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float64Array, Int64Array, ListBuilder,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::Float64Type;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::contract::parse::{CodeLists, parse};
use crate::diagnostic::{Problems, SourceFile};

const PLACES: &str = r#"{
  "fields": [
    {"name": "id", "type": "string", "constraints": {"required": true}, "essaim": {"visibility": "public"}},
    {"name": "nom", "type": "string", "essaim": {"visibility": "public"}},
    {"name": "courriel", "type": "string", "essaim": {"visibility": "personal"}},
    {"name": "effectif", "type": "integer", "essaim": {"visibility": "public"}},
    {"name": "part", "type": "number", "essaim": {"visibility": "public"}},
    {"name": "ouvert", "type": "boolean", "essaim": {"visibility": "public"}},
    {"name": "depuis", "type": "date", "essaim": {"visibility": "public"}},
    {"name": "vu", "type": "datetime", "essaim": {"visibility": "public"}},
    {"name": "publics", "type": "list", "essaim": {"visibility": "public"}},
    {"name": "longitude", "type": "number", "essaim": {"visibility": "public"}},
    {"name": "latitude", "type": "number", "essaim": {"visibility": "public"}}
  ],
  "primaryKey": ["id"],
  "essaim": {"geometry": {"longitude": "longitude", "latitude": "latitude"}}
}"#;

const SHAPES: &str = r#"{
  "fields": [
    {"name": "code", "type": "string", "essaim": {"visibility": "public"}},
    {"name": "contour", "type": "geojson", "essaim": {"visibility": "public"}}
  ],
  "primaryKey": ["code"],
  "essaim": {"geometry": {"column": "contour"}}
}"#;

const NAMES: &str = r#"{
  "fields": [
    {"name": "a", "type": "string", "essaim": {"visibility": "public"}},
    {"name": "b", "type": "string", "essaim": {"visibility": "public"}}
  ]
}"#;

fn contract(table: &str, json: &str) -> Contract {
    let problems = Problems::default();
    let file = SourceFile::new(format!("schemas/{table}.schema.json"), json);
    parse(&table.parse().unwrap(), &file, &CodeLists::new(), &problems).unwrap()
}

fn lists(cells: &[Option<&[&str]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for cell in cells {
        match cell {
            Some(items) => {
                items.iter().for_each(|item| builder.values().append_value(item));
                builder.append(true);
            }
            None => builder.append(false),
        }
    }
    Arc::new(builder.finish())
}

/// Three rows: one full, one with awkward values, one with nothing but its key.
fn places() -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["01", "02", "03"])),
        Arc::new(StringArray::from(vec![Some("L'Atelier, \"commun\""), Some("à\nb;c"), None])),
        Arc::new(Int64Array::from(vec![Some(12), Some(-3), None])),
        Arc::new(Float64Array::from(vec![Some(0.000_064), Some(-0.0), None])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(Date32Array::from(vec![Some(20_779), Some(-1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1_795_341_600_000_000), Some(1_500_000), None])),
        lists(&[Some(&["jeunes", "elus"]), Some(&[]), None]),
        Arc::new(Float64Array::from(vec![Some(2.345_678_912), Some(5.0), None])),
        Arc::new(Float64Array::from(vec![Some(48.1), None, None])),
    ];
    RecordBatch::try_new(contract("lieux", PLACES).public_schema(), columns).unwrap()
}

fn shapes(shapes: &[Option<Geometry>]) -> RecordBatch {
    let wkb = shapes.iter().map(|shape| {
        let mut bytes = Vec::new();
        shape::push_wkb(shape.as_ref()?, &mut bytes).unwrap();
        Some(bytes)
    });
    let wkb: BinaryArray = wkb.collect();
    let codes: StringArray = (0..shapes.len()).map(|at| Some(format!("{at:02}"))).collect();
    RecordBatch::try_new(contract("regions", SHAPES).public_schema(), vec![Arc::new(codes), Arc::new(wkb)]).unwrap()
}

type Geometry = geo::Geometry<f64>;

fn names(rows: &[(Option<String>, Option<String>)]) -> RecordBatch {
    let a: StringArray = rows.iter().map(|row| row.0.as_deref()).collect();
    let b: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
    RecordBatch::try_new(contract("noms", NAMES).public_schema(), vec![Arc::new(a), Arc::new(b)]).unwrap()
}

fn write_with(
    dir: &Path,
    contract: &Contract,
    batches: &[RecordBatch],
    options: &FormatOptions,
) -> Result<Written, FormatError> {
    write_table(dir, contract, &mut batches.iter().map(|batch| Ok(batch.clone())), options)
}

fn write(dir: &Path, contract: &Contract, batches: &[RecordBatch]) -> Result<Written, FormatError> {
    write_with(dir, contract, batches, &FormatOptions::default())
}

/// Rows cut into batches of `size`.
fn cut(batch: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    (0..batch.num_rows()).step_by(size).map(|at| batch.slice(at, size.min(batch.num_rows() - at))).collect()
}

fn digests(written: &Written) -> BTreeMap<String, Digest> {
    written.files.iter().map(|file| (file.path.clone(), file.digest)).collect()
}

fn read_parquet(path: &Path) -> (Vec<RecordBatch>, ::parquet::file::metadata::ParquetMetaData) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = builder.metadata().as_ref().clone();
    (builder.build().unwrap().map(Result::unwrap).collect(), metadata)
}

fn geo_entry(path: &Path) -> serde_json::Value {
    let (_, metadata) = read_parquet(path);
    let entries = metadata.file_metadata().key_value_metadata().unwrap().clone();
    assert_eq!(entries.len(), 1);
    serde_json::from_str(entries[0].value.as_ref().unwrap()).unwrap()
}

#[test]
fn the_csv_follows_rfc_4180() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let text = fs::read_to_string(dir.path().join("lieux.csv")).unwrap();
    let expected = "id,nom,effectif,part,ouvert,depuis,vu,publics,longitude,latitude\r\n\
        01,\"L'Atelier, \"\"commun\"\"\",12,0.000064,true,2026-11-22,2026-11-22T10:00:00,jeunes|elus,2.3456789,48.1\r\n\
        02,\"à\nb;c\",-3,0,false,1969-12-31,1970-01-01T00:00:01.500000,,5,\r\n\
        03,,,,,,,,,\r\n";
    assert_eq!(text, expected);
}

#[test]
fn the_csv_for_spreadsheets_is_french() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let text = fs::read_to_string(dir.path().join("lieux.excel-fr.csv")).unwrap();
    let expected = "\u{feff}id;nom;effectif;part;ouvert;depuis;vu;publics;longitude;latitude\r\n\
        01;\"L'Atelier, \"\"commun\"\"\";12;0,000064;vrai;22/11/2026;22/11/2026 10:00:00;jeunes|elus;2,3456789;48,1\r\n\
        02;\"à\nb;c\";-3;0;faux;31/12/1969;01/01/1970 00:00:01,500000;;5;\r\n\
        03;;;;;;;;;\r\n";
    assert_eq!(text, expected);
}

#[test]
fn the_geojson_has_one_feature_a_line_and_the_box_last() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let text = fs::read_to_string(dir.path().join("lieux.geojson")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], r#"{"type":"FeatureCollection","features":["#);
    let first = r#"{"type":"Feature","id":"01","geometry":{"type":"Point","coordinates":[2.3456789,48.1]},"properties":{"id":"01","nom":"L'Atelier, \"commun\"","effectif":12,"part":0.000064,"ouvert":true,"depuis":"2026-11-22","vu":"2026-11-22T10:00:00","publics":["jeunes","elus"],"longitude":2.3456789,"latitude":48.1}},"#;
    assert_eq!(lines[1], first);
    assert!(lines[2].contains(r#""geometry":null,"#) && lines[2].contains(r#""nom":"à\nb;c""#));
    assert_eq!(lines[4], r#"],"bbox":[2.3456789,48.1,2.3456789,48.1]}"#);
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
}

#[test]
fn the_parquet_reads_back_with_points_and_boxes_added() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let (batches, metadata) = read_parquet(&dir.path().join("lieux.parquet"));
    assert_eq!(batches.len(), 1);
    let (read, given) = (&batches[0], places());
    assert_eq!(read.schema().fields().len(), 12);
    for name in ["id", "nom", "effectif", "ouvert", "depuis", "vu", "publics", "latitude"] {
        assert_eq!(read.column_by_name(name).unwrap(), given.column_by_name(name).unwrap(), "{name}");
    }
    let wkb: &BinaryArray = read.column_by_name("geometry").unwrap().as_binary();
    assert_eq!((wkb.is_valid(0), wkb.is_valid(1), wkb.is_valid(2)), (true, false, false));
    let point = shape::read(wkb.value(0)).unwrap();
    assert_eq!(point, Geometry::Point(geo::Point::new(2.345_678_9, 48.1)));
    let boxes = read.column_by_name("bbox").unwrap().as_struct();
    assert_eq!((boxes.is_valid(0), boxes.is_valid(1)), (true, false));
    assert_eq!(boxes.column(3).as_primitive::<Float64Type>().iter().next(), Some(Some(48.1)));
    assert_eq!(metadata.file_metadata().created_by(), Some(FormatOptions::default().created_by.as_str()));
    let sorting = metadata.row_group(0).sorting_columns().unwrap();
    assert_eq!((sorting.len(), sorting[0].column_idx, sorting[0].descending), (1, 0, false));
}

#[test]
fn the_geo_entry_says_what_the_file_holds() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let expected = serde_json::json!({
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {
            "encoding": "WKB",
            "geometry_types": ["Point"],
            "edges": "planar",
            "bbox": [2.345_678_9, 48.1, 2.345_678_9, 48.1],
            "covering": {"bbox": {
                "xmin": ["bbox", "xmin"], "ymin": ["bbox", "ymin"], "xmax": ["bbox", "xmax"], "ymax": ["bbox", "ymax"],
            }},
        }},
    });
    assert_eq!(geo_entry(&dir.path().join("lieux.parquet")), expected);
}

/// A clockwise square with a counterclockwise hole, and a second polygon with a third of a degree in it.
fn region() -> Geometry {
    let hole = geo::LineString::from(vec![(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 1.0)]);
    let outside = geo::LineString::from(vec![(0.0, 0.0), (0.0, 4.0), (4.0, 4.0), (4.0, 0.0), (0.0, 0.0)]);
    let third = geo::LineString::from(vec![(5.0, 5.0), (6.0, 5.0), (6.0, 16.0 / 3.0), (5.0, 5.0)]);
    geo::MultiPolygon(vec![geo::Polygon::new(outside, vec![hole]), geo::Polygon::new(third, Vec::new())]).into()
}

#[test]
fn shapes_are_the_same_in_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let point = Geometry::Point(geo::Point::new(7.0, 8.0));
    let written = write(dir.path(), &contract("regions", SHAPES), &[shapes(&[Some(region()), None, Some(point)])]);
    assert_eq!(written.unwrap().files[3].bbox, Some([0.0, 0.0, 7.0, 8.0]));
    let csv = fs::read_to_string(dir.path().join("regions.csv")).unwrap();
    let wkt = "MULTIPOLYGON (((0 0,4 0,4 4,0 4,0 0),(1 1,1 2,2 2,2 1,1 1)),((5 5,6 5,6 5.3333333,5 5)))";
    assert_eq!(csv, format!("code,contour\r\n00,\"{wkt}\"\r\n01,\r\n02,POINT (7 8)\r\n"));
    let geojson = fs::read_to_string(dir.path().join("regions.geojson")).unwrap();
    let feature = r#"{"type":"Feature","id":"00","geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[4,0],[4,4],[0,4],[0,0]],[[1,1],[1,2],[2,2],[2,1],[1,1]]],[[[5,5],[6,5],[6,5.3333333],[5,5]]]]},"properties":{"code":"00"}},"#;
    assert_eq!(geojson.lines().nth(1), Some(feature));
    let (batches, _) = read_parquet(&dir.path().join("regions.parquet"));
    let mut wkt_of_parquet = Vec::new();
    let wkb: &BinaryArray = batches[0].column(1).as_binary();
    shape::push_wkt(&shape::read(wkb.value(0)).unwrap(), &mut wkt_of_parquet);
    assert_eq!(String::from_utf8(wkt_of_parquet).unwrap(), wkt);
    let geo = geo_entry(&dir.path().join("regions.parquet"));
    assert_eq!(geo["columns"]["contour"]["geometry_types"], serde_json::json!(["MultiPolygon", "Point"]));
    assert_eq!(geo["columns"]["contour"]["orientation"], "counterclockwise");
}

#[rstest]
#[case::multi_point(geo::MultiPoint::from(vec![(1.0, 2.0), (3.0, 4.0)]).into(),
    "MULTIPOINT ((1 2),(3 4))", r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#)]
#[case::line(geo::LineString::from(vec![(1.0, 2.0), (3.5, 4.0)]).into(),
    "LINESTRING (1 2,3.5 4)", r#"{"type":"LineString","coordinates":[[1,2],[3.5,4]]}"#)]
#[case::collection(Geometry::GeometryCollection(vec![Geometry::Point(geo::Point::new(1.0, 2.0))].into()),
    "GEOMETRYCOLLECTION (POINT (1 2))",
    r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}"#)]
fn every_kind_of_shape_can_be_written(#[case] shape: Geometry, #[case] wkt: &str, #[case] geojson: &str) {
    let (mut as_wkt, mut as_geojson) = (Vec::new(), Vec::new());
    shape::push_wkt(&shape, &mut as_wkt);
    shape::push_geojson(&shape, &mut as_geojson);
    assert_eq!((as_wkt.as_slice(), as_geojson.as_slice()), (wkt.as_bytes(), geojson.as_bytes()));
}

#[test]
fn sizes_and_digests_are_those_of_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &contract("lieux", PLACES), &[places()]).unwrap();
    let paths: Vec<&str> = written.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["lieux.parquet", "lieux.csv", "lieux.excel-fr.csv", "lieux.geojson"]);
    for file in &written.files {
        let bytes = fs::read(dir.path().join(&file.path)).unwrap();
        assert_eq!((file.bytes, file.digest, file.rows), (bytes.len() as u64, Digest::of(&bytes), 3));
    }
}

#[test]
fn a_table_without_rows_has_all_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &contract("lieux", PLACES), &[]).unwrap();
    assert_eq!((written.rows, written.files.len(), written.files[0].bbox), (0, 4, None));
    let geojson = fs::read_to_string(dir.path().join("lieux.geojson")).unwrap();
    assert_eq!(geojson, "{\"type\":\"FeatureCollection\",\"features\":[\n]}\n");
    let geo = geo_entry(&dir.path().join("lieux.parquet"));
    assert_eq!(geo["columns"]["geometry"]["geometry_types"], serde_json::json!([]));
    assert_eq!(read_parquet(&dir.path().join("lieux.parquet")).0.len(), 0);
}

#[test]
fn formulas_and_lists_that_do_not_read_back_are_listed_and_left_as_they_are() {
    let mut columns = places().columns().to_vec();
    columns[1] = Arc::new(StringArray::from(vec!["=1+1", "-12", "+a(b)"]));
    columns[7] = lists(&[Some(&["a|b"]), Some(&["a", ""]), Some(&["@a"])]);
    let batch = RecordBatch::try_new(places().schema(), columns).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &contract("lieux", PLACES), &[batch]).unwrap();
    let cell = |column: &str, row| Cell { column: column.to_owned(), row };
    assert_eq!(written.formulas, [cell("nom", 1), cell("nom", 3), cell("publics", 3)]);
    assert_eq!(written.lists, [cell("publics", 1), cell("publics", 2)]);
    assert!(fs::read_to_string(dir.path().join("lieux.csv")).unwrap().contains("\r\n03,+a(b),"));
}

fn with_column(at: usize, column: ArrayRef) -> RecordBatch {
    let mut columns = places().columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(places().schema(), columns).unwrap()
}

fn numbers(cells: [f64; 3]) -> ArrayRef {
    Arc::new(Float64Array::from(cells.to_vec()))
}

#[rstest]
#[case::not_a_number(with_column(3, numbers([1.0, f64::NAN, 1.0])), "row 2, column `part`: the number is not finite")]
#[case::longitude(with_column(8, numbers([1.0, 2.0, 652_000.0])), "row 3, column `longitude`: the degrees are out of range")]
#[case::latitude(with_column(9, numbers([-91.0, 2.0, 3.0])), "row 1, column `latitude`: the degrees are out of range")]
#[case::year(with_column(5, Arc::new(Date32Array::from(vec![0, 0, i32::MAX]))), "row 3, column `depuis`: the year does not have four digits")]
#[case::required(with_column(0, Arc::new(StringArray::from(vec!["", "02", "03"]))), "row 1, column `id`: the contract requires a value")]
fn cells_that_no_file_may_hold_are_refused(#[case] batch: RecordBatch, #[case] message: &str) {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path(), &contract("lieux", PLACES), &[batch]).unwrap_err();
    assert_eq!(error.to_string(), format!("table `lieux`, {message}"));
}

#[rstest]
#[case::in_one_batch(vec![with_column(0, Arc::new(StringArray::from(vec!["01", "03", "02"])))], 3)]
#[case::across_batches(vec![places(), places()], 4)]
fn rows_out_of_order_are_refused(#[case] batches: Vec<RecordBatch>, #[case] expected: u64) {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path(), &contract("lieux", PLACES), &batches).unwrap_err();
    assert!(matches!(error, FormatError::Order { row, .. } if row == expected), "{error}");
}

#[test]
fn an_order_is_kept_across_the_batches_that_are_written() {
    let key = |from: usize, to: usize| -> Vec<String> { (from..to).map(|at| format!("{at:06}")).collect() };
    let rows = |keys: Vec<String>| names(&keys.into_iter().map(|key| (Some(key), None)).collect::<Vec<_>>());
    let keyed = NAMES.replacen("]\n}", "],\n  \"primaryKey\": [\"a\"]\n}", 1);
    let dir = tempfile::tempdir().unwrap();
    let batches = [rows(key(0, BATCH_ROWS)), rows(key(5, 6))];
    let error = write(dir.path(), &contract("noms", &keyed), &batches).unwrap_err();
    assert!(matches!(error, FormatError::Order { row, .. } if row == BATCH_ROWS as u64 + 1), "{error}");
}

#[test]
fn rows_of_another_shape_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path(), &contract("noms", NAMES), &[places()]).unwrap_err();
    assert_eq!(error.to_string(), "table `noms` was promised with 2 columns, its rows have 10 columns");
}

#[test]
fn a_column_may_not_bear_the_name_of_one_that_is_added() {
    let taken = PLACES.replace("\"effectif\"", "\"bbox\"");
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path(), &contract("lieux", &taken), &[]).unwrap_err();
    assert!(matches!(&error, FormatError::NameTaken { column, .. } if column == "bbox"), "{error}");
}

#[test]
fn a_place_that_is_not_public_is_in_no_file() {
    let hidden = PLACES.replace(
        r#"{"name": "latitude", "type": "number", "essaim": {"visibility": "public"}}"#,
        r#"{"name": "latitude", "type": "number", "essaim": {"visibility": "restricted"}}"#,
    );
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &contract("lieux", &hidden), &[]).unwrap();
    assert_eq!((written.files.len(), dir.path().join("lieux.geojson").exists()), (3, false));
}

#[test]
fn row_groups_end_where_the_options_say() {
    let rows: Vec<_> = (0..20_000).map(|at| (Some(format!("{at:06}")), None)).collect();
    let dir = tempfile::tempdir().unwrap();
    let options = FormatOptions { row_group_rows: 9_000, ..FormatOptions::default() };
    write_with(dir.path(), &contract("noms", NAMES), &cut(&names(&rows), 4_321), &options).unwrap();
    let (_, metadata) = read_parquet(&dir.path().join("noms.parquet"));
    let counts: Vec<i64> =
        metadata.row_groups().iter().map(::parquet::file::metadata::RowGroupMetaData::num_rows).collect();
    assert_eq!(counts, [9_000, 9_000, 2_000]);
}

/// Many rows of the places table, every kind of cell with and without a value.
fn many_places(rows: u32) -> RecordBatch {
    let some = |at: u32, every: u32| (!at.is_multiple_of(every)).then_some(at);
    let each = || 0..rows;
    let items: Vec<Vec<String>> = each().map(|at| (0..at % 4).map(|item| format!("choix_{item}")).collect()).collect();
    let mut publics = ListBuilder::new(StringBuilder::new());
    for (at, items) in each().zip(&items) {
        for item in items {
            publics.values().append_value(item);
        }
        publics.append(!at.is_multiple_of(5));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(each().map(|at| Some(format!("{at:08}"))).collect::<StringArray>()),
        Arc::new(each().map(|at| some(at, 3).map(|at| format!("Nom; \"{}\"", at % 977))).collect::<StringArray>()),
        Arc::new(each().map(|at| some(at, 7).map(i64::from)).collect::<Int64Array>()),
        Arc::new(each().map(|at| some(at, 11).map(|at| f64::from(at) / 7.0)).collect::<Float64Array>()),
        Arc::new(each().map(|at| some(at, 13).map(|at| at % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(each().map(|at| some(at, 2).and_then(|at| i32::try_from(at % 40_000).ok())).collect::<Date32Array>()),
        Arc::new(
            each().map(|at| some(at, 4).map(|at| i64::from(at) * 1_000_003)).collect::<TimestampMicrosecondArray>(),
        ),
        Arc::new(publics.finish()),
        Arc::new(each().map(|at| some(at, 5).map(|at| f64::from(at % 360) - 180.0 + 0.123)).collect::<Float64Array>()),
        Arc::new(each().map(|at| some(at, 6).map(|at| f64::from(at % 180) - 90.0)).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(contract("lieux", PLACES).public_schema(), columns).unwrap()
}

#[rstest]
#[case::small(97)]
#[case::of_engines(1024)]
#[case::of_ours(BATCH_ROWS)]
#[case::more(10_001)]
fn batches_do_not_show_in_the_files(#[case] size: usize) {
    let (contract, rows) = (contract("lieux", PLACES), many_places(20_000));
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = FormatOptions { row_group_rows: 15_000, zstd_level: 1, ..FormatOptions::default() };
    let expected = write_with(whole.path(), &contract, std::slice::from_ref(&rows), &options).unwrap();
    let written = write_with(parts.path(), &contract, &cut(&rows, size), &options).unwrap();
    assert_eq!(digests(&written), digests(&expected));
}

#[test]
fn texts_that_are_held_as_dictionaries_give_the_same_files() {
    let (contract, rows) = (contract("lieux", PLACES), many_places(20_000));
    let coded: Vec<RecordBatch> = cut(&rows, 3_000)
        .into_iter()
        .map(|batch| {
            let mut columns = batch.columns().to_vec();
            columns[1] = arrow::compute::cast(&columns[1], &crate::contract::arrow::dictionary_type()).unwrap();
            let named =
                batch.schema().fields().iter().map(|field| field.name().clone()).zip(columns).collect::<Vec<_>>();
            RecordBatch::try_from_iter_with_nullable(named.into_iter().map(|(name, column)| (name, column, true)))
                .unwrap()
        })
        .collect();
    let (plain, listed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = write(plain.path(), &contract, &[rows]).unwrap();
    let written = write(listed.path(), &contract, &coded).unwrap();
    assert_eq!(digests(&written), digests(&expected));
}

fn cells() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof!["[a-z]{1,4}", r#"[",;|\r\n=+@ é-]{1,6}"#, any::<String>()];
    proptest::option::of(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_reads_back_from_both_csv(rows in proptest::collection::vec((cells(), cells()), 0..12), size in 1_usize..5) {
        let dir = tempfile::tempdir().unwrap();
        let batch = names(&rows);
        let whole = write(dir.path(), &contract("noms", NAMES), std::slice::from_ref(&batch)).unwrap();
        for (file, delimiter) in [("noms.csv", b','), ("noms.excel-fr.csv", b';')] {
            let bytes = fs::read(dir.path().join(file)).unwrap();
            let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
            let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
            let read: Vec<(String, String)> = reader.deserialize().map(Result::unwrap).collect();
            let plain = |cell: &Option<String>| cell.clone().unwrap_or_default();
            let given: Vec<(String, String)> = rows.iter().map(|row| (plain(&row.0), plain(&row.1))).collect();
            prop_assert_eq!(&read, &given);
        }
        let parts = write(dir.path(), &contract("noms", NAMES), &cut(&batch, size)).unwrap();
        prop_assert_eq!(digests(&whole), digests(&parts));
    }

    #[test]
    fn numbers_are_written_without_exponent_and_read_back(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let mut text = Vec::new();
        cell::push_number(number, &mut text);
        let text = String::from_utf8(text).unwrap();
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'));
        prop_assert_eq!(text.parse::<f64>(), Ok(number));
    }

    #[test]
    fn published_degrees_have_at_most_seven_decimals(degrees in -180.0..180.0_f64) {
        let mut text = Vec::new();
        cell::push_number(shape::rounded(degrees), &mut text);
        let text = String::from_utf8(text).unwrap();
        prop_assert!(text.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 7), "{}", text);
        prop_assert!((shape::rounded(degrees) - degrees).abs() <= 5.1e-8);
    }

    #[test]
    fn any_bytes_are_a_shape_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let shape = shape::read(&bytes).and_then(|shape| shape::publish(&shape));
        prop_assert!(shape.is_ok() || shape.is_err_and(|reason| reason.starts_with("the shape ")));
    }
}
