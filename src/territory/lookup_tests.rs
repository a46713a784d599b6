use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::territory::PositionOrigin;

static COG: LazyLock<Cog> = LazyLock::new(|| {
    crate::territory::Seeds::of(Path::new(env!("CARGO_MANIFEST_DIR"))).cog().expect("the seeds are whole")
});

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn at<'a>(insee: &'a str, postal: &'a str, commune: &'a str, departement: &'a str) -> PlaceInput<'a> {
    PlaceInput {
        insee: some(insee),
        postal: some(postal),
        commune: some(commune),
        departement: some(departement),
        ..PlaceInput::default()
    }
}

fn code(placement: &Placement<'_>) -> String {
    placement.commune.map(|commune| commune.code().to_owned()).unwrap_or_default()
}

#[rstest]
#[case::current("35238", "35238", "code_insee", 1.0)]
#[case::lost_zero("1053", "01053", "code_insee", 1.0)]
#[case::corsica_in_lower_case("2a004", "2A004", "code_insee", 1.0)]
#[case::overseas("97411", "97411", "code_insee", 1.0)]
#[case::spaces(" 35238 ", "35238", "code_insee", 1.0)]
#[case::arrondissement("75112", "75056", "code_insee", 1.0)]
#[case::delegated("69152", "69149", "ancien_code", 0.95)]
#[case::delegated_of_charente("16226", "16393", "ancien_code", 0.95)]
#[case::delegated_of_vendee("85217", "85146", "ancien_code", 0.95)]
#[case::delegated_of_anjou("49069", "49126", "ancien_code", 0.95)]
#[case::associated("01120", "01262", "ancien_code", 0.95)]
#[case::abolished("01119", "01080", "ancien_code", 0.95)]
#[case::abolished_in_another_departement("02344", "51171", "ancien_code", 0.95)]
#[case::code_kept_by_the_merged_commune("49220", "49220", "code_insee", 1.0)]
#[case::unknown("99999", "", "introuvable", 0.0)]
#[case::not_a_code("Rennes", "", "introuvable", 0.0)]
fn insee_codes(#[case] insee: &str, #[case] commune: &str, #[case] method: &str, #[case] confidence: f64) {
    let placement = COG.locate(&at(insee, "", "", ""));
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), (commune, method));
    assert!((placement.confidence - confidence).abs() < 1e-9);
    assert!(placement.commune.is_none_or(|commune| commune.kind() == Kind::Commune));
}

#[rstest]
#[case::plain("35000", "Rennes", "35238")]
#[case::no_accents("42000", "SAINT ETIENNE", "42218")]
#[case::st("42100", "St-Étienne", "42218")]
#[case::st_with_dot("35400", "St. Malo", "35288")]
#[case::ste("69110", "Ste Foy les Lyon", "69202")]
#[case::article_left_out("76600", "Havre", "76351")]
#[case::article_behind("76600", "Havre (Le)", "76351")]
#[case::ligature("16310", "MONTEMBOEUF", "16225")]
#[case::lez("30400", "VILLENEUVE LEZ AVIGNON", "30351")]
#[case::diaeresis("94240", "L HAY LES ROSES", "94038")]
#[case::curly_apostrophe("94240", "L’Haÿ-les-Roses", "94038")]
#[case::sur("49290", "Chalonnes s/ Loire", "49063")]
#[case::lost_zero("1000", "Bourg-en-Bresse", "01053")]
#[case::spaced("35 000", "Rennes", "35238")]
#[case::postal_code_in_the_name("", "35000 Rennes", "35238")]
#[case::paris("75012", "Paris", "75056")]
#[case::paris_number("75011", "Paris 11e", "75056")]
#[case::marseille_number("13001", "MARSEILLE 1ER ARRONDISSEMENT", "13055")]
#[case::lyon_number("69003", "Lyon 03", "69123")]
#[case::corsica("20000", "ajaccio", "2A004")]
#[case::reunion("97400", "St Denis", "97411")]
#[case::noumea("98800", "Nouméa", "98818")]
#[case::delegated("69310", "Pierre-Bénite", "69149")]
#[case::delegated_with_postal_code_of_the_new_commune("49270", "Champtoceaux", "49126")]
fn postal_code_and_name(#[case] postal: &str, #[case] commune: &str, #[case] expected: &str) {
    let placement = COG.locate(&at("", postal, commune, ""));
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), (expected, "code_postal_et_nom"));
    assert!(placement.confidence >= 0.85);
}

#[rstest]
#[case::cedex("69421", "LYON CEDEX 03", "", "69123", 0.85)]
#[case::cedex_of_rennes("35042", "RENNES CEDEX", "", "35238", 0.85)]
#[case::cedex_in_the_postal_code("69421 CEDEX 03", "Lyon", "", "69123", 0.85)]
#[case::cedex_of_ajaccio("20186", "AJACCIO CEDEX 2", "", "2A004", 0.85)]
#[case::cedex_of_bastia("20297", "Bastia Cedex", "", "2B033", 0.85)]
#[case::cedex_of_corsica("20700", "AJACCIO CEDEX 9", "", "2A004", 0.85)]
#[case::cedex_of_reunion("97743", "ST DENIS CEDEX 9", "974", "97411", 0.85)]
#[case::departement_code("", "Brest", "29", "29019", 0.85)]
#[case::departement_name("", "Brest", "Finistère", "29019", 0.85)]
#[case::departement_short_code("", "Bourg-en-Bresse", "1", "01053", 0.85)]
#[case::departement_lower_case("", "Ajaccio", "2a", "2A004", 0.85)]
#[case::departement_of_old_corsica("", "Bastia", "20", "2B033", 0.85)]
#[case::departement_code_and_name("", "Villeurbanne", "69 - Rhône", "69266", 0.85)]
#[case::departement_name_and_code("", "St Denis", "Seine St Denis (93)", "93066", 0.85)]
#[case::postal_code_of_another_commune("35000", "Saint-Malo", "", "35288", 0.7)]
#[case::departement_against_postal_code("35042", "Rennes", "29", "35238", 0.6)]
#[case::article_left_out("", "Mans", "72", "72181", 0.8)]
#[case::arrondissement_alone("", "Lyon 3e", "", "69123", 0.85)]
#[case::delegated("", "Pierre-Bénite", "69", "69149", 0.8)]
fn name_and_departement(
    #[case] postal: &str,
    #[case] commune: &str,
    #[case] departement: &str,
    #[case] expected: &str,
    #[case] confidence: f64,
) {
    let placement = COG.locate(&at("", postal, commune, departement));
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), (expected, "nom_et_departement"));
    assert!((placement.confidence - confidence).abs() < 1e-9, "{}", placement.confidence);
}

#[rstest]
#[case::name_alone("", "Rennes", "", "nom_sans_departement")]
#[case::a_name_of_several_communes("", "Saint-Denis", "", "homonymes")]
#[case::a_name_of_none("", "Nulle-Part", "", "introuvable")]
#[case::a_name_beside_a_code_that_is_none("99", "Rennes", "", "introuvable")]
#[case::belgian("1000", "Bruxelles", "", "introuvable")]
#[case::abroad("H2X 1Y4", "Montréal", "Québec", "introuvable")]
#[case::nothing("", "", "", "non_renseigne")]
#[case::blank("  ", " ", "", "non_renseigne")]
#[case::marks_only("", "-", "", "introuvable")]
fn nothing_is_guessed(#[case] postal: &str, #[case] commune: &str, #[case] departement: &str, #[case] method: &str) {
    let placement = COG.locate(&at("", postal, commune, departement));
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), ("", method));
    assert!(placement.confidence.abs() < 1e-9);
    assert_eq!((placement.position, placement.longitude), (PositionOrigin::Aucune, None));
}

#[rstest]
#[case::without_name("35400", "", "", "35288", 0.7)]
#[case::hamlet("35400", "Rothéneuf", "", "35288", 0.5)]
#[case::paris("75012", "", "", "75056", 0.7)]
#[case::same_departement("35400", "", "35", "35288", 0.7)]
fn postal_code_alone(
    #[case] postal: &str,
    #[case] commune: &str,
    #[case] departement: &str,
    #[case] expected: &str,
    #[case] confidence: f64,
) {
    let placement = COG.locate(&at("", postal, commune, departement));
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), (expected, "code_postal_seul"));
    assert!((placement.confidence - confidence).abs() < 1e-9);
}

const HOMONYMS: &str = "code,nom,type,departement,region,epci,parent,codes_postaux,population,anciens_codes,longitude,\
                        latitude
01001,Les Mesnil,COM,01,84,,,01100,10,,5.1,46.1
01002,Bourg,COM,01,84,,,01200|01210,10,,5.2,46.2
01003,Le Bourg,COM,01,84,,,01300,10,,5.3,46.3
01004,Mesnil,COMD,01,84,,01002,,,,5.4,46.4
01005,Vieux,COMD,01,84,,01001,,,,5.5,46.5
01006,Vieux,COMD,01,84,,01002,,,,,
01007,Haut,COMD,01,84,,01003,,,,5.7,46.7
01008,Haut,COMA,01,84,,01003,,,,5.8,46.8
01009,Ville,COM,01,84,,,01900,10,,5.9,46.9
01010,Ville,COMD,01,84,,01003,,,,,
01011,Ville,COM,01,84,,,01950,10,,5.9,46.9
01012,Gare,COM,01,84,,,01960,10,,5.9,46.9
01013,Gare,COMD,01,84,,01003,,,,,
";

#[rstest]
#[case::two_communes("", "Ville", "", 0.9)]
#[case::two_communes_and_a_postal_code("01950", "Ville", "01011", 0.95)]
#[case::delegated_by_postal_code("01300", "Ville", "01003", 0.9)]
#[case::parts_of_two_communes("", "Vieux", "", 0.9)]
#[case::parts_of_two_communes_and_a_postal_code("01210", "Vieux", "01002", 0.9)]
#[case::parts_of_one_commune("", "Haut", "01003", 0.8)]
#[case::commune_before_part_of_another("", "Gare", "01012", 0.85)]
#[case::official_name_first("", "Bourg", "01002", 0.85)]
#[case::article_first("", "Le Bourg", "01003", 0.85)]
fn homonyms(#[case] postal: &str, #[case] commune: &str, #[case] expected: &str, #[case] confidence: f64) {
    let departement = b"code,nom,region,zone,chef_lieu\n01,Ain,84,metro,01001\n";
    let cog = Cog::parse(HOMONYMS.as_bytes(), departement, b"code,nom,zone,chef_lieu\n", b"code,nom,type,population\n");
    let cog = cog.unwrap();
    let placement = cog.locate(&at("", postal, commune, "Ain"));
    assert_eq!(code(&placement), expected);
    assert!((placement.confidence - confidence).abs() < 1e-9, "{}", placement.confidence);
}

#[test]
fn a_postal_code_of_another_departement_is_not_enough() {
    let placement = COG.locate(&at("", "35400", "", "29"));
    assert_eq!((placement.commune, placement.method), (None, Method::DepartementSeul));
    assert_eq!(placement.departement.map(crate::territory::Departement::code), Some("29"));
}

#[rstest]
#[case::homonyms("", "Castillon", "64", "", ("departement", "departement_seul", "64", "75"))]
#[case::homonyms_of_one_postal_code("58120", "Château-Chinon", "", "", ("departement", "departement_par_code_postal", "58", "27"))]
#[case::postal_code_of_many("01400", "", "", "", ("departement", "departement_par_code_postal", "01", "84"))]
#[case::departement_only("", "", "35", "", ("departement", "departement_seul", "35", "53"))]
#[case::departement_in_capitals("", "", "HAUTE-GARONNE", "", ("departement", "departement_seul", "31", "76"))]
#[case::region_only("", "", "", "Bretagne", ("region", "region_seule", "", "53"))]
#[case::region_in_short("", "", "", "PACA", ("region", "region_seule", "", "93"))]
#[case::region_without_hyphens("", "", "", "Auvergne-Rhône Alpes", ("region", "region_seule", "", "84"))]
#[case::region_without_article("", "", "", "Réunion", ("region", "region_seule", "", "04"))]
#[case::region_of_before_2016("", "", "", "Midi-Pyrénées", ("region", "region_seule", "", "76"))]
#[case::departement_in_the_place_of_the_region("", "", "", "Lozère", ("departement", "departement_seul", "48", "76"))]
#[case::cedex_without_commune("45074", "", "", "", ("departement", "departement_par_code_postal", "45", "24"))]
fn a_row_without_a_commune_is_placed_above_it_and_has_no_point(
    #[case] postal: &str,
    #[case] commune: &str,
    #[case] departement: &str,
    #[case] region: &str,
    #[case] expected: (&str, &str, &str, &str),
) {
    let input = PlaceInput { region: Some(region), ..at("", postal, commune, departement) };
    let placement = COG.locate(&input);
    let departement = placement.departement.map_or("", crate::territory::Departement::code);
    let region = placement.region.map_or("", crate::territory::Region::code);
    assert_eq!((placement.level.as_str(), placement.method.as_str(), departement, region), expected);
    assert_eq!((placement.commune, placement.longitude, placement.position), (None, None, PositionOrigin::Aucune));
}

#[test]
fn a_region_tells_homonyms_apart() {
    let input = PlaceInput { region: Some("Bretagne"), ..at("", "", "Saint-Denis", "") };
    assert_eq!(COG.locate(&input).commune, None, "there is none in Bretagne");
    let input = PlaceInput { region: Some("Île-de-France"), ..at("", "", "Saint-Denis", "") };
    assert_eq!(code(&COG.locate(&input)), "93066");
}

#[test]
fn a_point_in_the_sea_gives_way_to_the_centre() {
    // Off Saint-Malo, 25 km from its centre.
    let sea = PlaceInput { longitude: Some(-2.0), latitude: Some(48.87), ..at("35288", "", "", "") };
    let placement = COG.locate(&sea);
    assert_eq!(placement.position, PositionOrigin::CentreCommune);
    assert_eq!(placement.corrections.last().unwrap().rule, "coordonnees_hors_de_france");
    // On land, in the département next to it.
    let beside = PlaceInput { longitude: Some(-2.2), latitude: Some(48.5), ..at("35288", "", "", "") };
    assert_eq!(COG.locate(&beside).corrections.last().unwrap().rule, "coordonnees_autre_departement");
}

#[rstest]
#[case::code("75112", "", "", "75112")]
#[case::postal_code("", "75012", "Paris", "75112")]
#[case::both_codes_of_the_sixteenth("", "75116", "Paris", "75116")]
#[case::name("", "", "MARSEILLE 1ER ARRONDISSEMENT", "13201")]
#[case::name_and_cedex("", "69421", "LYON 03 CEDEX", "69383")]
#[case::contradiction("", "75012", "Paris 11e", "")]
#[case::unknown("", "75999", "Paris", "")]
fn arrondissements(#[case] insee: &str, #[case] postal: &str, #[case] commune: &str, #[case] expected: &str) {
    let placement = COG.locate(&at(insee, postal, commune, ""));
    assert!(matches!(code(&placement).as_str(), "75056" | "69123" | "13055"));
    assert_eq!(placement.arrondissement.map_or("", |row| row.code()), expected);
    let centre = placement.arrondissement.or(placement.commune).and_then(Commune::longitude);
    assert_eq!(placement.longitude, centre);
}

#[rstest]
#[case::lost_zero("1053", "", "", &[(rule::INSEE_FORM, "1053", "01053")])]
#[case::lower_case("2a004", "", "", &[(rule::INSEE_FORM, "2a004", "2A004")])]
#[case::former_code("69152", "", "", &[(rule::FORMER_CODE, "69152", "69149")])]
#[case::cedex("", "69421", "LYON CEDEX 03", &[(rule::CEDEX, "LYON CEDEX 03", "Lyon")])]
#[case::postal_code("", "1000", "Bourg en Bresse", &[(rule::POSTAL_FORM, "1000", "01000")])]
#[case::nothing("35238", "35000", "RENNES", &[])]
fn what_was_put_right_is_told(
    #[case] insee: &str,
    #[case] postal: &str,
    #[case] commune: &str,
    #[case] expected: &[(&str, &str, &str)],
) {
    let placement = COG.locate(&at(insee, postal, commune, ""));
    let told = placement.corrections.iter().map(|c| (c.rule, c.before.as_str(), c.after.as_str()));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// Rows of the registers of the CGET (2019) and of the Pays de la Loire (2021), and some like them.
#[rstest]
#[case::geocoded_into_the_neighbour(("93070", "75018", "Paris", "75"), Some((2.332_991, 48.901_078)), "75056", "code_postal_et_nom", 0.75, &[("code_insee_contredit", "93070", "75056")])]
#[case::point_in_the_named_commune(("33318", "33400", "Talence", "33"), Some((-0.606_818, 44.806_312)), "33522", "code_postal_et_nom", 0.75, &[("code_insee_contredit", "33318", "33522")])]
#[case::point_in_the_commune_of_the_code(("35238", "35340", "Liffré", "35"), Some((-1.634_903, 48.130_107)), "35238", "code_insee", 0.6, &[("code_insee_douteux", "35340 Liffré 35", "35238")])]
#[case::no_point(("13055", "35340", "Liffré", ""), None, "35152", "code_postal_et_nom", 0.75, &[("code_insee_contredit", "13055", "35152")])]
#[case::no_point_and_a_departement_with_the_code(("13055", "35340", "Liffré", "13"), None, "13055", "code_insee", 0.6, &[("code_insee_douteux", "35340 Liffré 13", "13055")])]
#[case::a_name_within_another_departement(("13119", "", "Liffré", "35"), None, "35152", "nom_et_departement", 0.75, &[("code_insee_contredit", "13119", "35152")])]
#[case::another_departement_and_no_point_there(("13119", "13470", "Carnoux-en-Provence", "85"), Some((5.550_263, 43.247_391)), "13119", "code_insee", 0.6, &[("code_insee_douteux", "13470 Carnoux-en-Provence 85", "13119")])]
#[case::name_of_another_commune(("01043", "", "Miribel", "01"), Some((4.991_524, 45.823_57)), "01043", "code_insee", 0.6, &[("code_insee_douteux", "Miribel 01", "01043")])]
#[case::postal_code_of_another_departement(("35238", "75018", "", ""), None, "35238", "code_insee", 0.6, &[("code_insee_douteux", "75018", "35238")])]
#[case::name_of_a_commune_elsewhere(("35238", "", "Marseille", ""), None, "35238", "code_insee", 0.6, &[("code_insee_douteux", "Marseille", "35238")])]
#[case::the_same_beside_its_postal_code(("35238", "35000", "Marseille", ""), None, "35238", "code_insee", 0.6, &[("code_insee_douteux", "35000 Marseille", "35238")])]
#[case::name_of_several_communes_elsewhere(("35238", "", "Saint-Denis", ""), None, "35238", "code_insee", 0.6, &[("code_insee_douteux", "Saint-Denis", "35238")])]
#[case::a_quarter_that_bears_the_name_of_several_communes(("35238", "35000", "Beaulieu", "35"), None, "35238", "code_insee", 1.0, &[])]
#[case::a_short_name_that_another_commune_bears(("35051", "35510", "Cesson", "35"), None, "35051", "code_insee", 1.0, &[])]
#[case::a_short_name_alone(("64371", "", "MAULEON", ""), None, "64371", "code_insee", 1.0, &[])]
#[case::a_part_of_the_commune(("49307", "49630", "Corné", "49"), None, "49307", "code_insee", 1.0, &[])]
#[case::an_unknown_spelling(("94003", "94110", "Arceuil", "94"), None, "94003", "code_insee", 1.0, &[])]
#[case::a_cedex(("35238", "35042", "Rennes Cedex", "35"), None, "35238", "code_insee", 1.0, &[])]
#[case::a_hamlet_of_a_neighbour_s_post_office(("35238", "35400", "Rothéneuf", ""), None, "35238", "code_insee", 1.0, &[])]
#[case::abolished_in_another_departement(("02344", "51480", "", "02"), None, "51171", "ancien_code", 0.95, &[("ancien_code", "02344", "51171")])]
#[case::a_zero_was_lost(("1053", "1000", "Bourg en Bresse", "1"), None, "01053", "code_insee", 1.0, &[("code_insee_forme", "1053", "01053")])]
fn a_code_is_held_against_what_stands_beside_it(
    #[case] (insee, postal, commune, departement): (&str, &str, &str, &str),
    #[case] point: Option<(f64, f64)>,
    #[case] expected: &str,
    #[case] method: &str,
    #[case] confidence: f64,
    #[case] told: &[(&str, &str, &str)],
) {
    let (longitude, latitude) = point.unzip();
    let placement = COG.locate(&PlaceInput { longitude, latitude, ..at(insee, postal, commune, departement) });
    assert_eq!((code(&placement).as_str(), placement.method.as_str()), (expected, method));
    assert!((placement.confidence - confidence).abs() < 1e-9, "{}", placement.confidence);
    let corrections = placement.corrections.iter().map(|c| (c.rule, c.before.as_str(), c.after.as_str()));
    let of_code = corrections.filter(|(rule, ..)| rule.contains("code"));
    assert_eq!(of_code.collect::<Vec<_>>(), told);
}

#[rstest]
// SICTIAM, Sophia Antipolis: the code is Hérouville-Saint-Clair's, 838 km away.
#[case::unknown_name(("14327", "", "Sophia Antipolis", "06"), (7.0412, 43.627_222), "06")]
// L'Usine-Tribu Créative, Vendée: postal code and name are the geocoder's, like the code.
#[case::all_but_the_departement(("13119", "13470", "Carnoux-en-Provence", "85"), (-1.352_452, 46.954_246), "85")]
fn a_code_that_departement_and_point_refute_leaves_the_row_in_the_departement(
    #[case] (insee, postal, commune, departement): (&str, &str, &str, &str),
    #[case] (longitude, latitude): (f64, f64),
    #[case] expected: &str,
) {
    let input = at(insee, postal, commune, departement);
    let input = PlaceInput { longitude: Some(longitude), latitude: Some(latitude), ..input };
    let placement = COG.locate(&input);
    assert_eq!((placement.commune, placement.method.as_str()), (None, "departement_seul"));
    assert_eq!(placement.departement.map(crate::territory::Departement::code), Some(expected));
    assert_eq!((placement.position, placement.longitude), (PositionOrigin::Source, Some(longitude)));
    assert_eq!(placement.corrections.len(), 1);
    assert_eq!((placement.corrections[0].rule, placement.corrections[0].after.as_str()), ("code_insee_contredit", ""));
    assert!((placement.confidence - 0.7).abs() < 1e-9);
    // With a région in the département's place it is the same, one level up.
    let region = Some(if expected == "06" { "PACA" } else { "Pays de la Loire" });
    let placement = COG.locate(&PlaceInput { departement: None, region, postal: None, ..input });
    assert_eq!((placement.commune, placement.level), (None, Level::Region));
}

#[test]
fn a_delegated_commune_is_placed_at_its_own_centre() {
    let delegated = COG.communes().iter().find(|c| c.code() == "69152").unwrap();
    let placement = COG.locate(&at("69152", "", "", ""));
    assert_eq!((placement.longitude, placement.latitude), (delegated.longitude(), delegated.latitude()));
    assert_eq!(placement.position, PositionOrigin::CentreCommune);
    let without_centre = COG.locate(&at("25010", "", "", ""));
    assert_eq!(without_centre.longitude, COG.commune("25223").unwrap().longitude());
}

#[rstest]
#[case::own_point(48.11, -1.68, "source")]
#[case::swapped(-1.68, 48.11, "source_inversee")]
#[case::far(43.3, 5.4, "centre_commune")]
#[case::zero(0.0, 0.0, "centre_commune")]
fn points_are_checked_against_the_commune(#[case] latitude: f64, #[case] longitude: f64, #[case] origin: &str) {
    let input = PlaceInput { longitude: Some(longitude), latitude: Some(latitude), ..at("35238", "", "", "") };
    let placement = COG.locate(&input);
    assert_eq!(placement.position.as_str(), origin);
    assert!((placement.latitude.unwrap() - 48.11).abs() < 0.1);
}

#[rstest]
#[case::a_point_alone("", Method::PointSeul)]
#[case::unknown_commune("Nulle-Part", Method::Introuvable)]
fn a_point_is_kept_without_a_commune(#[case] commune: &str, #[case] method: Method) {
    let input = PlaceInput { longitude: Some(-1.68), latitude: Some(48.11), ..at("", "", commune, "") };
    let placement = COG.locate(&input);
    assert_eq!((placement.method, placement.position), (method, PositionOrigin::Source));
    assert_eq!((placement.longitude, placement.distance_km), (Some(-1.68), None));
}

#[rstest]
#[case::cantal("15031")]
#[case::overseas("98818")]
fn a_commune_without_centre_keeps_a_point_in_france(#[case] insee: &str) {
    assert_eq!(COG.locate(&at(insee, "", "", "")).position, PositionOrigin::Aucune);
    let input = PlaceInput { longitude: Some(2.96), latitude: Some(45.12), ..at(insee, "", "", "") };
    assert_eq!(COG.locate(&input).position, PositionOrigin::Source);
}

#[test]
fn a_point_out_of_bounds_and_nothing_else_is_not_found() {
    let point =
        |longitude, latitude| PlaceInput { longitude: Some(longitude), latitude: Some(latitude), ..at("", "", "", "") };
    assert_eq!(COG.locate(&point(400.0, 2.0)).method, Method::Introuvable);
    assert_eq!(COG.locate(&point(0.0, 0.0)).method, Method::NonRenseigne);
}

#[test]
fn every_commune_is_found_by_its_code() {
    for row in COG.communes() {
        let placement = COG.locate(&at(row.code(), "", "", ""));
        assert_eq!(code(&placement), row.parent().unwrap_or_else(|| row.code()), "{}", row.code());
        assert!(COG.commune(row.code()).is_some());
    }
}

#[test]
fn names_with_their_departement_find_their_commune_or_nothing() {
    let (mut found, mut homonyms) = (0, 0);
    for row in COG.communes().iter().filter(|row| row.kind() == Kind::Commune) {
        let placement = COG.locate(&at("", "", &row.nom().to_uppercase(), row.departement()));
        match placement.commune {
            Some(commune) => {
                assert_eq!(commune.code(), row.code(), "{}", row.nom());
                found += 1;
            }
            None => homonyms += 1,
        }
    }
    assert!(found > 34_900 && homonyms < 60, "{found} found, {homonyms} homonyms");
}

proptest! {
    #[test]
    fn any_text_and_number_is_placed_without_panic(
        texts in proptest::array::uniform4(prop_oneof![
            "\\PC{0,20}", "[0-9]{0,6}", "2[aAbB][0-9]{3}", "(paris|Lyon|MARSEILLE|St|le)[ -]?[0-9a-z( )/]{0,8}",
        ]),
        longitude in proptest::option::of(proptest::num::f64::ANY),
        latitude in proptest::option::of(-100.0..100.0),
    ) {
        let [insee, postal, commune, departement] = &texts;
        let placement = COG.locate(&PlaceInput { longitude, latitude, ..at(insee, postal, commune, departement) });
        prop_assert!((0.0..=1.0).contains(&placement.confidence));
        prop_assert!(placement.commune.is_none_or(|commune| commune.kind() == Kind::Commune));
        prop_assert_eq!(placement.longitude.is_none(), placement.position == PositionOrigin::Aucune);
        prop_assert!(placement.longitude.is_none_or(f64::is_finite));
    }
}
