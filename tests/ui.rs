//! What the compiler says about mistakes, one file each, and programs that must compile.
//!
//! The texts belong to one compiler, without its `rust-src` component. After a change, write them anew with
//! `TRYBUILD=overwrite cargo test -p diator-tests --test ui`, without and with `--features in-place`, and read them as someone who has never seen the library.

/// Where requests are sent in place, the compiler has one block more to say of these: that of the way to the handler.
const OTHERWISE_IN_PLACE: [&str; 3] =
    ["request_handler_of_event", "request_handler_without_impl", "request_handler_without_impl_and_send"];

#[rustversion::attr(not(stable(1.95)), ignore = "the texts are those of rustc 1.95")]
#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    if cfg!(not(feature = "in-place")) {
        return cases.compile_fail("ui/*.rs");
    }
    cases.compile_fail("ui/in_place/*.rs");
    let mut mistakes: Vec<_> = std::fs::read_dir("ui").unwrap().map(|entry| entry.unwrap().path()).collect();
    mistakes.sort();
    mistakes.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    for mistake in mistakes {
        if !OTHERWISE_IN_PLACE.iter().any(|other| mistake.file_stem().is_some_and(|stem| stem == *other)) {
            cases.compile_fail(mistake);
        }
    }
}

#[test]
fn valid_programs_compile_and_run() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
