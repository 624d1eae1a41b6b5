//! What the compiler says about mistakes, one file each, and programs that must compile.
//!
//! The texts belong to one compiler, without its `rust-src` component. After a change, write them anew with
//! `TRYBUILD=overwrite cargo test -p diator-tests --test ui`, and read them as someone who has never seen the library.

#[rustversion::attr(not(stable(1.95)), ignore = "the texts are those of rustc 1.95")]
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

#[test]
fn valid_programs_compile_and_run() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
