//! What `docs/operating.md` shows is what its commands print of four broken systems.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// `shop` prepares a system, `ops` is what an operator types, and `health_page` what `curl` shows of a running host.
const SESSION: &str = r#"
set -eu
shop() { "$SHOP" "$@"; }
ops() {
    echo "\$ ops $*"
    "$SHOP" ops "$@" 2>&1 </dev/null || echo "exit code $?"
}
health_page() {
    echo "\$ curl http://shop:3000/health"
    "$SHOP" "$@"
}
"#;

/// What a terminal shows while the script of a system runs.
fn shown(system: &str) -> String {
    let folder = std::env::temp_dir().join(format!("diator-operating-{system}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("it can be made");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems").join(system).with_extension("sh");
    let script = std::fs::read_to_string(script).expect("there is one");
    let mut sh = Command::new("sh");
    ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"].iter().for_each(|name| _ = sh.env_remove(name));
    sh.args(["-c", &format!("{SESSION}{script}")]).env("SHOP", env!("CARGO_BIN_EXE_diator-operating"));
    let output = sh.env("DATABASE", folder.join("shop.db")).output().expect("there is a shell");
    std::fs::remove_dir_all(folder).expect("it can be removed");
    let shown = String::from_utf8(output.stdout).expect("it is a text");
    assert!(output.status.success(), "{system}: {}{shown}", String::from_utf8_lossy(&output.stderr));
    if let Some(folder) = std::env::var_os("DIATOR_SHOW").map(PathBuf::from) {
        std::fs::write(folder.join(system).with_extension("txt"), &shown).expect("it can be written");
    }
    shown
}

/// The text without what differs from run to run: times, ages, ids.
fn neutral(text: &str) -> String {
    let text = without_ids(text);
    text.lines().map(|line| line.split_inclusive(' ').map(neutral_word).collect::<String>() + "\n").collect()
}

fn without_ids(text: &str) -> String {
    let is_id = |text: &str| {
        let fits = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        text.bytes().enumerate().all(fits)
    };
    let (mut without, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_one = rest.get(..36).is_some_and(is_id);
        without.push(if is_one { '~' } else { first });
        rest = &rest[if is_one { 36 } else { first.len_utf8() }..];
    }
    without
}

fn neutral_word(word: &str) -> String {
    let bare = word.trim_end_matches([' ', ',']);
    let shape: String = bare.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is_age = bare.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(|number| number.parse::<u32>().is_ok());
    let is_fraction = bare.contains(['.', 'e']) && bare.parse::<f64>().is_ok();
    match shape == "0000-00-00T00:00:00Z" || is_age || is_fraction {
        true => word.replace(bare, "~"),
        false => word.to_owned(),
    }
}

#[test]
fn the_page_shows_what_its_commands_print() {
    let printed = ["broker_away", "gateway", "poison", "by_hand"].map(shown);
    let shown: Vec<_> = printed.iter().map(|printed| neutral(printed)).collect();
    let page = include_str!("../../../docs/operating.md");
    let blocks = page.split("```console\n").skip(1).map(|rest| neutral(rest.split("```").next().unwrap_or_default()));
    let blocks: Vec<_> = blocks.collect();
    assert!(!blocks.is_empty());
    for block in &blocks {
        let is_shown = shown.iter().any(|shown| shown.contains(&**block));
        assert!(is_shown, "no system shows this:\n{block}\nThe systems show:\n{}", shown.join("\n----\n"));
    }
    for command in printed.iter().flat_map(|printed| printed.lines()).filter(|line| line.starts_with("$ ")) {
        let command = command.trim_start_matches("$ ");
        assert!(page.contains(command), "the page does not name `{command}`");
    }
}

#[test]
fn each_command_that_the_page_names_is_there() {
    let page = include_str!("../../../docs/operating.md");
    let named = page.split("`ops ").skip(1).map(|rest| rest.split('`').next().unwrap_or_default());
    let mut count = 0;
    for command in named.filter(|command| *command != "help") {
        let words = command.split(' ').take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let mut ops = Command::new(env!("CARGO_BIN_EXE_diator-operating"));
        let asked = ops.arg("ops").args(words).arg("--help").output().expect("it starts");
        let help = String::from_utf8_lossy(&asked.stdout);
        assert!(asked.status.success(), "there is no `ops {command}`");
        for option in command.split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "`ops {command}` does not know {option}");
        }
        count += 1;
    }
    assert!(count > 20, "the page names {count} commands");
}
