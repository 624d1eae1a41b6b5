const HIDDEN: &str = "***";

/// Fields whose value is a secret, in connection strings and in the queries of addresses.
const FIELDS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "sharedaccesskey",
    "sharedaccesssignature",
    "sig",
    "accountkey",
    "accesskey",
    "access_key",
    "apikey",
    "api_key",
    "secret",
    "token",
];

/// The text without the passwords of addresses and connection strings.
///
/// It hides too much rather than too little.
pub(super) fn redact(text: &str) -> String {
    let words: String = text.split_inclusive(char::is_whitespace).map(without_password).collect();
    without_fields(&words)
}

/// A word in which `scheme://user:password@host` loses the password, which may hold anything but a space.
fn without_password(word: &str) -> String {
    let Some(begin) = word.find("://").map(|at| at + 3) else { return word.to_owned() };
    let Some(end) = word.rfind('@').filter(|end| *end >= begin) else { return word.to_owned() };
    match word[begin..end].find(':') {
        Some(colon) => format!("{}{HIDDEN}{}", &word[..=begin + colon], &word[end..]),
        None => word.to_owned(),
    }
}

fn without_fields(text: &str) -> String {
    // Of ASCII letters alone, so that each stays where it is.
    let lower = text.to_ascii_lowercase();
    let (mut redacted, mut rest) = (String::with_capacity(text.len()), 0);
    while let Some(value) = next_value(&lower, rest) {
        redacted.push_str(&text[rest..value]);
        redacted.push_str(HIDDEN);
        rest = value + length(&text[value..]);
    }
    redacted + &text[rest..]
}

/// Where the next value of a secret field begins.
fn next_value(lower: &str, from: usize) -> Option<usize> {
    let values = FIELDS.iter().flat_map(|field| {
        let found = lower[from..].match_indices(field).map(move |(at, _)| from + at + field.len());
        found.filter_map(|end| {
            let rest = lower[end..].trim_start_matches('"').trim_start();
            let value = rest.strip_prefix(['=', ':'])?.trim_start();
            // A colon may also end the first half of a sentence.
            let is_value = rest.starts_with('=') || value.starts_with("some(") || value.starts_with(['\'', '"']);
            is_value.then(|| lower.len() - value.len())
        })
    });
    values.min()
}

fn length(value: &str) -> usize {
    if value.starts_with("Some(") {
        return value.find("\")").map_or(value.len(), |end| end + 2);
    }
    if let Some(quote) = value.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        return value[1..].find(quote).map_or(value.len(), |end| end + 2);
    }
    value.find(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | ',' | '"' | '\'' | '`')).unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (text, expected) in [
            ("postgres://ada:hunter2@db:5432/shop is down", "postgres://ada:***@db:5432/shop is down"),
            ("`redis://:hunter2@cache/0`", "`redis://:***@cache/0`"),
            ("postgres://ada:hun:t/er@2@db/shop", "postgres://ada:***@db/shop"),
            ("a postgres://a:hunter2@b and a redis://c:hunter2@d", "a postgres://a:***@b and a redis://c:***@d"),
            ("postgres://db/shop?user=ada&password=hunter2&ssl=on", "postgres://db/shop?user=ada&password=***&ssl=on"),
            ("host=db Password = 'hunter2 3' dbname=shop", "host=db Password = *** dbname=shop"),
            ("Endpoint=sb://x;SharedAccessKey=hunter2=;y", "Endpoint=sb://x;SharedAccessKey=***;y"),
            ("{\"password\": \"hunter2\", \"a\": 1}", "{\"password\": ***, \"a\": 1}"),
            ("Options { password: Some(\"hunter2\"), port: 1 }", "Options { password: ***, port: 1 }"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "password authentication failed for user \"ada\"",
            "postgres://db:5432/shop refused",
            "https://ada@host/path",
            "wrong password: try again",
            "mail ada@example.org: it is down",
            "Ünï cödé 🦀",
            "",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
