use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a judge says of a drill.
#[derive(Debug)]
pub(crate) struct Verdict(Vec<Value>);

impl Verdict {
    /// Lets one of the scripts judge what is in a folder, and this about the drill.
    pub(crate) fn of(script: &str, folder: &Path, name: &str, drill: &Value) -> Self {
        fs::write(folder.join("drill.json"), drill.to_string()).expect("the folder can be written");
        let judge = format!("{}/../../scripts/{script}", env!("CARGO_MANIFEST_DIR"));
        let judged = Command::new(judge).arg("--json").arg(folder).output().expect("python3 is there");
        let said: Value = serde_json::from_slice(&judged.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&judged.stderr)));
        Self(said["verdicts"].as_array().expect("the judge lists its verdicts").clone())
    }

    /// What the judge counted of an invariant.
    pub(crate) fn count(&self, invariant: &str, what: &str) -> u64 {
        // A tuple of name, holds, text, counts, examples; named where Python names it.
        let of = self.0.iter().find(|verdict| verdict["name"] == invariant).expect("it judges all");
        of["counts"][what].as_u64().unwrap_or_default()
    }

    /// The invariants that do not hold, with the judge's words.
    pub(crate) fn violated(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let words = |verdict: &Value| format!("{}, as of {}", text(&verdict["text"]), verdict["examples"]);
        let violated = self.0.iter().filter(|verdict| verdict["holds"] != true);
        violated.map(|verdict| (text(&verdict["name"]), words(verdict))).collect()
    }
}
