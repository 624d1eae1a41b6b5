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
    let (_, sections) = readme.split_once("## A database\n").unwrap();
    let sections = sections.split("\n## Testing").next().unwrap();
    let blocks: Vec<&str> = sections.split("```rs\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    for part in blocks.iter().flat_map(|block| block.split("\n\n")) {
        assert!(guide.contains(part), "the guide does not say:\n{part}");
    }
}

#[test]
fn the_first_page_of_reliability_adds_its_tables_up() {
    let guide = include_str!("../docs/reliability.md");
    let (front, tables) = guide.split_once("\n## The shop\n").unwrap();
    for (heading, column) in [("\n## What came out\n", 3), ("\n### What came out of them\n", 4)] {
        let (_, section) = tables.split_once(heading).unwrap();
        let rows = section.split("\n#").next().unwrap().lines().filter(|line| line.ends_with("| holds |"));
        let sum: u64 = rows.map(|row| row.split('|').nth(column).unwrap().trim().parse::<u64>().unwrap()).sum();
        let sum = format!("{},{:03}", sum / 1_000, sum % 1_000);
        let sum = if sum.len() > 7 { format!("{},{}", &sum[..sum.len() - 7], &sum[sum.len() - 7..]) } else { sum };
        assert!(front.contains(&format!("| {sum} ")), "the first page does not say {sum}");
    }
}

fn says(example: &str, guide: &str, at_least: usize) {
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= at_least);
    for block in blocks {
        assert!(example.contains(block), "the example does not say:\n{block}");
    }
}
