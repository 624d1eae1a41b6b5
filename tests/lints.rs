//! What the attributes write says nothing about itself: lints speak of what the program's author wrote.
//!
//! A file for each sort of lint. What clippy says is seen where clippy runs, as in `scripts/check`; `ui/pass/strict_lints.rs`
//! is a crate that forbids even more.

#![deny(unused)]

/// A module for each file; public, because some lints speak of what is.
pub mod lints {
    mod deprecated;
    pub mod inlined;
    mod names;
}
