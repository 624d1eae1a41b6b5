use std::collections::HashMap;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use super::Captured;

/// The token that Microsoft's documentation describes, and its Python package writes.
///
/// It shares no code with the driver's.
#[must_use]
pub(crate) fn sas_token(uri: &str, policy: &str, key: &str, expiry: u64) -> String {
    let resource = quote(uri);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let signature = hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes());
    let signature = quote(&BASE64_STANDARD.encode(signature));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={}", quote(policy))
}

fn quote(text: &str) -> String {
    let quoted = text.bytes().map(|byte| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    quoted.collect()
}

/// The policy that signed a request, if it has a key here, and signed this very address for a time to come.
pub(super) fn policy(request: &Captured, keys: &HashMap<String, String>) -> Result<String, &'static str> {
    let token = request.header("authorization").ok_or("There is no token.")?;
    let (_, fields) = token.split_once(' ').ok_or("Malformed token.")?;
    let fields: HashMap<_, _> = fields.split('&').filter_map(|field| field.split_once('=')).collect();
    let expiry = fields.get("se").and_then(|expiry| expiry.parse().ok()).ok_or("Malformed token.")?;
    let policy = *fields.get("skn").ok_or("Malformed token.")?;
    let key = keys.get(policy).ok_or("Invalid authorization token signature")?;
    let host = request.header("host").ok_or("There is no host.")?;
    let expected = sas_token(&format!("https://{host}{}", request.path), policy, key, expiry);
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    match token {
        _ if token != expected => Err("Invalid authorization token signature"),
        _ if expiry <= now => Err("ExpiredToken"),
        _ => Ok(policy.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_changed_is_refused() {
        let keys = HashMap::from([("send".to_owned(), "key".to_owned())]);
        let later = SystemTime::UNIX_EPOCH.elapsed().expect("it is past").as_secs() + 60;
        let request = |path: &str, token: String| Captured {
            connection: 0,
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: [("host", "a.servicebus.windows.net".to_owned()), ("authorization", token)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            body: Vec::new(),
        };
        let uri = "https://a.servicebus.windows.net/t/messages";
        let token = |key, expiry| sas_token(uri, "send", key, expiry);
        assert_eq!(policy(&request("/t/messages", token("key", later)), &keys).as_deref(), Ok("send"));
        let wrong = Err("Invalid authorization token signature");
        assert_eq!(policy(&request("/u/messages", token("key", later)), &keys), wrong);
        assert_eq!(policy(&request("/t/messages", token("yek", later)), &keys), wrong);
        assert_eq!(policy(&request("/t/messages", token("key", later) + "x"), &keys), wrong);
        assert_eq!(policy(&request("/t/messages", token("key", 1)), &keys), Err("ExpiredToken"));
        assert!(policy(&request("/t/messages", "x".to_owned()), &keys).is_err());
    }
}
