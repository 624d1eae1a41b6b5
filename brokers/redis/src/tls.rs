use rustls::crypto::{CryptoProvider, ring};

/// Gives the process a crypto provider, unless it has one: the Redis client brings none, and rustls panics where it
/// cannot choose.
pub(super) fn prepare() {
    if CryptoProvider::get_default().is_none() {
        // It fails only if another thread was faster, which is as good.
        let _ = ring::default_provider().install_default();
    }
}
