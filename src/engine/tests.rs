use super::*;
use crate::engine::fixture::{engine, options};

#[test]
fn only_functions_that_always_answer_alike_are_left() {
    let engine = engine();
    let state = engine.context.state();
    for (name, function) in state.scalar_functions() {
        assert_eq!(function.signature().volatility, Volatility::Immutable, "{name}");
    }
    assert!(state.table_functions().is_empty());
    for name in ["now", "random", "uuid", "current_date", "version", "input_file_name"] {
        assert!(engine.removed.contains_key(name), "{name}");
    }
}

#[test]
fn an_engine_shows_itself_without_its_tables() {
    let engine = Engine::new(&options(1 << 20)).unwrap();
    assert!(format!("{engine:?}").starts_with("Engine { session:"));
}
