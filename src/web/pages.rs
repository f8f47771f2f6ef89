//! The page itself, as it stands in `ui/`: no tool makes it, and it loads nothing from elsewhere.

pub(super) const PAGE: &str = include_str!("ui/index.html");
pub(super) const SCRIPT: &str = include_str!("ui/app.js");
pub(super) const STYLE: &str = include_str!("ui/style.css");
