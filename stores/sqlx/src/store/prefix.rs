use std::sync::Arc;

use diator::InvalidConfig;

/// The first part of the names of the tables; it needs no quoting.
#[derive(Clone, Debug)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Leaves room for the rest of a name within the 63 bytes that PostgreSQL allows.
    const LONGEST: usize = 40;
    /// The limit with the schema: the name of a channel is made of it.
    const LONGEST_IN_ALL: usize = 57;

    pub(super) fn new(text: &str, may_name_schema: bool) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let parts: Vec<_> = text.split('.').collect();
        if parts.len() > if may_name_schema { 2 } else { 1 } {
            problems.push(format!("the prefix {text:?} has too many dots"));
        }
        for part in &parts {
            if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                problems.push(format!("the prefix {text:?} may have letters, digits and underscores only"));
            }
            if part.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
                problems.push(format!("the prefix {text:?} must not begin with a digit"));
            }
            if part.len() > Self::LONGEST {
                problems.push(format!("the prefix {text:?} is longer than {} characters", Self::LONGEST));
            }
        }
        if parts.len() > 1 && text.len() > Self::LONGEST_IN_ALL {
            problems.push(format!(
                "the prefix {text:?} is longer than {} characters with its schema",
                Self::LONGEST_IN_ALL
            ));
        }
        if parts.len() > 1 && parts[0].is_empty() {
            problems.push(format!("the prefix {text:?} names no schema before the dot"));
        }
        InvalidConfig::check("the configuration of the store", problems)?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Replaces `{p}` by the prefix, and `{n}` by the prefix without its schema.
    pub(crate) fn fill(&self, template: &str) -> Arc<str> {
        let name = self.0.rsplit('.').next().unwrap_or_default();
        template.replace("{p}", &self.0).replace("{n}", name).into()
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("diator_".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_needs_no_quotes() {
        for (text, may_name_schema, allowed) in [
            ("diator_", false, true),
            ("", false, true),
            ("shop.diator_", true, true),
            ("shop.", true, true),
            ("shop.diator_", false, false),
            ("a.b.c", true, false),
            (".b", true, false),
            ("7days", true, false),
            ("x\"; DROP TABLE users; --", true, false),
            ("größe", true, false),
            (&"a".repeat(41), true, false),
            (&format!("{}.{}", "a".repeat(40), "b".repeat(16)), true, true),
            (&format!("{}.{}", "a".repeat(40), "b".repeat(17)), true, false),
        ] {
            assert_eq!(Prefix::new(text, may_name_schema).is_ok(), allowed, "{text}");
        }
    }

    #[test]
    fn a_name_without_the_schema_is_for_indexes() {
        let prefix = Prefix::new("Shop.diator_", true).unwrap();
        assert_eq!(
            &*prefix.fill("CREATE INDEX {n}sent ON {p}outbox"),
            "CREATE INDEX diator_sent ON shop.diator_outbox"
        );
    }
}
