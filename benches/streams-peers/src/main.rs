//! Consuming 200,000 messages from a Redis stream: a bare loop, diator, and ruststream-fred with its defaults and with its pipelines.
//!
//! Run it with `cargo run --release` in this folder; it starts a server of its own and prints a table of `docs/benchmarks.md`. With
//! `-- --quick` it has a quarter of the messages and three turns. All take turns in one run.

mod bare;
mod bookings;
mod ours;
mod ruststream_fred;

use std::time::{Duration, Instant};

use bookings::{Desk, Server};

const CONTENDERS: [&str; 4] = ["bare loop", "diator", "ruststream-fred", "ruststream-fred, pipelined"];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (messages, turns) = if quick { (50_000, 3) } else { (200_000, 7) };
    let server = Server::start();
    let bytes = server.fill(messages).await;
    println!(
        "| {messages} messages of {bytes} bytes, trivial handler | messages/s | of the bare loop |\n|---|---:|---:|"
    );
    for workers in [1, 8, 32] {
        let mut rates = vec![Vec::new(); CONTENDERS.len()];
        // The first turn warms up.
        for turn in 0..=turns {
            for (contender, rates) in rates.iter_mut().enumerate() {
                let took = consume(contender, &server, workers, messages).await;
                if turn > 0 {
                    rates.push(messages as f64 / took.as_secs_f64());
                }
            }
        }
        let of = |contender: usize| {
            let ratios = rates[contender].iter().zip(&rates[0]).map(|(rate, bare)| rate / bare).collect();
            (median(rates[contender].clone()), median(ratios))
        };
        for (contender, name) in CONTENDERS.into_iter().enumerate() {
            let (rate, ratio) = of(contender);
            println!("| {name}, {workers} at once | {rate:.0} | {ratio:.2} |");
        }
    }
}

/// How long it takes until all are handled and acknowledged.
async fn consume(contender: usize, server: &Server, workers: usize, messages: u64) -> Duration {
    server.make_group_anew().await;
    let desk = Desk::open(messages);
    let begun = Instant::now();
    match contender {
        0 => bare::consume(server, desk, messages).await,
        1 => ours::consume(server, desk, workers).await,
        2 => ruststream_fred::consume(server, desk, workers, false).await,
        _ => ruststream_fred::consume(server, desk, workers, true).await,
    }
    let took = begun.elapsed();
    assert_eq!(server.left_over().await, 0, "{} leaves entries unacknowledged", CONTENDERS[contender]);
    took
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
