//! Figures as pictures, for slides and text processors that take no SVG.

use std::collections::BTreeSet;
use std::fs;

use resvg::tiny_skia::Pixmap;
use roxmltree::Document;

use super::{DATASET, page, parsed};
use crate::harness::Project;

const FIGURES: [&str; 3] = ["figure_1_echelle_action", "figure_2_types_accompagnes", "figure_3_modalites"];

#[test]
fn every_figure_is_a_picture_too_the_same_each_time_and_offered_beside_it() {
    let [one, two] = [Project::shipped(), Project::shipped()];
    one.run();
    two.run();
    let manifest = one.json(&format!("data/public/{DATASET}/latest/manifest.json"));
    let package = one.json(&format!("data/public/{DATASET}/latest/datapackage.json"));
    let html = page(&one, &format!("{DATASET}/index.html"));
    let site = parsed(&html);
    for figure in FIGURES {
        let name = format!("{figure}.png");
        let bytes = fs::read(one.latest(DATASET).join(&name)).unwrap();
        assert!(bytes == fs::read(two.latest(DATASET).join(&name)).unwrap(), "{name} is not the same again");
        let picture = Pixmap::decode_png(&bytes).unwrap();
        let svg = fs::read_to_string(one.latest(DATASET).join(format!("{figure}.svg"))).unwrap();
        let drawing = Document::parse(&svg).unwrap();
        let of = |name: &str| drawing.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        assert_eq!((picture.width(), picture.height()), (2 * of("width"), 2 * of("height")));
        println!("{name}: {} x {}, {} bytes", picture.width(), picture.height(), bytes.len());
        // Bars are there, and text in each third of the height.
        let colour = |pixel: &resvg::tiny_skia::PremultipliedColorU8| (pixel.red(), pixel.green(), pixel.blue());
        let colours: BTreeSet<_> = picture.pixels().iter().map(colour).collect();
        assert!(colours.contains(&(0x1f, 0x3f, 0x6b)) && colours.len() > 20, "{name} has {} colours", colours.len());
        for third in picture.pixels().chunks(picture.pixels().len() / 3) {
            let dark = third.iter().filter(|pixel| pixel.red() < 0x60).count();
            assert!(dark > 200 || third.len() < 3000, "a third of {name} is blank");
        }
        assert!(picture.pixels().iter().all(|pixel| pixel.alpha() == 255), "{name} has holes");
        let listed = manifest["files"].as_array().unwrap().iter().find(|file| file["path"] == name.as_str()).unwrap();
        assert_eq!((&listed["media_type"], &listed["bytes"]), (&"image/png".into(), &bytes.len().into()));
        assert!(package["resources"].as_array().unwrap().iter().any(|file| file["path"] == name.as_str()));
        let offered = site.descendants().filter(|node| node.tag_name().name() == "figcaption");
        let offered = offered.flat_map(|caption| caption.descendants().filter_map(|node| node.attribute("href")));
        assert!(offered.filter(|href| href.ends_with(&name)).count() == 1, "{name} is not offered");
    }
}
