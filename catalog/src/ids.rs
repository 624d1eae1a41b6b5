use std::collections::HashSet;

/// Names for nodes and anchors, made of the names of types: so they stay when other messages come or go.
#[derive(Default)]
pub(super) struct Ids(HashSet<String>);

impl Ids {
    /// A name of letters, digits and `_` that nobody has.
    pub(super) fn of(&mut self, type_name: &str) -> String {
        let plain = type_name.replace("::", "_");
        let plain: String = plain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        // The prefix, because `end` and others mean something to Mermaid.
        let id = format!("m_{plain}");
        let numbered = (2..).map(|number| format!("{id}_{number}"));
        let free = std::iter::once(id.clone()).chain(numbered).find(|id| !self.0.contains(id)).unwrap_or(id);
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_differ() {
        let mut ids = Ids::default();
        let made = ["shop::Order", "shop::Find<u8>", "shop::Find<u8]", "end", "\u{e9}\"", ""].map(|name| ids.of(name));
        assert_eq!(made, ["m_shop_Order", "m_shop_Find_u8_", "m_shop_Find_u8__2", "m_end", "m___", "m_"]);
    }
}
