//! The code in the guides is that of the examples, which are compiled and run.

#[test]
fn the_unit_of_work() {
    let (guide, example) = (include_str!("../docs/unit-of-work.md"), include_str!("../examples/unit_of_work.rs"));
    says(example, guide, 3);
}

#[test]
fn the_outbox_in_a_web_service() {
    let (guide, example) = (include_str!("../docs/outbox.md"), include_str!("../examples/host.rs"));
    let (_, section) = guide.split_once("## In a web service\n").unwrap();
    says(example, section.split("\n## ").next().unwrap(), 1);
}

#[test]
fn two_services_in_the_readme() {
    let (readme, guide) = (include_str!("../README.md"), include_str!("../docs/two-services.md"));
    let (_, sections) = readme.split_once("## A database\n").unwrap();
    let sections = sections.split("\n## Testing").next().unwrap();
    let blocks: Vec<&str> = sections.split("```rs\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    for part in blocks.iter().flat_map(|block| block.split("\n\n")) {
        assert!(guide.contains(part), "the guide does not say:\n{part}");
    }
}

fn says(example: &str, guide: &str, at_least: usize) {
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= at_least);
    for block in blocks {
        assert!(example.contains(block), "the example does not say:\n{block}");
    }
}
