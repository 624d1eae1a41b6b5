//! A user's program with the catalog's command line.

#[allow(dead_code, reason = "it is only shown, and never sent")]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let builder = world::builder();
    if let Ok(edges) = std::env::var("EDGES") {
        return diator_catalog::cli::Cli::new(builder).edges(edges).run();
    }
    match std::env::var_os("FAULTY") {
        Some(_) => diator_catalog::cli::run(builder.container(diator::Services::new())),
        None => diator_catalog::cli::run(builder),
    }
}
