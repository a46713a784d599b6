//! Coordinate systems that a source may use.

/// EPSG codes of systems in degrees that are WGS 84 within a metre: itself, in two and three dimensions, ETRS89, RGF93 and
/// the overseas frames RGAF09, RGFG95, RGR92, RGM04 and RGSPM06.
pub const WGS_84: [u16; 9] = [4326, 4979, 4258, 4171, 5489, 4624, 4627, 4470, 4463];

/// EPSG codes and titles. [`territory`](crate::territory) knows how each is turned into WGS 84.
pub const KNOWN: [(u16, &str); 20] = [
    (4326, "WGS 84"),
    (2154, "Lambert-93"),
    (3857, "Web Mercator"),
    (27572, "Lambert II étendu"),
    (3942, "CC42"),
    (3943, "CC43"),
    (3944, "CC44"),
    (3945, "CC45"),
    (3946, "CC46"),
    (3947, "CC47"),
    (3948, "CC48"),
    (3949, "CC49"),
    (3950, "CC50"),
    (5490, "Antilles, UTM 20N"),
    (2972, "Guyane, UTM 22N"),
    (2975, "La Réunion, UTM 40S"),
    (4471, "Mayotte, UTM 38S"),
    (4467, "Saint-Pierre-et-Miquelon, UTM 21N"),
    (3163, "Nouvelle-Calédonie, Lambert"),
    (3297, "Polynésie, UTM 6S"),
];
