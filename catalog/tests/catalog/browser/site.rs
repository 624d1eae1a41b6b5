use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server of one page on this machine, and of the sources that it links to.
pub(crate) struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) fn serve(page: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let site = Self { address, requests: requests.clone() };
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (page, requests) = (page.clone(), requests.clone());
                // A browser opens connections that it may never use.
                std::thread::spawn(move || answer(stream, &page, &requests));
            }
        });
        site
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The paths that were asked for, but for the icon, which a browser asks every site for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("nobody panics while holding it");
        requests.iter().filter(|path| *path != "/favicon.ico").cloned().collect()
    }
}

fn answer(mut stream: TcpStream, page: &str, requests: &Mutex<Vec<String>>) {
    let mut line = String::new();
    let mut lines = BufReader::new(&stream);
    let Ok(1..) = lines.read_line(&mut line) else { return };
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().expect("nobody panics while holding it").push(path.clone());
    let (status, content_type, body) = match path.as_str() {
        "/" => ("200 OK", "text/html; charset=utf-8", page),
        "/source/catalog/tests/catalog/world.rs" => {
            ("200 OK", "text/plain; charset=utf-8", include_str!("../world.rs"))
        }
        _ => ("404 Not Found", "text/plain", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
