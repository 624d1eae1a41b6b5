//! Mistakes that compile, and must not; and in `pass`, programs that must, and do not.
//!
//! Broken, all of them: who mends one moves its file to `ui/`, and lets `ui.rs` write what the compiler says.

fn assert_mistaken(file: &str) {
    trybuild::TestCases::new().compile_fail(file);
}

/// Broken: a query that emits an event does not compile.
#[test]
#[should_panic(expected = "1 of 1 tests failed")]
fn a_query_is_no_command() {
    assert_mistaken("ui_wanted/query_made_a_command.rs");
}

/// Broken: a query that sends a command does not compile.
#[test]
#[should_panic(expected = "1 of 1 tests failed")]
fn a_command_is_not_sent_from_a_query() {
    assert_mistaken("ui_wanted/command_sent_from_query.rs");
}

/// Broken: a crate that `Cargo.toml` renames can be linked, with both of its names.
#[test]
#[should_panic(expected = "1 of 1 tests failed")]
fn a_crate_is_linked_under_two_names() {
    trybuild::TestCases::new().pass("ui_wanted/pass/crate_renamed.rs");
}
