use proptest::prelude::*;
use rstest::rstest;

use super::*;

const LONG: &str = "Coopérations « non modélisées » (sans modèle préexistant tel que PTCE, tiers-lieu, PAT)";

fn bar(label: &str, value: f64) -> Bar {
    Bar { label: label.to_owned(), value: Some(value), secret: false }
}

fn secret(label: &str) -> Bar {
    Bar { label: label.to_owned(), value: None, secret: true }
}

fn figure(bars: Vec<Bar>) -> Figure {
    Figure {
        title: "Échelle d'action".to_owned(),
        subtitle: Some("Nombre de structures".to_owned()),
        bars,
        unit: Unit::Count,
        base: "Base : 62 structures répondantes".to_owned(),
        notes: vec!["Lecture : 41 structures agissent à l'échelle locale.".to_owned()],
        source: "Source : questionnaire.".to_owned(),
        synthetic: true,
        language: Language::Fr,
        id_prefix: "figure-1".to_owned(),
        threshold: 5,
    }
}

/// All text drawn, line ends read as the space they stand for.
fn drawn(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.descendants().filter(roxmltree::Node::is_text).filter_map(|t| t.text()).collect()).collect()
}

fn height(svg: &str) -> f64 {
    roxmltree::Document::parse(svg).unwrap().root_element().attribute("height").unwrap().parse().unwrap()
}

fn widths_of_bars(svg: &str) -> Vec<f64> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let bars = document.descendants().filter(|node| node.attribute("fill") == Some("#1f3f6b"));
    bars.map(|node| node.attribute("width").unwrap().parse().unwrap()).collect()
}

#[test]
fn everything_given_is_printed_whole() {
    let svg = svg(&figure(vec![bar(LONG, 22.0), bar("Locale", 41.0)]));
    let drawn = drawn(&svg);
    for words in [
        LONG,
        "Locale",
        "22",
        "41",
        "Échelle d'action",
        "Nombre de structures",
        "Base : 62 structures répondantes",
        "Lecture : 41 structures agissent à l'échelle locale.",
        "Source : questionnaire.",
        "Données synthétiques\u{A0}: aucune structure réelle",
    ] {
        assert!(drawn.iter().any(|text| text == words), "{words} is not in {drawn:?}");
    }
}

#[test]
fn the_description_tells_every_value() {
    let svg = svg(&figure(vec![bar("Locale", 41.0), secret("Nationale")]));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let named: Vec<&str> = root.attribute("aria-labelledby").unwrap().split(' ').collect();
    let text = |id: &str| {
        document.descendants().find(|node| node.attribute("id") == Some(id)).and_then(|node| node.text()).unwrap()
    };
    assert_eq!(text(named[0]), "Échelle d'action");
    assert_eq!(
        text(named[1]),
        "Données synthétiques\u{A0}: aucune structure réelle. Nombre de structures. \
         Diagramme à 2 barres horizontales\u{A0}: Locale\u{A0}: 41\u{A0}; Nationale\u{A0}: valeur masquée (secret \
         statistique). Base : 62 structures répondantes. Lecture : 41 structures agissent à l'échelle locale. \
         Source : questionnaire."
    );
}

#[test]
fn longer_labels_make_a_taller_figure() {
    let short = height(&svg(&figure(vec![bar("Locale", 41.0)])));
    let wrapped = height(&svg(&figure(vec![bar(LONG, 41.0)])));
    let longest = height(&svg(&figure(vec![bar(&LONG.repeat(3), 41.0)])));
    assert!(short < wrapped && wrapped < longest, "{short} {wrapped} {longest}");
}

#[test]
fn bars_are_as_long_as_their_values() {
    let widths = widths_of_bars(&svg(&figure(vec![bar("a", 40.0), bar("b", 10.0), bar("c", 0.0)])));
    assert_eq!(widths.len(), 2);
    assert!((widths[0] / widths[1] - 4.0).abs() < 0.001, "{widths:?}");
}

#[rstest]
#[case::count(Unit::Count, "<\u{A0}5")]
#[case::percent(Unit::Percent, "n\u{A0}<\u{A0}5")]
fn a_withheld_value_is_nowhere_in_the_file(#[case] unit: Unit, #[case] sign: &str) {
    let with = |value| {
        let hidden = Bar { label: "Internationale".to_owned(), value, secret: true };
        svg(&Figure { unit, ..figure(vec![bar("Locale", 41.0), hidden]) })
    };
    assert_eq!(with(Some(777.0)), with(None));
    let drawn = drawn(&with(None));
    assert!(drawn.iter().any(|text| text == sign), "{drawn:?}");
    assert!(drawn.iter().any(|text| text.contains("secret statistique")));
}

#[test]
fn a_figure_of_withheld_values_has_no_scale() {
    let svg = svg(&figure(vec![secret("Locale"), secret("Nationale")]));
    assert_eq!(widths_of_bars(&svg), [0.0; 0]);
    assert!(!drawn(&svg).iter().any(|text| text == "0"));
}

#[rstest]
#[case::absent(None)]
#[case::negative(Some(-1.0))]
#[case::not_a_number(Some(f64::NAN))]
#[case::endless(Some(f64::INFINITY))]
fn a_value_that_cannot_be_drawn_is_said_to_be_missing(#[case] value: Option<f64>) {
    let svg = svg(&figure(vec![Bar { label: "Locale".to_owned(), value, secret: false }]));
    assert!(drawn(&svg).iter().any(|text| text == "n.\u{A0}d."));
    assert!(!svg.contains("NaN") && !svg.contains("inf\""));
}

#[test]
fn a_figure_without_bars_says_so() {
    let empty = Figure { language: Language::En, ..figure(Vec::new()) };
    assert!(drawn(&svg(&empty)).iter().any(|text| text == "No data"));
    assert!(drawn(&svg(&figure(Vec::new()))).iter().any(|text| text == "Aucune donnée"));
}

#[test]
fn zeros_are_printed_and_have_no_bar() {
    let svg = svg(&figure(vec![bar("Locale", 0.0), bar("Nationale", 0.0)]));
    assert_eq!(widths_of_bars(&svg), [0.0; 0]);
    assert!(drawn(&svg).iter().filter(|text| *text == "0").count() >= 2);
}

#[test]
fn nothing_outside_the_file_is_referred_to() {
    let svg = svg(&Figure { id_prefix: "1 <é\"".to_owned(), ..figure(vec![secret("</text><script>&\"'")]) });
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(document.descendants().all(|node| !node.has_tag_name("script") && !node.has_tag_name("image")));
    assert!(document.descendants().all(|node| node.attribute("href").is_none()));
    assert!(drawn(&svg).iter().any(|text| text == "</text><script>&\"'"));
    assert!(svg.contains("id=\"figure-1-----title\""), "{svg}");
}

proptest! {
    #[test]
    fn any_text_and_number_give_well_formed_svg(
        words in proptest::collection::vec(any::<String>(), 5),
        bars in proptest::collection::vec((any::<String>(), any::<Option<f64>>(), any::<bool>()), 0..40),
        percent in any::<bool>(),
        french in any::<bool>(),
    ) {
        let given = Figure {
            title: words[0].clone(),
            subtitle: Some(words[1].clone()),
            bars: bars.into_iter().map(|(label, value, secret)| Bar { label, value, secret }).collect(),
            unit: if percent { Unit::Percent } else { Unit::Count },
            base: words[2].clone(),
            notes: vec![words[3].clone()],
            source: words[4].clone(),
            synthetic: percent,
            language: if french { Language::Fr } else { Language::En },
            id_prefix: words[0].clone(),
            threshold: 5,
        };
        let svg = svg(&given);
        prop_assert!(roxmltree::Document::parse(&svg).is_ok(), "{}", svg);
        prop_assert!(!svg.contains("NaN"));
    }
}
