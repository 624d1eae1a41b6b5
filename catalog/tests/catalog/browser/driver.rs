use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// A driver of Chromium, and the port that it listens on; `scripts/install-servers` installs both.
pub(crate) struct Driver {
    process: Child,
    port: u16,
    /// Where it and its browsers put what they need for a while; they leave some of it behind.
    folder: PathBuf,
}

/// What the reader's settings ask for.
#[derive(Clone, Copy)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub(crate) fn picture(self) -> PathBuf {
        let name = match self {
            Self::Light => "catalog-light.png",
            Self::Dark => "catalog-dark.png",
        };
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
    }
}

impl Driver {
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // A short path: sockets are among what is put there.
        let folder = std::env::temp_dir().join(format!("diator-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).expect("a temporary folder can be made");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", &folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let spawned = command.spawn();
        let mut process = spawned.expect("chromedriver is missing: run `scripts/install-servers`");
        let output = BufReader::new(process.stdout.take().expect("it was asked for"));
        let started = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok());
        Self { process, port: started.expect("chromedriver says its port"), folder }
    }

    pub(crate) async fn open(&self, scheme: Scheme, url: &str) -> Client {
        // No sandbox: in a container the browser may not make one, and the page is our own.
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1200"];
        if let Scheme::Dark = scheme {
            arguments.extend(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]);
        }
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let options = options.as_object().expect("an object").clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(options).connect(&format!("http://127.0.0.1:{}", self.port)).await;
        let client = client.expect("chromium can be started");
        client.goto(url).await.expect("the page can be opened");
        client
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browsers end with their driver.
        _ = self.process.kill();
        _ = self.process.wait();
        _ = std::fs::remove_dir_all(&self.folder);
    }
}
