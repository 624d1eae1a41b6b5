//! A user's program with a store for its command line; the variable `STORE` says which.

mod fake;
mod filled;
mod kept;

use std::process::ExitCode;

use diator_catalog::cli::Cli;

use self::fake::{Chain, Fake};

fn main() -> ExitCode {
    let cli = Cli::new(filled::builder());
    let kind = std::env::var("STORE").unwrap_or_default();
    match kind.as_str() {
        "" => cli.store(filled::filled).run(),
        "none" => cli.run(),
        "refused" => cli.store(|| async { Err::<Fake, _>(Chain::refused().into()) }).run(),
        "panics" => cli.store(|| async { panic!("it could not be made") as Result<Fake, _> }).run(),
        "kept" => cli.store(|| async { Ok(Fake::of("kept")?.with(kept::kept().await?)) }).run(),
        "behind" => cli.store(|| async { Ok(Fake::of("behind")?.with(kept::behind().await?)) }).run(),
        "many_kept" => cli.store(|| async { Ok(Fake::of("many_kept")?.with(kept::many().await?)) }).run(),
        _ => cli.store(|| async move { Fake::of(&kind) }).run(),
    }
}
