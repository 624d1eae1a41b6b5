//! The code in `docs/unit-of-work.md` is that of the example, which is compiled and run.

const GUIDE: &str = include_str!("../../docs/unit-of-work.md");
const EXAMPLE: [&str; 2] =
    [include_str!("../../examples/unit_of_work.rs"), include_str!("../../examples/unit_of_work/transaction.rs")];

#[test]
fn its_code_is_that_of_the_example() {
    let blocks: Vec<&str> = GUIDE.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5);
    for block in blocks {
        assert!(EXAMPLE.iter().any(|source| source.contains(block)), "the example does not say:\n{block}");
    }
}
