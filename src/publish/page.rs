//! What the templates of all pages have in common.

use minijinja::{Environment, Error, UndefinedBehavior};

use super::words::whole;

/// The style of all pages.
pub(super) const STYLE: &str = include_str!("../../web/base.css");

/// An environment with one page's template: what is not given is an error, and values are escaped for HTML, which the
/// ending of its name decides.
pub(super) fn environment(name: &'static str, template: &'static str) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("whole", |number: u64| whole(number));
    environment.add_template("base.css", STYLE)?;
    environment.add_template(name, template)?;
    Ok(environment)
}
