//! The code in the guides is that of the examples, which are compiled and run.

#[test]
fn the_unit_of_work() {
    let (guide, example) = (include_str!("../docs/unit-of-work.md"), include_str!("../examples/unit_of_work.rs"));
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        assert!(example.contains(block), "the example does not say:\n{block}");
    }
}
