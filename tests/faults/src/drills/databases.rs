//! The database is away, refuses something, or has too little of something.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use diator_testkit::Proxy;

use super::finish;
use super::kills::random;
use crate::folder::Folder;
use crate::scene::until;
use crate::servers::output;
use crate::{Database, Form, Kind, Scene};

/// As for an update of the server.
pub(super) fn restarted(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "");
    for _ in 0..form.pick(2, 20) {
        scene.until_acknowledged(300);
        scene.database.server().stop_fast();
        sleep(Duration::from_millis(300));
        scene.database.server().restart();
        scene.crashes += 1;
    }
    scene.until_acknowledged(300);
    scene.mended();
    finish(scene, service)
}

pub(super) fn killed(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "");
    for _ in 0..form.pick(2, 20) {
        scene.until_acknowledged(300);
        scene.database.server().kill();
        sleep(Duration::from_millis(300));
        scene.database.server().restart();
        scene.crashes += 1;
    }
    scene.until_acknowledged(300);
    scene.mended();
    finish(scene, service)
}

/// With 16 commands under way, and one of five round trips being the COMMIT, each cut meets some of them.
pub(super) fn cut_in_mid_commit(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let proxy = Proxy::start(([127, 0, 0, 1], scene.database.server().port()).into());
    let url = format!("database=postgres://postgres@{}/postgres", proxy.address());
    let mut relay = scene.shop("relay", "");
    let mut load = scene.shop("load", &url);
    scene.until_acknowledged(100);
    proxy.delay(Duration::from_millis(3));
    for _ in 0..form.pick(30, 300) {
        sleep(Duration::from_millis(40 + random(80)));
        proxy.cut();
    }
    proxy.delay(Duration::ZERO);
    scene.until_acknowledged(100);
    load.stop();
    scene.mended();
    scene.until_drained(Duration::from_secs(30));
    relay.stop();
    scene
}

pub(super) fn serialization_failures(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &["default_transaction_isolation=serializable"]);
    let service = scene.shop("service", "keys=5 attempts=50");
    sleep(Duration::from_secs(form.pick(2, 60)));
    scene.until_acknowledged(100);
    scene.mended();
    finish(scene, service)
}

pub(super) fn deadlocks(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &["deadlock_timeout=20ms"]);
    let service = scene.shop("service", "keys=5 attempts=50 crosses=true");
    sleep(Duration::from_secs(form.pick(2, 60)));
    scene.until_acknowledged(100);
    scene.mended();
    let met = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'";
    until("there was a deadlock", Duration::from_secs(10), || scene.database.sql(met) != "0");
    finish(scene, service)
}

pub(super) fn few_connections(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "tasks=64 connections=2");
    sleep(Duration::from_secs(form.pick(2, 60)));
    scene.until_acknowledged(100);
    scene.mended();
    finish(scene, service)
}

pub(super) fn two_processes(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let mut services = [(); 2].map(|()| scene.shop("service", ""));
    sleep(Duration::from_secs(form.pick(3, 60)));
    scene.until_acknowledged(100);
    services.iter_mut().for_each(crate::Process::stop);
    scene.mended();
    scene.drain(Duration::from_secs(30));
    scene
}

/// A small file system in memory, or the same limit by SQLite's own means where nobody may mount.
pub(super) fn full_disk(_: Kind, form: Form) -> Scene {
    let folder = Folder::new("disk");
    let disk = Disk::mount(folder.path().join("disk"));
    let settings = if disk.is_mounted { "" } else { "pages=400" };
    let mut scene = Scene::with(Database::Sqlite(disk.path.join("shop.db")), folder, Some(disk));
    let mut service = scene.shop("service", settings);
    for _ in 0..form.pick(1, 5) {
        until("the disk is full", Duration::from_secs(60), || scene.failed() > 200);
        sleep(Duration::from_secs(1));
        // What the relay has sent by then, it cannot note.
        scene.lost_leases += 2;
    }
    if settings.is_empty() {
        scene.enlarge_disk();
    } else {
        service.stop();
        service = scene.shop("service", "");
    }
    scene.until_acknowledged(100);
    scene.mended();
    finish(scene, service)
}

/// A file system in memory; dropping the value unmounts it.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    is_mounted: bool,
}

impl Disk {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("the folder can be written");
        let is_mounted = Self::mount_with("size=4m", &path);
        Self { path, is_mounted }
    }

    fn mount_with(options: &str, path: &Path) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    }

    pub(crate) fn enlarge(&self) {
        assert!(Self::mount_with("remount,size=200m", &self.path), "what is mounted can be mounted again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        }
    }
}

/// The tables are of a newer version: a program works with them, or says that it cannot.
pub(super) fn newer_schema(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let mut old = scene.shop("service", "rate=200");
    scene.until_acknowledged(50);
    let _ = scene.database.sql("UPDATE diator_schema SET version = version + 1");
    // The old program goes on, and another one of its version can start beside it.
    let service = scene.shop("service", "rate=200");
    scene.until_acknowledged(form.pick(300, 10_000));
    old.stop();
    scene.until_acknowledged(50);
    scene.mended();
    let scene = finish(scene, service);
    let _ = scene.database.sql("UPDATE diator_schema SET oldest = version");
    for role in ["service", "relay"] {
        let mut refused = scene.shop(role, "commands=0");
        assert!(!refused.wait(Duration::from_secs(10)).success(), "it must not start");
        assert!(refused.log().contains("newer"), "it says what helps: {}", refused.log());
    }
    let _ = scene.database.sql("UPDATE diator_schema SET version = 1, oldest = 1");
    scene
}

/// A transaction that stays open, so that the database keeps what was deleted meanwhile.
#[derive(Debug)]
pub(super) struct LongTransaction(std::process::Child);

impl LongTransaction {
    pub(super) fn begin(database: &Database) -> Self {
        let child = match database {
            Database::Postgres(server) => {
                let mut psql = Command::new("psql");
                psql.args(["-XqAt", "-d", &server.url(), "-c", "SELECT pg_current_xact_id(), pg_sleep(3600)"]);
                psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
            }
            Database::Sqlite(path) => {
                let mut sqlite = Command::new("sqlite3");
                sqlite.arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
            }
        };
        let mut child = child.expect("the program is installed");
        if let Some(input) = &mut child.stdin {
            use std::io::Write;
            input.write_all(b"BEGIN; SELECT count(*) FROM orders;\n").expect("it reads");
        }
        sleep(Duration::from_millis(300));
        Self(child)
    }
}

impl Drop for LongTransaction {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a library lets a process live in another time.
pub(crate) fn faketime() -> String {
    output(Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]))
}
