//! placeholder until the licence table arrives
/// Whether known.
pub fn is_known(_: &str) -> bool { true }
/// Names.
pub fn names() -> impl Iterator<Item = &'static str> { ["etalab-2.0"].into_iter() }
/// Compatible.
pub fn compatible(_: &str, _: &str) -> bool { true }
