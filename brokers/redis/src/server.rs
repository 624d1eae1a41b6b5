//! Where the server is, and who the driver is there.

use std::fmt;

use redis::{Client, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// Names the server: by a URL, or by an existing client.
///
/// A URL is `redis://[user:password@]host[:port][/database]`, with TLS `rediss://…` (feature `tls`), or
/// `unix:///path[?db=…&user=…&pass=…]`. A client can set more: certificates, TCP settings. The driver always uses
/// RESP2, whatever either says.
/// whatever either says.
#[derive(Clone)]
pub struct RedisServer(Origin);

#[derive(Clone)]
enum Origin {
    Url(String),
    Client(Box<ConnectionInfo>),
}

impl From<&str> for RedisServer {
    fn from(url: &str) -> Self {
        Self(Origin::Url(url.to_owned()))
    }
}

impl From<String> for RedisServer {
    fn from(url: String) -> Self {
        Self(Origin::Url(url))
    }
}

impl From<Client> for RedisServer {
    fn from(client: Client) -> Self {
        Self(Origin::Client(Box::new(client.get_connection_info().clone())))
    }
}

/// A client that connects without logging in, and what the login says.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) client: Client,
    pub(super) login: RedisConnectionInfo,
}

impl RedisServer {
    pub(super) fn check(self, problems: &mut Vec<String>) -> Option<Server> {
        let info = match self.0 {
            Origin::Client(info) => Ok(*info),
            Origin::Url(url) => read(&url),
        };
        let info = info.map_err(|problem| problems.push(problem)).ok()?;
        problems.extend(problem_of_address(info.addr()).map(str::to_owned));
        let login = info.redis_settings().clone();
        if login.db() < 0 {
            problems.push("the number of the database must not be negative".to_owned());
        }
        #[cfg(feature = "tls")]
        super::tls::prepare();
        // The login is ours, because the client's does not tell a wrong password from a server that is full.
        let bare = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let address = info.addr().to_string();
        let client = Client::open(info.set_redis_settings(bare)).map_err(|error| problems.push(error.to_string()));
        Some(Server { address, client: client.ok()?, login })
    }
}

/// Reads a URL; what is said of a bad one repeats nothing of it, since parts that were mixed up may be the password.
fn read(url: &str) -> Result<ConnectionInfo, String> {
    const SCHEMES: [&str; 7] = ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"];
    let Some((scheme, _)) = url.split_once("://") else {
        return Err("the url has no scheme: begin with `redis://`".to_owned());
    };
    if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err("the scheme of the url is not supported: use `redis://`, `rediss://` or `unix://`".to_owned());
    }
    let parsed = redis::parse_redis_url(url).ok_or("the url cannot be read: a password needs `%` escapes")?;
    let known: &[&str] = if scheme.to_ascii_lowercase().ends_with("unix") { &["db", "user", "pass"] } else { &[] };
    let mut names = parsed.query_pairs().map(|(name, _)| name);
    // The client passes over what it does not know.
    if names.any(|name| name != "protocol" && !known.contains(&&*name)) || parsed.fragment().is_some() {
        return Err("the url ends in something that means nothing here: only a socket has parameters".to_owned());
    }
    url.parse::<ConnectionInfo>().map_err(|error| {
        let text = error.to_string();
        format!("the url cannot be used: {}", text.split(" - ").next().unwrap_or_default())
    })
}

fn problem_of_address(address: &ConnectionAddr) -> Option<&'static str> {
    match address {
        ConnectionAddr::Tcp(_, 0) | ConnectionAddr::TcpTls { port: 0, .. } => Some("the port must not be 0"),
        ConnectionAddr::TcpTls { .. } if cfg!(not(feature = "tls")) => {
            Some("tls needs the feature `tls` of `diator-redis`")
        }
        ConnectionAddr::TcpTls { insecure: true, .. } => Some("tls without checking the server is not supported"),
        address if !address.is_supported() => Some("this platform does not support such an address"),
        _ => None,
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // Whatever was taken for a URL may hold a password.
            Origin::Url(_) => f.write_str("RedisServer(url)"),
            Origin::Client(server) => write!(f, "RedisServer({})", server.addr()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> (String, Option<String>, Option<String>, i64) {
        let server = RedisServer::from(url).check(&mut Vec::new()).expect("it is a url");
        let owned = |text: Option<&str>| text.map(str::to_owned);
        (server.address, owned(server.login.username()), owned(server.login.password()), server.login.db())
    }

    #[test]
    fn urls_are_read() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(login("redis://localhost"), ("localhost:6379".to_owned(), None, None, 0));
        let all = login("valkey://us%20er:p%40ss@[::1]:7000/3?protocol=resp3");
        assert_eq!(all, ("::1:7000".to_owned(), text("us er"), text("p@ss"), 3));
        assert_eq!(login("redis://:secret@10.0.0.1/0").2, text("secret"));
        let socket = login("unix:///run/redis.sock?db=2&user=u&pass=p");
        assert_eq!(socket, ("/run/redis.sock".to_owned(), text("u"), text("p"), 2));
    }

    #[test]
    fn a_client_brings_its_login() {
        let client = Client::open("redis://user:secret@localhost:7000/4").expect("it is a url");
        let server = RedisServer::from(client);
        assert!(!format!("{server:?}").contains("secret"), "{server:?}");
        let server = server.check(&mut Vec::new()).expect("it is right");
        assert_eq!((server.login.password(), server.login.db()), (Some("secret"), 4));
        assert_eq!(server.client.get_connection_info().redis_settings().password(), None);
    }
}
