//! The database is away, refuses something, or has too little of something.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use diator_testkit::Proxy;

use super::{finish, kills};
use crate::drills::kills::random;
use crate::inbox::Scene;
use crate::scene::until;
use crate::{Database, Form, Kind};

/// PostgreSQL is killed, and stays so; of SQLite's file somebody else has the lock.
pub(super) fn down(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    // A handler may take less than it waits for a connection.
    scene.settings = "busy=300 patience=1000 max_handling=500".to_owned();
    let service = scene.billing("service", "");
    scene.publish(form.pick(60, 1_000));
    scene.until_effects(60);
    let outage = Duration::from_secs(form.pick(3, 60));
    let away = Away::begin(&scene.database, true);
    scene.faults += 1;
    for _ in 0..form.pick(3, 20) {
        scene.publish(form.pick(20, 70));
        sleep(outage / form.pick(3, 20));
    }
    drop(away);
    scene.healed_after(outage);
    scene.publish(20);
    finish(scene, service)
}

/// As for an update of the server, again and again.
pub(super) fn restarted(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "busy=100 patience=1000".to_owned();
    let service = scene.billing("service", "");
    for round in 0..form.pick(2, 10) {
        scene.publish(form.pick(80, 240));
        scene.until_effects(20);
        let away = Away::begin(&scene.database, round % 2 == 1);
        sleep(Duration::from_millis(400));
        drop(away);
        scene.faults += 1;
    }
    scene.mended();
    finish(scene, service)
}

/// The database, as long as it is away.
enum Away<'a> {
    Server(&'a diator_testkit::Postgres),
    /// Who has the lock.
    Locked(Child),
}

impl<'a> Away<'a> {
    fn begin(database: &'a Database, by_kill: bool) -> Self {
        match database {
            Database::Postgres(server) => {
                if by_kill {
                    server.kill();
                } else {
                    server.stop_fast();
                }
                Self::Server(server)
            }
            Database::Sqlite(path) => {
                let mut sqlite = Command::new("sqlite3");
                sqlite.args(["-batch", "-cmd", ".timeout 30000"]).arg(path);
                sqlite.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
                let mut child = sqlite.spawn().expect("the program is installed");
                let input = child.stdin.as_mut().expect("it has one");
                input.write_all(b"BEGIN IMMEDIATE; SELECT 'locked';\n").expect("it reads");
                // It has the lock when it says so.
                let output = child.stdout.as_mut().expect("it has one");
                std::io::Read::read_exact(output, &mut [0; 6]).expect("it gets the lock");
                Self::Locked(child)
            }
        }
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        match self {
            Self::Server(server) => server.restart(),
            Self::Locked(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// With eight handlers under way, each cut meets some in their COMMIT. SQLite has no connection: its process is killed there.
pub(super) fn cut_in_mid_commit(kind: Kind, form: Form) -> Scene {
    if kind == Kind::Sqlite {
        return kills::mid_commit(kind, form);
    }
    let mut scene = Scene::open(kind, &[]);
    let proxy = Proxy::start(([127, 0, 0, 1], scene.database.server().port()).into());
    let service = scene.billing("service", &format!("database=postgres://postgres@{}/postgres", proxy.address()));
    scene.publish(form.pick(250, 2_500));
    scene.until_effects(20);
    proxy.delay(Duration::from_millis(3));
    for _ in 0..form.pick(20, 200) {
        sleep(Duration::from_millis(40 + random(80)));
        proxy.cut();
        scene.faults += 1;
    }
    proxy.delay(Duration::ZERO);
    scene.mended();
    scene.publish(20);
    finish(scene, service)
}

/// PostgreSQL fails with a serialization failure; SQLite answers `SQLITE_BUSY` while others write for longer than a handler waits.
pub(super) fn serialization_failures(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &["default_transaction_isolation=serializable"]);
    scene.settings = "counters=5 busy=10".to_owned();
    let service = scene.billing("service", "");
    scene.publish(form.pick(150, 2_000));
    if kind == Kind::Sqlite {
        for _ in 0..form.pick(10, 100) {
            drop(Away::begin(&scene.database, true));
            let away = Away::begin(&scene.database, true);
            sleep(Duration::from_millis(30));
            drop(away);
            sleep(Duration::from_millis(random(60)));
        }
    }
    scene.mended();
    let mut scene = finish(scene, service);
    scene.faults = match kind {
        Kind::Postgres => scene.troubles("could not serialize"),
        Kind::Sqlite => scene.troubles(""),
    };
    scene
}

/// Two counters are raised in any order. SQLite has one lock and no deadlocks: two processes wait for it, and give up.
pub(super) fn deadlocks(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &["deadlock_timeout=20ms"]);
    scene.settings = "counters=5 busy=10".to_owned();
    scene.publish(form.pick(150, 2_000));
    let mut other = scene.billing("service", "");
    let service = scene.billing("service", "");
    scene.until_effects(100);
    scene.mended();
    scene.until_drained(Duration::from_secs(180));
    other.stop();
    let mut scene = finish(scene, service);
    scene.faults = match kind {
        Kind::Postgres => scene.troubles("deadlock detected"),
        Kind::Sqlite => scene.troubles(""),
    };
    scene
}

/// Thirty-two handlers want one connection, and wait for it a tenth of a second; on SQLite they wait for their turn to write.
pub(super) fn exhausted_pool(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "connections=1 patience=100 concurrency=32 pause=10".to_owned();
    let service = scene.billing("service", "");
    scene.publish(form.pick(60, 1_000));
    let in_vain = match kind {
        Kind::Postgres => "pool timed out",
        Kind::Sqlite => "another transaction is handling the message",
    };
    until("the pool is exhausted", Duration::from_secs(60), || scene.troubles(in_vain) > 10);
    scene.mended();
    let mut scene = finish(scene, service);
    scene.faults = scene.troubles(in_vain);
    scene
}
