//! From the coordinate systems of sources to WGS 84.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use proj4rs::Proj;

/// Parameters of PROJ for each system that [`config`](crate::config::crs::KNOWN) lets a pipeline name, as in the EPSG
/// registry. RGF93, RGR92, RGM04, RGAF09 and the other French frames are within centimetres of WGS 84.
fn parameters(epsg: u16) -> Option<String> {
    let grs80 = "+ellps=GRS80 +towgs84=0,0,0 +units=m +no_defs";
    let utm = |zone: u16, south: &str| Some(format!("+proj=utm +zone={zone} {south} {grs80}"));
    match epsg {
        2154 => Some(format!("+proj=lcc +lat_0=46.5 +lon_0=3 +lat_1=49 +lat_2=44 +x_0=700000 +y_0=6600000 {grs80}")),
        // Conic conformal zones, one for each degree of latitude (décret 2006-272).
        3942..=3950 => {
            let latitude = epsg - 3900;
            let northing = u32::from(latitude - 41) * 1_000_000 + 200_000;
            let (south, north) = (f64::from(latitude) - 0.75, f64::from(latitude) + 0.75);
            Some(format!(
                "+proj=lcc +lat_0={latitude} +lon_0=3 +lat_1={south} +lat_2={north} +x_0=1700000 +y_0={northing} {grs80}"
            ))
        }
        27572 => Some(
            "+proj=lcc +lat_1=46.8 +lat_0=46.8 +lon_0=0 +k_0=0.99987742 +x_0=600000 +y_0=2200000 +a=6378249.2 \
             +b=6356515 +towgs84=-168,-60,320,0,0,0,0 +pm=paris +units=m +no_defs"
                .to_owned(),
        ),
        3857 => Some(
            "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
                .to_owned(),
        ),
        5490 => utm(20, ""),
        2972 => utm(22, ""),
        2975 => utm(40, "+south"),
        4471 => utm(38, "+south"),
        4467 => utm(21, ""),
        3297 => utm(6, "+south"),
        3163 => Some(format!(
            "+proj=lcc +lat_0=-21.5 +lon_0=166 +lat_1=-20.6666666666667 +lat_2=-22.3333333333333 +x_0=400000 \
             +y_0=300000 {grs80}"
        )),
        _ => None,
    }
}

type Projections = BTreeMap<u16, Option<(Proj, Proj)>>;

/// A point in a coordinate system as longitude and latitude in degrees; none when it has none there, or the system is
/// not known. WGS 84 itself (4326) comes back as it is.
pub fn to_wgs84(epsg: u16, point: (f64, f64)) -> Option<(f64, f64)> {
    static KNOWN: OnceLock<Mutex<Projections>> = OnceLock::new();
    if epsg == 4326 {
        return Some(point);
    }
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let projection = known.entry(epsg).or_insert_with(|| {
        let from = Proj::from_proj_string(&parameters(epsg)?).ok()?;
        Some((from, Proj::from_proj_string("+proj=longlat +datum=WGS84 +no_defs").ok()?))
    });
    let (from, to) = projection.as_ref()?;
    let mut moved = (point.0, point.1, 0.0);
    proj4rs::transform::transform(from, to, &mut moved).ok()?;
    let degrees = (moved.0.to_degrees(), moved.1.to_degrees());
    (degrees.0.is_finite() && degrees.1.is_finite()).then_some(degrees)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::territory::haversine_km;

    // Expected values: pyproj (PROJ), `Transformer.from_crs(code, 4326, always_xy=True)`. PROJ uses a grid for Lambert II,
    // which is why that one is metres off.
    #[rstest]
    #[case::lambert_93(2154, (652_381.0, 6_862_047.0), (2.350_999_077, 48.856_699_082), 1.0)]
    #[case::cc42(3942, (1_700_500.0, 1_200_500.0), (3.006_035_888, 42.004_501_756), 1.0)]
    #[case::cc47(3947, (1_355_000.0, 6_220_000.0), (-1.546_687_274, 47.089_829_340), 1.0)]
    #[case::cc50(3950, (1_700_500.0, 9_250_000.0), (3.007_040_160, 50.449_538_952), 1.0)]
    #[case::lambert_2(27572, (600_000.0, 2_428_000.0), (2.336_505_663, 48.850_346_593), 10.0)]
    #[case::web_mercator(3857, (261_845.7, 6_250_564.3), (2.352_199_944, 48.856_599_707), 1.0)]
    #[case::antilles(5490, (656_000.0, 1_800_000.0), (-61.540_055_654, 16.275_796_973), 1.0)]
    #[case::guyane(2972, (354_000.0, 545_000.0), (-52.316_788_427, 4.929_359_570), 1.0)]
    #[case::reunion(2975, (338_000.0, 7_690_000.0), (55.442_593_827, -20.883_144_691), 1.0)]
    #[case::mayotte(4471, (520_000.0, 8_590_000.0), (45.184_251_797, -12.754_552_846), 1.0)]
    #[case::saint_pierre(4467, (560_000.0, 5_180_000.0), (-56.214_143_938, 46.770_851_525), 1.0)]
    #[case::noumea(3163, (446_000.0, 213_000.0), (166.446_371_980, -22.285_168_240), 1.0)]
    #[case::tahiti(3297, (229_000.0, 8_055_000.0), (-149.553_173_996, -17.575_091_876), 5.0)]
    fn points_come_out_where_they_are(
        #[case] epsg: u16,
        #[case] point: (f64, f64),
        #[case] expected: (f64, f64),
        #[case] metres: f64,
    ) {
        let found = to_wgs84(epsg, point).unwrap();
        assert!(haversine_km(found, expected) * 1000.0 <= metres, "{found:?}");
    }

    #[test]
    fn every_system_that_a_pipeline_may_name_is_known() {
        for (epsg, title) in crate::config::crs::KNOWN {
            let origin = if epsg == 4326 { (2.0, 47.0) } else { (700_000.0, 6_600_000.0) };
            assert!(epsg == 4326 || parameters(epsg).is_some(), "{epsg} {title}");
            assert!(to_wgs84(epsg, origin).is_some(), "{epsg} {title}");
        }
    }
}
