//! A figure as PNG, for slides and text processors that take no SVG.
//!
//! Text is drawn with `DejaVu` Sans, which the program carries: no font of the machine is asked for, so that the same SVG
//! gives the same bytes. It is also the font that the figure was measured with.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

/// Pixels for each unit of the drawing: sharp on a slide and in print at 17 cm (200 dots per inch).
const SCALE: f32 = 2.0;

/// A figure cannot be drawn as PNG.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The SVG cannot be read.
    #[error("cannot read the figure")]
    Svg(#[from] resvg::usvg::Error),
    /// It is too large, or empty.
    #[error("a figure of {width} x {height} pixels cannot be drawn")]
    Size {
        /// Wanted width.
        width: u32,
        /// Wanted height.
        height: u32,
    },
    /// The PNG cannot be written.
    #[error("cannot write the PNG of the figure")]
    Png(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The fonts that figures are drawn with.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
            fonts.load_font_source(Source::Binary(Arc::new(font)));
        }
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// Draws a figure at twice its size.
pub fn png(svg: &str) -> Result<Vec<u8>, PictureError> {
    let options = Options { font_family: "DejaVu Sans".to_owned(), fontdb: fonts(), ..Options::default() };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE);
    let size = size.ok_or(PictureError::Size { width: 0, height: 0 })?;
    let (width, height) = (size.width(), size.height());
    let mut picture = Pixmap::new(width, height).ok_or(PictureError::Size { width, height })?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().map_err(|error| PictureError::Png(Box::new(error)))
}
