#[cfg(feature = "tls")]
use redis::Client;

use super::*;
use crate::RedisBroker;

fn problems(url: &str) -> Vec<String> {
    RedisBroker::new(RedisConfig::pub_sub(url)).err().map_or_else(Vec::new, |error| error.problems().to_vec())
}

#[test]
fn bad_urls_are_told_apart() {
    let cases = [
        ("", "the url has no scheme"),
        ("localhost:6379", "the url has no scheme"),
        ("http://localhost", "the scheme of the url is not supported"),
        ("amqp://localhost", "the scheme of the url is not supported"),
        ("redis://", "the url cannot be used: Missing hostname"),
        ("redis://user:pass:word@host:x", "the url cannot be read"),
        ("redis://localhost/one", "the url cannot be used: Invalid database number"),
        ("redis://localhost/-1", "the number of the database must not be negative"),
        ("redis://localhost:0", "the port must not be 0"),
        ("redis://0.0.0.0", "the url cannot be used: Cannot connect to a wildcard address"),
        ("redis://localhost?db=1", "the url ends in something that means nothing"),
        ("redis://localhost#insecure", "the url ends in something that means nothing"),
        ("redis://localhost?protocol=9", "the url cannot be used: Invalid protocol version"),
        ("unix://run/redis.sock", "the url cannot be used"),
    ];
    for (url, problem) in cases {
        let found = problems(url);
        assert!(found.len() == 1 && found[0].starts_with(problem), "{url}: {found:?}");
    }
    assert_eq!(problems("redis://localhost"), [""; 0]);
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_needs_its_feature() {
    assert!(problems("rediss://localhost")[0].contains("TLS"), "{:?}", problems("rediss://localhost"));
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_checked_and_has_a_crypto_provider() {
    assert_eq!(problems("rediss://localhost"), [""; 0]);
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    assert_eq!(problems("rediss://localhost#insecure").len(), 1);
    let insecure = Client::open("rediss://localhost#insecure").expect("the client takes it");
    let error = RedisBroker::new(RedisConfig::pub_sub(insecure)).expect_err("we do not");
    assert_eq!(error.problems(), ["tls without checking the server is not supported"]);
}

#[test]
fn every_problem_is_listed() {
    let config = RedisConfig::streams("nowhere")
        .stream("a b")
        .max_len(0)
        .lock(Duration::ZERO)
        .deadline(Duration::ZERO)
        .max_body(0);
    let error = RedisBroker::new(config).expect_err("it is wrong throughout");
    assert_eq!(error.problems().len(), 6, "{error}");
    assert!(error.to_string().starts_with("redis configuration is invalid: the url has no scheme"), "{error}");
    let long = RedisConfig::pub_sub("redis://localhost").deadline(Duration::from_secs(3601)).prefix("");
    assert_eq!(RedisBroker::new(long).expect_err("too long").problems().len(), 2);
}

#[test]
fn no_text_repeats_a_password() {
    for url in [
        "sup3rsecret",
        "sup3rsecret://host",
        "http://user:sup3rsecret@host",
        "redis://user:sup3rsecret",
        "redis://user:sup3rsecret@",
        "redis://:sup3rsecret@host:port",
        "redis://:sup3rsecret@host/sup3rsecret",
        "redis://host?pass=sup3rsecret",
        "redis://host?protocol=sup3rsecret",
        "unix://sup3rsecret",
    ] {
        let config = RedisConfig::pub_sub(url);
        assert!(!format!("{config:?}").contains("sup3rsecret"), "{config:?}");
        let error = RedisBroker::new(config).expect_err(url);
        assert!(!format!("{error} {error:?}").contains("sup3rsecret"), "{error}");
    }
    let broker = RedisBroker::new(RedisConfig::pub_sub("redis://user:sup3rsecret@host")).expect("it is right");
    let shown = format!("{broker:?}");
    assert!(shown.contains("host:6379") && !shown.contains("sup3rsecret"), "{shown}");
}
