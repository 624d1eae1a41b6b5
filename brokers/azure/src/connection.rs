//! What the connection string says. Nothing in here repeats a value: parts that were mixed up may hold the key.

use azure_core::auth::Secret;

const HOST: &str = ".servicebus.windows.net";
const PARTS: [&str; 5] = ["Endpoint", "SharedAccessKeyName", "SharedAccessKey", "EntityPath", "TransportType"];

/// Where the namespace is, and how to sign; a part is absent where a problem was reported for it.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) namespace: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) key: Option<Secret>,
    /// The one entity that the key is good for.
    pub(super) entity: Option<String>,
}

impl Connection {
    pub(super) fn new(namespace: &str, policy: &str, key: &str, problems: &mut Vec<String>) -> Self {
        Self {
            namespace: namespace_of(namespace.strip_suffix(HOST).unwrap_or(namespace), problems),
            policy: policy_of(policy, problems),
            key: key_of(key, problems),
            entity: None,
        }
    }

    pub(super) fn parse(text: &str, problems: &mut Vec<String>) -> Self {
        let [endpoint, policy, key, entity, _transport] = values(text, problems);
        for (value, part) in [endpoint, policy, key].iter().zip(PARTS) {
            if value.is_none() {
                problems.push(format!("the connection string lacks `{part}`"));
            }
        }
        Self {
            namespace: endpoint.and_then(|endpoint| host_of(endpoint, problems)),
            policy: policy.and_then(|policy| policy_of(policy, problems)),
            key: key.and_then(|key| key_of(key, problems)),
            entity: entity.map(str::to_owned),
        }
    }
}

/// The values of the known parts, in the order of `PARTS`.
fn values<'a>(text: &'a str, problems: &mut Vec<String>) -> [Option<&'a str>; PARTS.len()] {
    let mut values = [None; PARTS.len()];
    let parts = (1_usize..).zip(text.split(';').map(str::trim)).filter(|(_, part)| !part.is_empty());
    for (number, part) in parts {
        let Some((name, value)) = part.split_once('=') else {
            problems.push(format!("part {number} of the connection string has no `=`"));
            continue;
        };
        match PARTS.iter().position(|known| known.eq_ignore_ascii_case(name.trim())) {
            Some(known) if values[known].is_some() => {
                problems.push(format!("the connection string has `{}` twice", PARTS[known]));
            }
            Some(known) => values[known] = Some(value.trim()).filter(|value| !value.is_empty()),
            None if name.trim().eq_ignore_ascii_case("SharedAccessSignature") => {
                problems
                    .push("`SharedAccessSignature` is not supported: give the name of a policy and its key".to_owned());
            }
            None => {
                let known = PARTS.join("`, `");
                problems.push(format!("part {number} of the connection string is none of `{known}`"));
            }
        }
    }
    values
}

fn host_of(endpoint: &str, problems: &mut Vec<String>) -> Option<String> {
    let host = endpoint.strip_prefix("sb://").or_else(|| endpoint.strip_prefix("https://"));
    let Some(host) = host.map(|host| host.strip_suffix('/').unwrap_or(host)) else {
        problems.push("the endpoint must begin with `sb://`".to_owned());
        return None;
    };
    let host = host.to_ascii_lowercase();
    let Some(namespace) = host.strip_suffix(HOST) else {
        problems.push(format!("the endpoint must be `sb://<namespace>{HOST}/`: the client reaches no other host"));
        return None;
    };
    namespace_of(namespace, problems)
}

fn namespace_of(namespace: &str, problems: &mut Vec<String>) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=50).contains(&namespace.len()) && namespace.chars().all(legal) {
        // The signature covers the URL, whose host is lower case.
        return Some(namespace.to_ascii_lowercase());
    }
    problems.push("the namespace must have 1 to 50 letters, digits and hyphens".to_owned());
    None
}

fn policy_of(policy: &str, problems: &mut Vec<String>) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=256).contains(&policy.len()) && policy.chars().all(legal) {
        return Some(policy.to_owned());
    }
    // The client writes it into the token as it is.
    problems.push("the name of the policy must have 1 to 256 letters, digits and `.`, `_`, `-`".to_owned());
    None
}

fn key_of(key: &str, problems: &mut Vec<String>) -> Option<Secret> {
    if !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic()) {
        return Some(Secret::new(key.to_owned()));
    }
    problems.push("the key must not be empty, and must hold neither blanks nor anything but ASCII".to_owned());
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "Endpoint=sb://Shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0K2tleQ==";

    fn parse(text: &str) -> (Connection, Vec<String>) {
        let mut problems = Vec::new();
        (Connection::parse(text, &mut problems), problems)
    }

    #[test]
    fn all_parts_are_read() {
        for text in [
            format!("{GOOD};EntityPath=orders"),
            format!(" {GOOD} ; entitypath = orders ;; TransportType=AmqpWebSockets;\n"),
        ] {
            let (connection, problems) = parse(&text);
            assert_eq!(problems, [""; 0]);
            assert_eq!(connection.namespace.as_deref(), Some("shop"));
            assert_eq!(connection.policy.as_deref(), Some("send"));
            assert_eq!(connection.key.as_ref().map(Secret::secret), Some("c2VjcmV0K2tleQ=="));
            assert_eq!(connection.entity.as_deref(), Some("orders"));
        }
    }

    #[test]
    fn every_problem_is_listed() {
        let (_, problems) = parse("");
        let lacks = ["Endpoint", "SharedAccessKeyName", "SharedAccessKey"];
        assert_eq!(problems, lacks.map(|part| format!("the connection string lacks `{part}`")));
        let (_, problems) = parse("Endpoint=sb://a.servicebus.windows.net;SharedAccessKey;SharedAccessKeyName=a b");
        assert_eq!(problems.len(), 3, "{problems:?}");
        let (_, problems) = parse(&format!("{GOOD};SharedAccessKey=other"));
        assert_eq!(problems, ["the connection string has `SharedAccessKey` twice"]);
        let (_, problems) = parse(&format!("{GOOD};SharedAccessSignature=SharedAccessSignature sr=a"));
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn only_the_public_cloud_is_reached() {
        for endpoint in [
            "amqps://shop.servicebus.windows.net",
            "shop.servicebus.windows.net",
            "sb://shop.servicebus.chinacloudapi.cn/",
            "sb://localhost",
            "sb://shop.servicebus.windows.net:5671/",
            "sb://user@shop.servicebus.windows.net/",
            "sb://shop.servicebus.windows.net/orders",
            "sb://.servicebus.windows.net/",
        ] {
            let (connection, problems) =
                parse(&format!("Endpoint={endpoint};SharedAccessKeyName=send;SharedAccessKey=key"));
            assert_eq!((connection.namespace, problems.len()), (None, 1), "{endpoint}");
        }
    }

    #[test]
    fn no_problem_repeats_a_value() {
        let secret = "Sup3rSecretKey";
        for text in [
            secret.to_owned(),
            format!("{secret}=="),
            format!("SharedAccessKey{secret}=x"),
            format!("Endpoint={secret};SharedAccessKeyName=a {secret};SharedAccessKey= "),
            format!("Endpoint=sb://{secret}/;SharedAccessKeyName=a;SharedAccessKey={secret} x"),
            format!("{GOOD};Password={secret}"),
        ] {
            let (connection, problems) = parse(&text);
            assert!(!problems.is_empty(), "{text}");
            assert!(!problems.join(" ").contains(secret), "{problems:?}");
            assert!(!format!("{connection:?}").contains(secret), "{connection:?}");
        }
        let mut problems = Vec::new();
        Connection::new("Sup3r Secret", "Sup3r Secret", "Sup3r Secret", &mut problems);
        assert_eq!(problems.len(), 3);
        assert!(!problems.join(" ").contains("Sup3r"), "{problems:?}");
    }

    #[test]
    fn parts_are_taken_as_they_are() {
        let mut problems = Vec::new();
        for namespace in ["shop", "SHOP.servicebus.windows.net"] {
            let connection = Connection::new(namespace, "send", "key", &mut problems);
            assert!(connection.namespace.is_some_and(|namespace| namespace.eq_ignore_ascii_case("shop")));
        }
        assert_eq!(problems, [""; 0]);
    }
}
