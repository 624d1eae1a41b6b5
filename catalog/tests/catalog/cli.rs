//! The command line, as a user's program has it.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The example `catalog` of this package, which cargo builds with the package's tests.
fn program() -> Command {
    let tests = std::env::current_exe().expect("it runs");
    let target = tests.parent().and_then(Path::parent).expect("it lies in `deps`");
    let program = target.join("examples").join(format!("catalog{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "build it first: `cargo build -p diator-catalog --all-features --example catalog`");
    let mut command = Command::new(program);
    COLOURS.iter().for_each(|name| _ = command.env_remove(name));
    command
}

/// What the environment may say of colours.
const COLOURS: [&str; 3] = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"];

fn catalog(arguments: &[&str]) -> Output {
    program().args(arguments).output().expect("the program can be run")
}

const EDGE: &str =
    r#"{"handlers": [{"message": "catalog::world::PlaceOrder", "causes": ["catalog::world::OrderPlaced"]}]}"#;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is utf-8")
}

/// What a command printed that did what was asked.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = catalog(arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    text(&output.stdout).to_owned()
}

/// What a command complained of that could not do what was asked.
#[track_caller]
fn refused(arguments: &[&str], code: i32) -> String {
    let output = catalog(arguments);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""), "{arguments:?}");
    text(&output.stderr).to_owned()
}

#[test]
fn describe_lists_everything_without_colours_in_a_pipe() {
    let table = printed(&["describe"]);
    assert!(table.contains("\ncommands\n") && table.contains("PlaceOrderHandler"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
}

#[test]
fn the_environment_decides_about_colours() {
    let described = |environment: &[(&str, &str)]| {
        let output = program().args(["describe", "PlaceOrder"]).envs(environment.iter().copied()).output();
        text(&output.expect("the program can be run").stdout).to_owned()
    };
    let plain = printed(&["describe", "PlaceOrder"]);
    assert!(described(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1m\u{1b}[36mcommand PlaceOrder"));
    assert_eq!(described(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
}

#[test]
fn describe_tells_of_one_message() {
    let text = printed(&["describe", "PlaceOrder"]);
    assert!(text.starts_with("command PlaceOrder  catalog/tests/catalog/world.rs:"), "{text}");
    assert!(text.contains("needs      Transaction as `_transaction`, scoped"), "{text}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let near = refused(&["describe", "PlaceOder"], 2);
    assert_eq!(near, "error: nothing is called `PlaceOder`: did you mean `PlaceOrder`?\n");
    let far = refused(&["describe", "\u{1b}[31mZebra"], 2);
    assert_eq!(far, "error: nothing is called `\\u{1b}[31mZebra`: `describe` without a name lists everything\n");
}

#[test]
fn check_reports_problems_with_an_exit_code() {
    assert!(printed(&["check"]).starts_with("the mediator can be built: 6 requests, 11 events\n"));
    let mut faulty = program();
    let output = faulty.arg("check").env("FAULTY", "1").output().expect("the program can be run");
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stderr);
    assert!(report.starts_with("the mediator cannot be built: 2 problems"), "{report}");
    assert!(report.contains("needs `dyn catalog::world::Stock`"), "{report}");
}

#[test]
fn check_tries_the_services_of_messages_if_it_is_asked_to() {
    let output = catalog(&["check", "--scopes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("the mediator can be built: 6 requests, 11 events\n"));
    let report = text(&output.stderr);
    assert!(report.starts_with("handlers cannot be built for their messages: "), "{report}");
    assert!(report.contains("field `_transaction` needs `catalog::world::Transaction`: no database is up"), "{report}");
}

#[test]
fn check_notes_which_handlers_wait_for_the_broker() {
    let checked = printed(&["check"]);
    let note = "note: the notification event `PaymentArrived` is handled here when it arrives from the broker: its handlers do not \
                run when this program emits it\n";
    assert!(checked.contains(note), "{checked}");
}

#[test]
fn check_knows_what_was_observed() {
    let edges =
        r#"{"handlers": [{"message": "catalog::world::PlaceOrder", "causes": ["catalog::world::PaymentArrived"]}]}"#;
    let mut command = program();
    let output = command.arg("check").env("EDGES", edges).output().expect("the program can be run");
    let checked = text(&output.stdout);
    let note = "note: the notification event `PaymentArrived` is emitted here (by PlaceOrder), but its handlers here do not run \
                then: they run when it arrives from the broker\n";
    assert!(checked.contains(note), "{checked}");
}

#[test]
fn a_faulty_program_can_be_described() {
    let mut faulty = program();
    let output = faulty.args(["describe", "PlaceOrder"]).env("FAULTY", "1").output().expect("the program can be run");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("dyn Stock as `_stock`, missing"), "{}", text(&output.stdout));
}

#[test]
fn each_rendering_is_written_to_the_output() {
    assert!(printed(&["mermaid"]).starts_with("flowchart LR\n"));
    let json: Value = serde_json::from_str(&printed(&["json"])).expect("it is json");
    assert_eq!(json["requests"][0]["kind"], "command");
    let arguments = ["asyncapi", "--title", "Shop", "--api-version", "2.0.0"];
    let asyncapi: Value = serde_json::from_str(&printed(&arguments)).expect("it is json");
    assert_eq!((&asyncapi["asyncapi"], &asyncapi["info"]["version"]), (&"3.0.0".into(), &"2.0.0".into()));
    let page = printed(&["html", "--title", "Shop <1>", "--sources", "https://git.example/{file}?at={line}"]);
    assert!(page.contains("<title>Shop &lt;1&gt;</title>"), "{page}");
    assert!(page.contains("href=\"https://git.example/catalog/tests/catalog/world.rs?at="), "{page}");
}

#[test]
fn edges_come_from_a_file() {
    let file = std::env::temp_dir().join(format!("diator-cli-edges-{}.json", std::process::id()));
    let path = file.to_str().expect("it is utf-8");
    std::fs::write(&file, EDGE).expect("it can be written");
    let description = printed(&["describe", "PlaceOrder", "--edges", path]);
    assert!(description.contains("domain event OrderPlaced\n      -> Note"), "{description}");
    std::fs::write(&file, EDGE.replace("OrderPlaced", "Gone")).expect("it can be written");
    let stale = refused(&["mermaid", "--edges", path], 2);
    assert!(stale.contains("note them down again"), "{stale}");
    let described = catalog(&["describe", "PlaceOrder", "--edges", path]);
    assert!(described.status.success(), "who mends the program still wants to see it: {described:?}");
    assert!(text(&described.stderr).starts_with("warning: some edges do not fit"), "{described:?}");
    assert!(text(&described.stdout).contains("PlaceOrderHandler"), "{described:?}");
    let mixed = EDGE.replace(r#"{"handlers": ["#, r#"{"handlers": [{"message": "Gone", "causes": []}, "#);
    std::fs::write(&file, mixed).expect("it can be written");
    let described = catalog(&["describe", "PlaceOrder", "--edges", path]);
    assert!(text(&described.stderr).contains("Gone: its handler is not in the catalog"), "{described:?}");
    assert!(text(&described.stdout).contains("domain event OrderPlaced"), "the others are shown: {described:?}");
    std::fs::write(&file, "{}").expect("it can be written");
    assert!(refused(&["json", "--edges", path], 2).contains(path));
    std::fs::remove_file(&file).expect("it was written");
    assert!(refused(&["json", "--edges", path], 2).contains("cannot be read"));
}

#[test]
fn a_program_may_bring_its_edges() {
    let with = |edges: &str, arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).env("EDGES", edges).output().expect("the program can be run")
    };
    let known = with(EDGE, &["describe", "PlaceOrder"]);
    assert!(text(&known.stdout).contains("domain event OrderPlaced\n      -> Note"), "{known:?}");
    let named = with(EDGE, &["describe", "PlaceOrder", "--edges", "/dev/null"]);
    assert_eq!(named.status.code(), Some(2), "what the command line names goes before: {named:?}");
    for edges in ["", "{}", &EDGE.replace("OrderPlaced", "Gone")] {
        let output = with(edges, &["json"]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{edges}");
        assert!(text(&output.stderr).starts_with("error: "), "{output:?}");
    }
}

#[test]
fn help_explains_and_names_the_exit_codes() {
    let help = printed(&["--help"]);
    for part in ["describe", "check", "mermaid", "asyncapi", "json", "html", "Exit codes:", "1  `check` found problems"]
    {
        assert!(help.contains(part), "{part} is not in {help}");
    }
    assert!(printed(&["html", "--help"]).contains("{file} and {line}"));
}

#[test]
fn a_wrong_command_line_is_refused() {
    let near = refused(&["descrbe"], 2);
    assert!(near.contains("describe"), "{near}");
    refused(&["json", "--colour"], 2);
    refused(&[], 2);
}

/// As in `… | head`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = program();
    let mut child = command.arg("html").stdout(std::process::Stdio::piped()).spawn().expect("the program can be run");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
