//! Which topic or queue a message goes to.

use std::collections::BTreeMap;

use diator::broker::NotAccepted;

#[derive(Debug, Default)]
pub(super) struct Entities {
    /// For what asks for no topic.
    pub(super) default: Option<String>,
    /// The one that the key is good for.
    pub(super) only: Option<String>,
    /// Events' topics that have another name at the broker.
    pub(super) mapped: BTreeMap<String, String>,
}

impl Entities {
    pub(super) fn find<'a>(&'a self, topic: Option<&'a str>) -> Result<&'a str, NotAccepted> {
        let entity = match topic {
            Some(topic) => self.mapped.get(topic).map_or(topic, |entity| entity),
            None => self.default.as_deref().ok_or_else(no_default)?,
        };
        if let Some(problem) = problem(entity) {
            return Err(NotAccepted::new(
                format!("its topic cannot be the name of a Service Bus topic: {problem}"),
                "give the event another topic, or the broker a name for it with `.map_topic(…)`",
            ));
        }
        match &self.only {
            Some(only) if only != entity => Err(NotAccepted::new(
                format!(
                    "the key of the connection string is valid for `{only}` alone, and the event's topic is `{entity}`"
                ),
                format!("use a key of the namespace, or say `.map_topic(\"{entity}\", \"{only}\")`"),
            )),
            _ => Ok(entity),
        }
    }
}

fn no_default() -> NotAccepted {
    NotAccepted::new(
        "it has no topic, and the broker has no topic or queue for events without one",
        "say `.topic(…)` or `.queue(…)` where the broker is configured, or put `#[event(topic = \"…\")]` on the event",
    )
}

/// Why something cannot be the name of a topic or queue; the client puts it into the URL as it is.
pub(super) fn problem(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let rule = if !(1..=260).contains(&name.len()) {
        "has 1 to 260 characters"
    } else if !name.chars().all(legal) {
        "has only letters, digits and `.`, `_`, `-`, `/`"
    } else if !ends(name.chars().next()) || !ends(name.chars().next_back()) {
        "begins and ends with a letter or digit"
    } else if name.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        "has no empty segment, nor `.` or `..`, between its `/`"
    } else {
        return None;
    };
    Some(format!("`{}`, but a name {rule}", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "orders", "Orders-2026.v1_x", "shop/eu/orders", &"a".repeat(260)] {
            assert_eq!(problem(name), None);
        }
        for name in [
            "", "a b", "a?b", "a#b", "a%2Fb", "a:b", "a\nb", "ü", "-a", "a-", "/a", "a/", "a//b", "a/../b", "a/./b",
            "a\\b", "a&b", "$a",
        ] {
            assert!(problem(name).is_some(), "{name:?}");
        }
        assert!(problem(&"a".repeat(261)).is_some());
        assert_eq!(
            problem("a\nb").as_deref(),
            Some("`a\\nb`, but a name has only letters, digits and `.`, `_`, `-`, `/`")
        );
    }

    #[test]
    fn a_topic_is_mapped_or_taken_as_it_is() {
        let mut entities = Entities::default();
        assert_eq!(entities.find(Some("orders")), Ok("orders"));
        assert!(entities.find(None).is_err_and(|refusal| refusal.remedy().contains(".topic(…)")));
        entities.default = Some("all".to_owned());
        entities.mapped.insert("a b".to_owned(), "orders".to_owned());
        assert_eq!((entities.find(None), entities.find(Some("a b"))), (Ok("all"), Ok("orders")));
        assert!(entities.find(Some("b c")).is_err());
        entities.only = Some("orders".to_owned());
        assert_eq!(entities.find(Some("a b")), Ok("orders"));
        let refusal = entities.find(Some("users")).expect_err("the key is not good for it");
        assert_eq!(
            refusal.to_string(),
            "the key of the connection string is valid for `orders` alone, and the event's topic is `users`"
        );
        assert!(refusal.remedy().contains(".map_topic(\"users\", \"orders\")"));
    }
}
