//! The code in the guides is that of the examples, which are compiled and run.

#[test]
fn the_outbox_in_a_web_service() {
    let (guide, example) = (include_str!("../docs/outbox.md"), include_str!("../examples/host.rs"));
    let (_, section) = guide.split_once("## In a web service\n").unwrap();
    says(example, section.split("\n## ").next().unwrap(), 1);
}

#[test]
fn two_services_in_the_readme() {
    let (readme, guide) = (include_str!("../README.md"), include_str!("../docs/two-services.md"));
    let (_, section) = readme.split_once("## Two services\n").unwrap();
    says(guide, &section.split("\n## ").next().unwrap().replace("```rs\n", "```rust\n"), 4);
}

fn says(example: &str, guide: &str, at_least: usize) {
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= at_least);
    for block in blocks {
        assert!(example.contains(block), "the example does not say:\n{block}");
    }
}
