//! A proxy passes on, swallows, cuts, and changes its server as it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use diator_testkit::Proxy;

fn server() -> (TcpListener, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

/// A client of the proxy, and the server's end of its connection.
fn connect(proxy: &Proxy, server: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(proxy.address()).unwrap();
    let (end, _) = server.accept().unwrap();
    for stream in [&client, &end] {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }
    (client, end)
}

/// Sends a byte from one to the other.
fn passes(mut from: &TcpStream, mut to: &TcpStream) {
    from.write_all(b"x").unwrap();
    to.read_exact(&mut [0]).unwrap();
}

fn hears_nothing(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn bytes_pass_both_ways_until_it_swallows_and_then_only_over_new_connections() {
    let (server, address) = server();
    let proxy = Proxy::start(address);
    let (mut client, end) = connect(&proxy, &server);
    passes(&client, &end);
    passes(&end, &client);
    proxy.swallow();
    client.write_all(b"x").unwrap();
    hears_nothing(&end);
    // Nor does the client hear that the server has gone.
    drop(end);
    hears_nothing(&client);
    let (client, end) = connect(&proxy, &server);
    passes(&client, &end);
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn a_cut_closes_what_is_there_and_an_end_is_passed_on() {
    let (server, address) = server();
    let proxy = Proxy::start(address);
    let (mut client, mut end) = connect(&proxy, &server);
    proxy.cut();
    assert_eq!((client.read(&mut [0]).unwrap(), end.read(&mut [0]).unwrap()), (0, 0));
    let (mut client, end) = connect(&proxy, &server);
    passes(&client, &end);
    drop(end);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn only_new_connections_are_redirected() {
    let ((first, address), (second, other)) = (server(), server());
    let proxy = Proxy::start(address);
    let (client, end) = connect(&proxy, &first);
    proxy.redirect(other);
    passes(&client, &end);
    let (client, end) = connect(&proxy, &second);
    passes(&client, &end);
}

#[test]
fn its_connections_and_its_port_go_with_it() {
    let (server, address) = server();
    let proxy = Proxy::start(address);
    let (mut client, _end) = connect(&proxy, &server);
    let address = proxy.address();
    drop(proxy);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    // Who was waiting to be accepted is dropped.
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn a_delay_holds_up_present_and_new_connections_each_way_until_it_ends() {
    const DELAY: Duration = Duration::from_millis(150);
    let (server, address) = server();
    let proxy = Proxy::start(address);
    let present = connect(&proxy, &server);
    proxy.delay(DELAY);
    for (client, end) in [present, connect(&proxy, &server)] {
        for (from, to) in [(&client, &end), (&end, &client)] {
            let begun = Instant::now();
            passes(from, to);
            assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
        }
        // An end, too, comes behind what came before it.
        let begun = Instant::now();
        (&end).write_all(b"x").unwrap();
        drop(end);
        let mut heard = Vec::new();
        (&client).read_to_end(&mut heard).unwrap();
        assert_eq!((&*heard, begun.elapsed() >= DELAY), (&b"x"[..], true));
    }
    let (mut client, end) = connect(&proxy, &server);
    proxy.delay(Duration::from_secs(600));
    client.write_all(b"x").unwrap();
    hears_nothing(&end);
    // What waits does not wait any longer.
    proxy.delay(Duration::ZERO);
    end.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    (&end).read_exact(&mut [0]).unwrap();
    passes(&end, &client);
}

#[test]
fn what_waits_is_lost_by_a_cut_and_swallowed() {
    let (server, address) = server();
    let proxy = Proxy::start(address);
    for loses in [Proxy::cut, Proxy::swallow] {
        let (mut client, mut end) = connect(&proxy, &server);
        proxy.delay(Duration::from_secs(600));
        client.write_all(b"x").unwrap();
        hears_nothing(&end);
        loses(&proxy);
        proxy.delay(Duration::ZERO);
        end.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(end.read(&mut [0]).unwrap_or_default(), 0);
    }
}

#[test]
fn refused_ones_are_closed_and_the_server_does_not_see_them() {
    let (server, address) = server();
    let proxy = Proxy::start(address);
    let (client, end) = connect(&proxy, &server);
    proxy.refuse();
    for _ in 0..3 {
        let mut refused = TcpStream::connect(proxy.address()).unwrap();
        refused.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(refused.read(&mut [0]).unwrap_or_default(), 0);
    }
    passes(&client, &end);
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    server.set_nonblocking(false).unwrap();
    proxy.admit();
    let (client, end) = connect(&proxy, &server);
    passes(&client, &end);
    assert_eq!(proxy.accepted(), 5);
}

#[test]
fn without_a_server_it_closes() {
    let (server, address) = server();
    drop(server);
    let proxy = Proxy::start(address);
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_or_default(), 0);
}
