use std::sync::Arc;

use diator_azure::reqwest::Certificate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An authority that nobody else trusts, and an acceptor with a certificate of its for every namespace.
pub(super) fn identity() -> (Certificate, TlsAcceptor) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let root = authority.self_signed(&authority_key).expect("a certificate");

    let names = vec!["*.servicebus.windows.net".to_owned()];
    let key = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(authority, authority_key);
    let leaf = CertificateParams::new(names).expect("a name").signed_by(&key, &issuer).expect("a certificate");

    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("the key fits");
    let root = Certificate::from_der(root.der()).expect("it is a certificate");
    (root, TlsAcceptor::from(Arc::new(config)))
}
