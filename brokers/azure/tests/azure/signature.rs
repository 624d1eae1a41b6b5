//! The driver's token is compared with one that shares no code with it, and that one with what Microsoft's Python
//! package wrote for the same input.

use std::time::{Duration, SystemTime};

use crate::service_bus::{ServiceBusServer, sas_token};
use diator::broker::MessageBroker;
use diator_azure::ServiceBusConfig;
use serde::Deserialize;

use super::{broker, message};

#[derive(Deserialize)]
struct Vectors {
    tokens: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    namespace: String,
    entity: String,
    policy: String,
    key: String,
    expiry: u64,
    uri: String,
    token: String,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../vectors/service_bus.json");
    let vectors = serde_json::from_str::<Vectors>(text).unwrap().tokens;
    assert!(vectors.len() >= 5);
    vectors
}

#[test]
fn the_reference_signs_as_the_python_package_does() {
    for vector in vectors() {
        assert_eq!(sas_token(&vector.uri, &vector.policy, &vector.key, vector.expiry), vector.token);
    }
}

#[tokio::test]
async fn the_driver_signs_the_same_inputs_as_the_reference_does() {
    for vector in vectors() {
        let server = ServiceBusServer::start();
        server.allow(&vector.policy, &vector.key);
        let config = ServiceBusConfig::new(&vector.namespace, &vector.policy, &vector.key);
        let broker = broker(config.topic(&vector.entity).http(server.reach(&vector.namespace)));
        broker.publish(&message("{}")).await.unwrap();
        let [request] = &server.taken()[..] else { panic!("one message is taken") };
        let token = request.header("authorization").unwrap();
        let (_, expiry) = token.split_once("&se=").unwrap();
        let expiry = expiry.split('&').next().unwrap().parse().unwrap();
        assert_eq!(token, sas_token(&vector.uri, &vector.policy, &vector.key, expiry));

        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let (soon, late) = (now + Duration::from_secs(3000), now + Duration::from_secs(3601));
        assert!((soon.as_secs()..=late.as_secs()).contains(&expiry), "it is good for about an hour");
    }
}
