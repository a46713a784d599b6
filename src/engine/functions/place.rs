//! Functions of places.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;

use super::{Argument, Function, Nulls, downcast};

/// Mean radius of the earth, R1 of GRS 80 (Moritz, Geodetic Reference System 1980, Journal of Geodesy 74, 2000).
const RADIUS_KM: f64 = 6371.0088;

pub(super) static DISTANCE_KM: Function = Function {
    name: "distance_km",
    arguments: &[
        ("lon1", Argument::Number),
        ("lat1", Argument::Number),
        ("lon2", Argument::Number),
        ("lat2", Argument::Number),
    ],
    returns: || DataType::Float64,
    nulls: Nulls::OfArguments,
    run: distance_km,
    description: "Great-circle distance in kilometres between two places in degrees (WGS 84, longitude first), by \
                  the haversine formula on a sphere of 6371.0088 km; within 0.6 % of the distance on the ellipsoid.",
    example: "SELECT distance_km(2.3522, 48.8566, 4.8357, 45.7640) -- 391.5, Paris to Lyon",
};

fn distance_km(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let from: (&Float64Array, &Float64Array) = (downcast(arrays, 0)?, downcast(arrays, 1)?);
    let to: (&Float64Array, &Float64Array) = (downcast(arrays, 2)?, downcast(arrays, 3)?);
    let pairs = from.0.iter().zip(from.1).zip(to.0.iter().zip(to.1));
    let distances = pairs.map(|((lon1, lat1), (lon2, lat2))| Some(haversine((lon1?, lat1?), (lon2?, lat2?))));
    Ok(Arc::new(distances.collect::<Float64Array>()))
}

fn haversine(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (lat1, lat2) = (from.1.to_radians(), to.1.to_radians());
    let half_lat = ((lat2 - lat1) / 2.0).sin();
    let half_lon = ((to.0 - from.0).to_radians() / 2.0).sin();
    let chord = half_lat * half_lat + lat1.cos() * lat2.cos() * half_lon * half_lon;
    2.0 * RADIUS_KM * chord.clamp(0.0, 1.0).sqrt().asin()
}
