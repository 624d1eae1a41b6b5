use std::time::Duration;

use diator_testkit::Proxy;

use crate::Redis;
use crate::scene::until;

/// A replica of a Redis server, and the address under which the services find whichever of the two is the primary.
#[derive(Debug)]
pub(crate) struct Replication {
    replica: Redis,
    address: Proxy,
    /// The replica reaches its primary by it.
    link: Proxy,
    /// How long what the primary writes is on its way, as over a network.
    behind: Duration,
}

impl Replication {
    pub(crate) fn start(primary: &Redis, behind: Duration) -> Self {
        let at = ([127, 0, 0, 1], primary.port()).into();
        let replication = Self { replica: Redis::start(), address: Proxy::start(at), link: Proxy::start(at), behind };
        replication.replicate();
        replication
    }

    /// Where services connect.
    pub(crate) fn port(&self) -> u16 {
        self.address.address().port()
    }

    /// The primary dies; the replica takes its place, and the dead one comes back as its replica.
    pub(crate) fn fail_over(&mut self, primary: &mut Redis) {
        primary.kill();
        self.replica.cli(&["REPLICAOF", "NO", "ONE"]);
        std::mem::swap(&mut self.replica, primary);
        let at = ([127, 0, 0, 1], primary.port()).into();
        self.address.redirect(at);
        self.link.redirect(at);
        self.link.cut();
        self.replica.restart();
        self.replicate();
    }

    /// Copies all there is, and from then on takes its time.
    fn replicate(&self) {
        self.link.delay(Duration::ZERO);
        self.replica.cli(&["REPLICAOF", "127.0.0.1", &self.link.address().port().to_string()]);
        let is_up = || self.replica.cli(&["INFO", "replication"]).contains("master_link_status:up");
        until("the replica has caught up", Duration::from_secs(60), is_up);
        self.link.delay(self.behind);
    }
}
