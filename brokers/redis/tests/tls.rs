//! Redis over TLS: whom the driver trusts.

use std::fs::write;
use std::net::TcpListener;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::PublishErrorKind;
use diator::subscription::{Share, Subscription, Taken, Wanted};
use diator_redis::client::{Client, TlsCertificates};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription};
use diator_testkit::broker::message;
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A server with a certificate for 127.0.0.1, its URL, and the authority that signed the certificate.
fn server_with_tls() -> (RedisServer, String, Vec<u8>) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

    let server = RedisServer::start(&[]);
    let file = |name: &str, text: String| {
        let path = server.directory().join(name);
        write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("server.pem", certificate.pem()), file("key.pem", key.serialize_pem()));
    let ca = file("ca.pem", authority.pem());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    server.cli().run(&[
        "CONFIG",
        "SET",
        "tls-cert-file",
        &certificate,
        "tls-key-file",
        &key,
        "tls-ca-cert-file",
        &ca,
        "tls-auth-clients",
        "no",
        "tls-port",
        &port,
    ]);
    (server, format!("rediss://127.0.0.1:{port}"), authority.pem().into_bytes())
}

#[tokio::test]
async fn a_server_with_a_certificate_that_is_trusted_gets_messages() {
    let (server, url, authority) = server_with_tls();
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    let client = Client::build_with_tls(url, certificates).unwrap();
    let broker = RedisBroker::new(RedisConfig::pub_sub(client)).unwrap();
    let mut listener = server.cli().subscribe("*");
    let message = message(1);
    broker.publish(&message).await.unwrap();
    let (_, body) = within_patience(listener.heard()).await.unwrap();
    assert_eq!(&*body, &*message.body);
}

#[tokio::test]
async fn a_subscription_trusts_whom_a_broker_trusts() {
    let (_server, url, authority) = server_with_tls();
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    let client = Client::build_with_tls(url, certificates).unwrap();
    let topics = ["orders".to_owned()];
    let message = message(1).with_topic("orders");

    let streams = RedisConfig::streams(client.clone());
    RedisBroker::new(streams.clone()).unwrap().publish(&message).await.unwrap();
    let opening = RedisSubscription::new(streams).unwrap();
    let mut opened = opening.open(&Wanted::new("billing", &topics)).await.unwrap();
    let came = within_patience(opened.source.next(1)).await.unwrap();
    assert!(matches!(came, Taken::Deliveries(came) if came[0].body == message.body));

    let channels = RedisConfig::pub_sub(client);
    let opening = RedisSubscription::new(channels.clone()).unwrap();
    let wanted = Wanted::new("billing", &topics).with_share(Share::Broadcast);
    let mut opened = opening.open(&wanted).await.unwrap();
    RedisBroker::new(channels).unwrap().publish(&message).await.unwrap();
    let came = within_patience(opened.source.next(1)).await.unwrap();
    assert!(matches!(came, Taken::Deliveries(came) if came[0].body == message.body));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_none() {
    let (server, url, _) = server_with_tls();
    let broker = RedisBroker::new(RedisConfig::streams(url)).unwrap();
    let error = broker.publish(&message(1)).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
    assert!(error.to_string().contains("could not be reached"), "{error}");
    assert_eq!(server.cli().run(&["EXISTS", "diator:events"]), ["0"]);
}

#[tokio::test]
async fn a_server_without_tls_gets_none() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(format!("rediss://127.0.0.1:{}", server.port())).deadline(Duration::from_secs(1));
    let error = RedisBroker::new(config).unwrap().publish(&message(1)).await.unwrap_err();
    assert_ne!(error.kind(), PublishErrorKind::Ambiguous, "{error:?}");
}
