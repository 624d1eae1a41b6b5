//! Names with characters that mean something to one of the renderings.

use diator_catalog::Catalog;
use serde_json::Value;

use super::asyncapi::assert_valid;
use super::world::builder;

pub(crate) const HOSTILE: [&str; 20] = [
    "\"quoted\" 'twice'",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]> --> &amp; &lt;",
    "a\"]; end\n    evil --> broker",
    "line\r\nbreak\tand \0 nothing",
    "#quot; %% {{}} [()] |x| `y` ~~~",
    "back\\slash \\u0041 \\n",
    "key: value # - *anchor !tag @ %",
    "\u{1b}[31mred\u{7}",
    "\u{202e}desrever\u{2066}\u{200b}",
    "$ref #/definitions/a~1b~0c",
    "Ünï cödé 🦀 名前",
    "../../etc/passwd?x#y",
    "javascript:alert(1)",
    " ",
    "end",
    "...",
    "{file}#L{line}",
    "a-2",
];

/// Catalogs that are full of them: among all, each stands in every place that a name can stand in.
fn all_hostile() -> impl Iterator<Item = Catalog> {
    (0..HOSTILE.len()).map(hostile)
}

fn hostile(first: usize) -> Catalog {
    let mut catalog = Catalog::from(builder().wiring());
    let mut names = HOSTILE.into_iter().cycle().skip(first);
    let mut next = || names.next().expect("it goes round").to_owned();
    for request in &mut catalog.requests {
        (request.name, request.type_name, request.response, request.error) = (next(), next(), next(), next());
        request.marks = vec![next(), next()];
        for handler in &mut request.handlers {
            handler.type_name = next();
            handler.middleware = vec![next(), next()];
            handler.source.iter_mut().for_each(|source| source.file = next());
            handler.dependencies.iter_mut().for_each(|dependency| dependency.field = next());
        }
    }
    for middleware in &mut catalog.middleware {
        middleware.name = next();
    }
    let broker = catalog.broker.as_mut().expect("it has one");
    (broker.type_name, broker.source) = (Some(next()), None);
    let pattern = catalog.events.iter().find(|event| event.name == "OrderChanged").expect("it is there").clone();
    catalog.events.extend(HOSTILE.map(|name| {
        let mut event = pattern.clone();
        (event.name, event.type_name, event.topic, event.marks) =
            (name.to_owned(), next(), Some(name.to_owned()), vec![next()]);
        event.aliases = HOSTILE.map(str::to_owned).to_vec();
        event
    }));
    catalog
}

#[test]
fn json_gives_every_name_back() {
    let catalog = hostile(0);
    let value: Value = serde_json::from_str(&catalog.to_json()).expect("it is json");
    let names = |list: &str| -> Vec<String> {
        let list = value[list].as_array().expect("a list");
        list.iter().map(|message| message["name"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(names("requests"), catalog.requests.iter().map(|request| request.name.clone()).collect::<Vec<_>>());
    assert_eq!(names("events"), catalog.events.iter().map(|event| event.name.clone()).collect::<Vec<_>>());
    assert!(catalog.changes_since(&catalog.to_json()).expect("it is a catalog").is_empty());
}

#[test]
fn a_terminal_gets_no_orders() {
    let texts = all_hostile().flat_map(|catalog| {
        let names: Vec<_> = catalog.requests.iter().map(|request| &*request.type_name).chain(HOSTILE).collect();
        let descriptions = names.into_iter().map(|name| catalog.describe(name).expect("it is known").to_string());
        let changes = Catalog::from(builder().wiring()).changes_since(&catalog.to_json()).expect("it is a catalog");
        descriptions.chain([catalog.to_string(), changes.to_string()]).collect::<Vec<_>>()
    });
    for text in texts {
        let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{202e}').contains(&c);
        assert_eq!(text.chars().find(|c| obeyed(*c)), None, "{text:?}");
        assert!(!text.contains("\n    evil"), "{text}");
    }
}

#[test]
fn a_chart_has_nothing_but_its_own_lines() {
    let charts = all_hostile().map(|catalog| catalog.mermaid());
    let mut labels = Vec::new();
    for line in charts.flat_map(|chart| chart.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()) {
        let Some((node, rest)) = line.split_once('"') else {
            let parts: Vec<_> = line.split_whitespace().collect();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let is_node =
                |part: &str| part == "broker" || part.strip_prefix("m_").is_some_and(|id| id.chars().all(plain));
            assert!(matches!(*parts, [from, "-->" | "-.->", to] if is_node(from) && is_node(to)), "{line}");
            continue;
        };
        let (label, close) = rest.rsplit_once('"').expect("it is closed");
        assert!(["[", "([", "{{", "[/", "[("].iter().any(|open| node.ends_with(open)), "{line}");
        assert!(["]", "])", "}}", "/]", ")]"].contains(&close), "{line}");
        labels.extend(label.split("<br>").map(decoded));
    }
    assert!(labels.iter().any(|label| label == "command </script><script>alert(1)</script>"), "{labels:?}");
}

/// What Mermaid reads from a label; anything but letters and entity codes fails.
fn decoded(label: &str) -> String {
    let mut text = String::new();
    let mut rest = label;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '#' {
            assert!(c.is_alphanumeric() || " _:.-(),".contains(c), "{c:?} in {label}");
            text.push(c);
            continue;
        }
        let (code, after) = rest.split_once(';').expect("a code ends");
        text.push(char::from_u32(code.parse().expect("it is a number")).expect("it is a character"));
        rest = after;
    }
    text
}

#[test]
fn asyncapi_stays_valid_and_keeps_every_name() {
    let document = assert_valid(&hostile(0), "\"title\"\n</script>");
    let messages = document["components"]["messages"].as_object().expect("an object");
    for name in HOSTILE {
        let found = messages.values().filter(|message| message["name"] == name);
        assert_eq!(found.count(), 1, "{name:?}");
    }
}
