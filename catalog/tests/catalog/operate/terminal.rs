//! What asks before it deletes: somebody at a terminal, or nobody.

#[cfg(target_os = "linux")]
use std::io::Write;
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};

use super::refused;
#[cfg(target_os = "linux")]
use super::{program, text};

/// It does not even open the store.
#[test]
fn what_asks_needs_a_terminal_or_a_yes() {
    for arguments in [&["outbox", "replay", "--since", "2h"][..], &["dead", "discard", "--all"]] {
        for store in ["", "refused"] {
            let [group, command, ..] = arguments else { panic!("they have two words") };
            let expected =
                format!("error: `{group} {command}` must ask first, and there is no terminal: add `--yes`\n");
            assert_eq!(refused(store, arguments, 2), expected);
        }
    }
}

/// What somebody at a terminal sees, who answers with a line; `script` of Debian's bsdutils is the terminal.
#[cfg(target_os = "linux")]
#[track_caller]
fn asked(store: &str, arguments: &str, answer: &str, code: i32) -> String {
    let command = format!("{} {arguments}", program().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("STORE", store).env("NO_COLOR", "1");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` is installed");
    child.stdin.as_mut().expect("it is piped").write_all(answer.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    text(&output.stdout).replace("\r\n", "\n")
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_at_a_terminal_is_asked() {
    let handled = asked("kept", "dead discard d1 d2 2", "y\n", 0);
    assert!(handled.contains("delete 3 dead letters for good? [y/N] "), "{handled}");
    assert!(handled.ends_with("3 dead letters were discarded\n"), "{handled}");
    let waiting = asked("kept", "dead discard --endpoint billing --handler billing.charge --waiting", "y\n", 0);
    assert!(waiting.contains("delete 7 deliveries for good? [y/N] "), "{waiting}");
    let discarded = asked("", "dead discard --topic orders", "y\n", 0);
    assert!(discarded.contains("delete 1 dead letter for good? [y/N] "), "{discarded}");
    assert!(discarded.ends_with("1 dead letter was discarded\n"), "{discarded}");
    let kept = asked("", "dead discard 1", "\n", 1);
    assert!(kept.ends_with("nothing was done\n"), "{kept}");
    let nothing = asked("", "dead discard --topic mails", "", 0);
    assert!(!nothing.contains("[y/N]") && nothing.ends_with("0 dead letters were discarded\n"), "{nothing}");
    let many = asked("many", "dead discard --all", "yes\n", 0);
    assert!(many.contains("delete all that match, more than 1000 dead letters, for good? [y/N] "), "{many}");
    assert!(many.ends_with("1001 dead letters were discarded\n"), "{many}");
    let replayed = asked("", "outbox replay --since 2h --topic orders", "y\n", 0);
    assert!(
        replayed.contains("the outbox has 4 sent messages; publish those again that were sent to `orders` at "),
        "{replayed}"
    );
    assert!(replayed.contains("1 message sent to `orders` since "), "{replayed}");
    assert!(asked("", "outbox replay --since 2h", "no\n", 1).ends_with("nothing was done\n"));
}
