//! What readers make of files that keep no promise: coordinate systems, torn letters, errors of formulas, cut downloads.

use std::io::{Cursor, Read as _, Write as _};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use rstest::rstest;
use rust_xlsxwriter::{Format, Formula, Workbook};

use super::{comma, fail_csv, keyed_table, part, run, run_csv, table};
use crate::config::pipeline::{
    CsvSpec, Derivation, Derived, Encoding, Explode, JsonSpec, Layout, OptionColumns, Place, ReaderSpec, SheetSpec,
    TableSpec, Ticks,
};
use crate::normalise::{NormaliseError, Summary};

const A: &str = r#"{"name": "a", "type": "string", "essaim": {"status": true}}"#;

fn with(reader: ReaderSpec) -> TableSpec {
    TableSpec { reader, ..keyed_table(A, &[]) }
}

fn codes(summary: &Summary) -> Vec<&str> {
    summary.remarks.iter().map(|remark| remark.code.as_str()).collect()
}

// GeoJSON

fn features(crs: &str, after: &str) -> String {
    format!(
        r#"{{"type": "FeatureCollection", {crs} "features": [
            {{"type": "Feature", "bbox": [1, 2, 1, 2], "properties": {{"id": "1", "type": "café"}},
              "geometry": {{"type": "Point", "coordinates": [2.5, 48.5]}}}},
            {{"type": "Feature", "properties": null, "geometry": null}}] {after}}}"#
    )
}

#[test]
fn the_members_of_a_feature_itself_are_no_columns() {
    let mut table = with(ReaderSpec::GeoJson);
    table.mappings[1].from = vec!["type".into()];
    let (summary, out) = run(&table, vec![part("p", features("", ""))]).unwrap();
    let columns = ["id", "type", "geometry.type", "geometry.longitude", "geometry.latitude"];
    assert_eq!(summary.source_columns, columns);
    assert_eq!(out.column("a"), ["café"], "a property may be called `type`");
    assert_eq!(out.rejects(), [(2, None, "cle_manquante")]);
}

fn placed(crs: Option<u16>) -> TableSpec {
    let from = |name: &str| vec![name.to_owned()];
    let place =
        Place { longitude: from("geometry.longitude"), latitude: from("geometry.latitude"), crs, ..Place::default() };
    TableSpec { place: Some(place), ..with(ReaderSpec::GeoJson) }
}

#[rstest]
#[case::before_the_rows(true)]
#[case::after_them(false)]
fn another_coordinate_system_than_the_pipelines_is_an_error_with_the_line_to_write(#[case] before: bool) {
    let declared = r#""crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}"#;
    let text = if before { features(&format!("{declared},"), "") } else { features("", &format!(", {declared}")) };
    let error = run(&placed(None), vec![part("p", text.clone())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table `t`: part `p` declares the coordinate system `urn:ogc:def:crs:EPSG::2154`, that is Lambert-93: \
         write `crs = \"EPSG:2154\"` in `[table.t.place]`"
    );
    let (summary, _) = run(&placed(Some(2154)), vec![part("p", text.clone())]).unwrap();
    assert!(summary.remarks.is_empty(), "{:?}", summary.remarks);
    let (summary, _) = run(&placed(Some(3857)), vec![part("p", text)]).unwrap();
    assert_eq!(codes(&summary), ["systeme_de_coordonnees"], "what the pipeline says goes, with a remark");
}

#[rstest]
#[case::wgs84(r#""crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},"#, &[])]
#[case::none_at_all(r#""crs": null,"#, &[])]
#[case::unknown(r#""crs": {"type": "link", "properties": {"href": "http://example.org"}},"#, &["systeme_de_coordonnees"])]
fn a_declared_wgs_84_passes_and_what_nobody_knows_is_remarked(#[case] crs: &str, #[case] expected: &[&str]) {
    let (summary, out) = run(&placed(None), vec![part("p", features(crs, ""))]).unwrap();
    assert_eq!(codes(&summary), expected);
    assert_eq!(out.column("__place_longitude"), ["2.5"]);
}

#[test]
fn a_system_that_no_pipeline_can_name_is_an_error() {
    let crs = r#""crs": {"type": "EPSG", "properties": {"code": 31370}},"#;
    let error = run(&placed(None), vec![part("p", features(crs, ""))]).unwrap_err().to_string();
    assert!(error.contains("`EPSG:31370`, no pipeline can name that one yet"), "{error}");
}

// JSON

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[rstest]
#[case::a_document(false)]
#[case::lines(true)]
fn a_json_that_was_cut_on_the_way_is_no_broken_json(#[case] lines: bool) {
    let row = r#"{"id": "1", "a": "x"}"#;
    let text = if lines { format!("{row}\n").repeat(500) } else { format!("[{}{row}]", format!("{row},").repeat(500)) };
    let mut bytes = gzip(&text);
    bytes.truncate(3000);
    let table = with(ReaderSpec::Json(JsonSpec { rows: Vec::new(), lines, ..JsonSpec::default() }));
    let error = run(&table, vec![part("p.json.gz", bytes)]).unwrap_err();
    let NormaliseError::Read { offset, source, .. } = &error else { panic!("{error}") };
    assert!(*offset > 0);
    assert_eq!(source.to_string(), "the gzip file ends in the middle: check that the download is whole");
}

#[test]
fn names_that_differ_in_blanks_only_are_numbered_as_repeated_ones() {
    let text = r#"[{"id": "1", "nom du lieu": "x"}, {"id": "2", "nom  du lieu ": "y"}]"#;
    let mut table = with(ReaderSpec::Json(JsonSpec::default()));
    table.mappings[1].from = vec!["nom du lieu".into()];
    let error = run(&table, vec![part("p", text)]).unwrap_err().to_string();
    assert!(error.contains("2 columns `nom du lieu`") && error.contains("`nom du lieu#2` for the second"), "{error}");
    table.mappings[1].from = vec!["nom du lieu#1".into(), "nom du lieu#2".into()];
    let (summary, out) = run(&table, vec![part("p", text)]).unwrap();
    assert_eq!(out.column("a"), ["x", "y"]);
    assert_eq!(summary.source_columns, ["id", "nom du lieu#1", "nom du lieu#2"]);
}

#[test]
fn a_limesurvey_tells_not_shown_from_empty_and_older_ones_wrap_their_rows() {
    let mut table = with(ReaderSpec::Json(JsonSpec::lime_survey(vec!["Q8".into()])));
    table.mappings[1].from = vec!["Q2[SQ001]".into()];
    let text = r#"{"responses": [{"id": "1", "Q2[SQ001]": "Y", "Q8": "[{\"name\": \"a.pdf\"}]"},
        {"id": "2", "Q2[SQ001]": "", "Q8": ""}, {"3": {"id": "3", "Q2[SQ001]": null, "Q8": null}}]}"#;
    let (summary, out) = run(&table, vec![part("responses-0001", text)]).unwrap();
    assert_eq!(out.column("id"), ["1", "2", "3"]);
    assert_eq!(out.column("a_statut"), ["answered", "empty", "not_shown"]);
    assert_eq!(codes(&summary), ["pieces_jointes"]);
    assert_eq!(summary.source_columns, ["id", "Q2[SQ001]"]);
}

#[test]
fn json_numbers_come_out_to_their_last_digit() {
    let numbers =
        ["48.8566140000000", "2.3522219000000177", "123456789012345.6", "0.1234567890123456", "9007199254740993"];
    let rows: Vec<String> =
        numbers.iter().enumerate().map(|(id, n)| format!(r#"{{"id": "{id}", "n": {n}}}"#)).collect();
    let mut table = keyed_table(r#"{"name": "n", "type": "number"}, {"name": "t", "type": "string"}"#, &[]);
    table.reader = ReaderSpec::Json(JsonSpec::default());
    table.mappings[2].from = vec!["n".into()];
    let (_, out) = run(&table, vec![part("p", format!("[{}]", rows.join(",")))]).unwrap();
    // Computed with Python: repr(float(text)).
    let expected = ["48.856614", "2.3522219000000177", "123456789012345.6", "0.1234567890123456"];
    assert_eq!(out.column("t")[..4], expected);
    assert_eq!(out.column("t")[4], "9007199254740993");
    assert_eq!(out.column("n")[..4], expected);
}

// Encodings

fn detecting() -> TableSpec {
    with(ReaderSpec::Csv(CsvSpec { encoding: Encoding::Detect, ..comma() }))
}

#[test]
fn a_torn_letter_in_the_first_record_with_letters_does_not_change_the_encoding_of_the_others() {
    let bytes = [b"id,a\n1,x\n2,\xc3\n".as_slice(), "3,été\n4,où\n".as_bytes()].concat();
    let (summary, out) = run_csv(&detecting(), bytes);
    assert_eq!(out.column("id"), ["1", "2", "3", "4"]);
    assert_eq!(out.column("a"), ["x", "∅", "été", "où"]);
    assert_eq!(out.column("a_statut")[1], "unknown");
    assert_eq!(out.unfit(), [(2, "a", "\u{fffd}", "texte_illisible")]);
    assert_eq!(codes(&summary), ["encodage_douteux"]);
    assert_eq!(
        summary.remarks[0].detail,
        "Deux encodages dans un fichier, à partir de la ligne 3 : 3 lettres en UTF-8 et 1 octets qui n'en sont pas. \
         Il est lu en UTF-8, et les cellules illisibles sont listées."
    );
}

#[test]
fn a_bad_byte_far_behind_the_first_letters_is_listed_and_remarked_once() {
    let mut bytes = "id,a\n0,été\n".as_bytes().to_vec();
    for id in 1..150_000 {
        writeln!(bytes, "{id},abcdefgh").unwrap();
    }
    bytes.extend(b"x,caf\xe9\ny,\xe9t\xe9\n");
    let (summary, out) = run_csv(&detecting(), bytes);
    assert_eq!((summary.kept, summary.rejected, summary.unfit), (150_002, 0, 2));
    assert_eq!(codes(&summary), ["encodage_detecte", "encodage_douteux"]);
    assert_eq!(out.unfit()[1], (150_002, "a", "\u{fffd}t\u{fffd}", "texte_illisible"));
}

#[test]
fn a_file_in_windows_1252_with_one_mangled_cell_stays_windows_1252_with_a_remark() {
    let bytes = [b"id,a\n1,".as_slice(), "é".as_bytes(), b"\n2,\xe9t\xe9\n3,No\xebl\n"].concat();
    let (summary, out) = run_csv(&detecting(), bytes);
    assert_eq!(out.column("a"), ["Ã©", "été", "Noël"]);
    assert_eq!(codes(&summary), ["encodage_douteux"]);
}

#[test]
fn a_fault_that_is_met_while_looking_ahead_is_an_error() {
    let mut packed = gzip(&format!("id,a\n1,é\n{}", "2,x\n".repeat(2000)));
    packed.truncate(4000);
    let error = run(&detecting(), vec![part("a.csv.gz", packed)]).unwrap_err();
    assert!(matches!(error, NormaliseError::Read { .. }), "{error}");
}

// Repeated names

#[rstest]
#[case::derived(|table: &mut TableSpec| {
    table.derived = vec![Derived { name: "d".into(), from: vec!["Nom".into()], how: Derivation::Join { separator: " ".into() } }];
})]
#[case::exploded(|table: &mut TableSpec| {
    table.explode = Some(Explode { column: "Nom".into(), separators: vec![";".into()] });
})]
#[case::free_text(|table: &mut TableSpec| table.mappings[1].other_from = vec!["Nom".into()])]
#[case::one_column_per_option(|table: &mut TableSpec| {
    let columns = OptionColumns::Named(vec![("x".into(), "Nom".into())]);
    table.mappings[1].ticks = Some(Ticks { columns, ticked: Vec::new(), unticked: Vec::new() });
})]
fn a_repeated_name_is_ambiguous_wherever_it_is_asked_for(#[case] ask: fn(&mut TableSpec)) {
    let mut table = keyed_table(A, &[]);
    ask(&mut table);
    let error = fail_csv(&table, "id,Nom,a,Nom\n1,x,y,z\n").to_string();
    assert!(error.contains("2 columns `Nom`: say which one is meant, `Nom#1` for the first"), "{error}");
}

#[test]
fn a_derived_column_may_take_a_name_that_is_repeated_in_the_source() {
    let mut table = keyed_table(A, &[]);
    let from = vec!["Nom#1".into(), "Nom#2".into()];
    table.derived = vec![Derived { name: "Nom".into(), from, how: Derivation::Join { separator: "+".into() } }];
    table.mappings[1].from = vec!["Nom".into()];
    let (_, out) = run_csv(&table, "id,Nom,Nom\n1,x,y\n");
    assert_eq!(out.column("a"), ["x+y"]);
}

// Spreadsheets

fn sheet(layout: Layout) -> ReaderSpec {
    ReaderSpec::Sheet(SheetSpec { sheet: None, layout })
}

/// The workbook with a text of its first sheet replaced.
fn altered(mut book: Workbook, from: &str, to: &str) -> Vec<u8> {
    let bytes = book.save_to_buffer().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        if name.ends_with("sheet1.xml") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{text}");
            bytes = text.replace(from, to).into_bytes();
        }
        out.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(&bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

#[test]
fn errors_of_formulas_are_cells_that_do_not_fit_whatever_their_name() {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    page.write_row(0, 0, ["id", "a", "n"]).unwrap();
    for row in 1..=4_u32 {
        page.write(row, 0, format!("r{row}")).unwrap();
        page.write(row, 1, "x").unwrap();
        page.write(row, 2, row).unwrap();
    }
    let error = |text: &str| Formula::new("=1/0").set_result(text);
    page.write_formula(2, 1, error("#DIV/0!")).unwrap();
    page.write_formula(3, 1, error("#N/A")).unwrap();
    page.write_formula(3, 2, error("#DIV/0!")).unwrap();
    let bytes = altered(book, "#DIV/0!", "#SPILL!");
    let mut table = keyed_table(&format!(r#"{A}, {{"name": "n", "type": "integer"}}"#), &[]);
    table.reader = sheet(Layout::default());
    let (summary, out) = run(&table, vec![part("p.xlsx", bytes)]).unwrap();
    assert_eq!(out.column("id"), ["r1", "r2", "r3", "r4"]);
    assert_eq!(out.column("a"), ["x", "∅", "∅", "x"]);
    assert_eq!(out.column("n"), ["1", "2", "∅", "4"]);
    let reason = "erreur_de_formule";
    assert_eq!(out.unfit(), [(2, "a", "#SPILL!", reason), (3, "a", "#N/A", reason), (3, "n", "#SPILL!", reason)]);
    assert_eq!(codes(&summary), ["cellules_en_erreur"]);
}

#[test]
fn header_cells_that_are_merged_down_and_across_name_their_columns_alone() {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    let plain = Format::new();
    page.merge_range(0, 0, 1, 0, "id", &plain).unwrap();
    page.merge_range(0, 1, 0, 2, "Publics", &plain).unwrap();
    page.merge_range(0, 3, 1, 3, "Lieu", &plain).unwrap();
    page.write(1, 1, "Jeunes").unwrap();
    page.write(1, 2, "Aînés").unwrap();
    page.write(1, 4, "Note").unwrap();
    page.write_row(2, 0, ["1", "a", "b", "c", "d"]).unwrap();
    let table = with(sheet(Layout { header_row: 2, header_rows: 2, footer: None }));
    let (summary, _) = run(&table, vec![part("p.xlsx", book.save_to_buffer().unwrap())]).unwrap();
    assert_eq!(summary.source_columns, ["id", "Publics > Jeunes", "Publics > Aînés", "Lieu", "Note"]);
}

// Parquet

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn whole_floats_of_parquet_have_no_decimal_and_no_exponent() {
    let fields = r#"{"name": "siret", "type": "string", "format": "siret"}, {"name": "t", "type": "string"}"#;
    let mut table = table(fields, r#", "primaryKey": ["siret"]"#, &[], ReaderSpec::Parquet);
    table.mappings[1].from = vec!["n".into()];
    let siret: ArrayRef = Arc::new(Float64Array::from(vec![73_282_932_000_074.0, 35_600_000_000_048.0]));
    let n: ArrayRef = Arc::new(Float64Array::from(vec![1e22, 0.1]));
    let (summary, out) = run(&table, vec![part("p", parquet(vec![("siret", siret), ("n", n)]))]).unwrap();
    assert_eq!(out.column("siret"), ["73282932000074", "35600000000048"]);
    assert_eq!(out.column("t"), ["10000000000000000000000", "0.1"]);
    assert_eq!(summary.corrections, 0);
}

#[rstest]
#[case::no_zone(None, "2024-06-30", "2024-06-30T22:30:00.250")]
#[case::a_named_zone(Some("Europe/Paris"), "2024-07-01", "2024-07-01T00:30:00.250")]
#[case::an_offset(Some("+02:00"), "2024-07-01", "2024-07-01T00:30:00.250")]
#[case::utc(Some("UTC"), "2024-06-30", "2024-06-30T22:30:00.250")]
fn times_of_parquet_are_those_of_the_clocks_of_their_zone(
    #[case] zone: Option<&str>,
    #[case] day: &str,
    #[case] moment: &str,
) {
    let fields = r#"{"name": "d", "type": "date"}, {"name": "m", "type": "datetime"}"#;
    let mut table = keyed_table(fields, &[]);
    table.reader = ReaderSpec::Parquet;
    table.mappings.iter_mut().skip(1).for_each(|mapping| mapping.from = vec!["when".into()]);
    // 2024-06-30 22:30:00.25 UTC.
    let when = TimestampMicrosecondArray::from(vec![1_719_786_600_250_000]).with_timezone_opt(zone);
    let id: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let (_, out) = run(&table, vec![part("p", parquet(vec![("id", id), ("when", Arc::new(when))]))]).unwrap();
    assert_eq!((out.column("d"), out.column("m")), (vec![day.to_owned()], vec![moment.to_owned()]));
}

#[test]
fn repeated_names_of_parquet_are_numbered() {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let bytes = parquet(vec![("id", text("1")), ("a", text("x")), ("a", text("y"))]);
    let mut table = with(ReaderSpec::Parquet);
    let error = run(&table, vec![part("p", bytes.clone())]).unwrap_err();
    assert!(matches!(error, NormaliseError::RepeatedColumn { count: 2, .. }), "{error}");
    table.mappings[1].from = vec!["a#2".into()];
    assert_eq!(run(&table, vec![part("p", bytes)]).unwrap().1.column("a"), ["y"]);
}

// HTML

#[test]
fn an_entity_does_not_part_the_items_of_a_cell() {
    let text = "id,a\n1,Arts &amp; Co;L&#039;Atelier\n";
    let mut table = keyed_table(A, &[]);
    table.explode = Some(Explode { column: "a".into(), separators: vec![";".into()] });
    table.mappings[1].html = true;
    table.mappings[0].from = vec!["#item".into()];
    assert_eq!(run_csv(&table, text).1.column("a"), ["Arts & Co", "L'Atelier"]);
    let mut lists = keyed_table(r#"{"name": "a", "type": "list"}"#, &[]);
    lists.mappings[1].html = true;
    lists.mappings[1].separator = Some(";".into());
    assert_eq!(run_csv(&lists, text).1.column("a"), ["[Arts & Co, L'Atelier]"]);
}
