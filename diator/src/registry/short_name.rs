/// A type's name without the paths in it, as reports show it.
///
/// # Example
///
/// ```
/// use diator::registry::short_name;
///
/// assert_eq!(short_name("alloc::sync::Arc<dyn shop::Orders>"), "Arc<dyn Orders>");
/// ```
#[must_use]
pub fn short_name(name: &str) -> String {
    let mut short = String::new();
    let mut rest = name;
    while let Some(end) = rest.find(['<', '>', ',', ' ', '(', ')', '[', ']', '&']) {
        short.push_str(last_segment(&rest[..end]));
        short.push_str(&rest[end..=end]);
        rest = &rest[end + 1..];
    }
    short.push_str(last_segment(rest));
    short
}

fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}
