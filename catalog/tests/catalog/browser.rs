//! The page, in a real browser: it is opened, searched, followed and looked at.
//!
//! The pictures are left in the build directory, as `tmp/catalog-light.png` and `tmp/catalog-dark.png`.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/site.rs"]
mod site;
#[allow(dead_code, reason = "it is only shown, and never sent")]
mod world;

use diator_catalog::{Catalog, ObservedCauses};
use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use self::driver::{Driver, Scheme};
use self::site::Site;
use self::world::builder;

fn catalog() -> Catalog {
    let path = |name: &str| format!("{}::world::{name}", module_path!());
    let edges = json!({ "handlers": [
        { "message": path("PlaceOrder"), "causes": [path("OrderPlaced"), path("OrderPlacedNotification")] },
        { "message": path("second::Cancel"), "causes": [path("first::Cancel")] },
        { "message": path("OrderPlaced"), "handler": path("Ship"), "causes": [path("ShipOrder")] },
        { "message": path("ShipOrder"), "causes": [path("OrderPlaced")] },
    ] });
    let edges = ObservedCauses::from_json(&edges.to_string()).expect("it has the form");
    Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit")
}

fn page(catalog: &Catalog) -> String {
    catalog.html().title("Shop").sources("/source/{file}#L{line}").to_string()
}

async fn run(client: &Client, script: &str) -> Value {
    client.execute(script, Vec::new()).await.expect(script)
}

const SHOWN: &str = "return [...document.querySelectorAll('article')].filter((a) => a.checkVisibility())\
                     .map((a) => a.querySelector('h2 a').textContent)";

#[tokio::test]
async fn the_page_can_be_opened_searched_and_followed() {
    let (driver, site) = (Driver::start(), Site::serve(page(&catalog())));
    let client = driver.open(Scheme::Light, &site.url("/")).await;
    assert_eq!(client.title().await.expect("it has one"), "Shop");
    let all = run(&client, SHOWN).await;
    assert_eq!(all.as_array().expect("a list").len(), 17, "{all}");

    let search = client.find(Locator::Id("search")).await.expect("it is there");
    search.send_keys("ShipOrder").await.expect("it takes text");
    assert_eq!(run(&client, SHOWN).await, json!(["ShipOrder"]));
    assert_eq!(run(&client, "return document.getElementById('found').textContent").await, json!("1 of 17"));
    search.clear().await.expect("it can be cleared");
    search.send_keys("domain mail").await.expect("it takes text");
    assert_eq!(run(&client, SHOWN).await, json!(["OrderPlaced"]), "a kind, and a handler");

    for words in ["MoneyCame", "orders order_id", "dyn world::Stock", "world::audit placeorder", "idempotent", "nobody"]
    {
        search.clear().await.expect("it can be cleared");
        search.send_keys(words).await.expect("it takes text");
        let found = run(&client, SHOWN).await;
        assert!(!found.as_array().expect("a list").is_empty(), "{words}");
    }
    search.clear().await.expect("it can be cleared");
    search.send_keys("domain mail").await.expect("it takes text");

    let link = client.find(Locator::LinkText("ShipOrder")).await.expect("what it causes is linked");
    link.click().await.expect("it can be followed");
    let target = run(&client, "return document.querySelector('article:target h2 a').textContent").await;
    assert_eq!(target, json!("ShipOrder"));
    assert_eq!(run(&client, SHOWN).await, all, "what was searched for no longer hides it");
    let lit = "return [...document.querySelectorAll('[data-node]:not(.dim) .title')].map((t) => t.textContent)";
    assert_eq!(run(&client, lit).await, json!(["PlaceOrder", "ShipOrder", "OrderPlaced"]));

    let source = client.find(Locator::Css("article:target .source")).await.expect("it has a place");
    source.click().await.expect("it can be followed");
    let url = client.current_url().await.expect("it is somewhere");
    assert_eq!(url.path(), "/source/catalog/tests/catalog/world.rs");
    let line: usize =
        url.fragment().and_then(|line| line.strip_prefix('L')).expect("a line").parse().expect("a number");
    let text = client.find(Locator::Css("body")).await.expect("a text").text().await.expect("a text");
    assert!(text.lines().nth(line - 1).expect("it is that long").contains("struct ShipOrder"), "{line}");

    client.close().await.expect("it can be closed");
    assert_eq!(site.requests(), ["/", "/source/catalog/tests/catalog/world.rs"], "the page asks for nothing else");
}

#[tokio::test]
async fn the_graph_is_drawn_and_no_two_boxes_overlap() {
    let (driver, site) = (Driver::start(), Site::serve(page(&catalog())));
    let client = driver.open(Scheme::Light, &site.url("/")).await;
    let overlaps = "
        const boxes = [...document.querySelectorAll('[data-node] rect')].map((r) => r.getBoundingClientRect());
        const clash = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        return [boxes.length, boxes.filter((a, i) => boxes.some((b, j) => i < j && clash(a, b))).length,
            boxes.filter((a) => a.width < 20 || a.height < 20).length,
            [...document.querySelectorAll('[data-node]')].filter((n) => [...n.querySelectorAll('text')].some((t) =>
                t.getBoundingClientRect().right > n.querySelector('rect').getBoundingClientRect().right)).length]";
    assert_eq!(
        run(&client, overlaps).await,
        json!([17, 0, 0, 0]),
        "boxes, those that overlap, tiny ones, too long texts"
    );
    assert_eq!(run(&client, "return document.querySelectorAll('[data-from]').length").await, json!(5));
    // Also the one that leads back does not go through a box.
    let through = "
        const boxes = [...document.querySelectorAll('[data-node] rect')].map((r) => r.getBoundingClientRect());
        const inside = (p) => boxes.some((b) => p.x > b.left + 4 && p.x < b.right - 4 && p.y > b.top && p.y < b.bottom);
        return [...document.querySelectorAll('[data-from]')].filter((edge) => {
            const length = edge.getTotalLength(), matrix = edge.getScreenCTM();
            const points = Array.from({ length: 201 }, (_, i) => edge.getPointAtLength(length * i / 200));
            return points.some((point) => inside(point.matrixTransform(matrix)));
        }).map((edge) => `${edge.dataset.from} ${edge.dataset.to}`)";
    assert_eq!(run(&client, through).await, json!([]));
    client.close().await.expect("it can be closed");
}

#[tokio::test]
async fn what_is_chosen_in_the_graph_can_be_left_and_chosen_again() {
    let (driver, site) = (Driver::start(), Site::serve(page(&catalog())));
    let client = driver.open(Scheme::Light, &site.url("/")).await;
    let node = Locator::Css("[data-node$=_world_ShipOrder]");
    let lit = "return document.querySelectorAll('[data-node]:not(.dim)').length";
    for _ in 0..2 {
        client.find(node).await.expect("it is drawn").click().await.expect("it can be chosen");
        assert_eq!(run(&client, lit).await, json!(3));
        let seen = "
            const within = (e, top) => { const b = e.getBoundingClientRect(); return b.top >= top && b.top < innerHeight; };
            const graph = document.getElementById('graph').getBoundingClientRect();
            return [within(document.querySelector('[data-node$=_world_ShipOrder]'), graph.top),
                within(document.querySelector('article:target'), graph.bottom)]";
        assert_eq!(run(&client, seen).await, json!([true, true]), "the node, and below the graph its description");
        let body = client.find(Locator::Css("body")).await.expect("there is one");
        body.send_keys("\u{e00c}").await.expect("Escape can be pressed");
        assert_eq!(run(&client, lit).await, json!(17), "nothing is chosen any more");
    }
    client.close().await.expect("it can be closed");
}

#[tokio::test]
async fn light_and_dark_follow_the_reader() {
    let (driver, site) = (Driver::start(), Site::serve(page(&catalog())));
    let mut backgrounds = Vec::new();
    for scheme in [Scheme::Light, Scheme::Dark] {
        let client = driver.open(scheme, &site.url("/")).await;
        let colours = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]";
        backgrounds.push(run(&client, colours).await);
        let picture = client.screenshot().await.expect("it can be taken");
        assert!(picture.len() > 20_000, "{} bytes are an empty page", picture.len());
        std::fs::write(scheme.picture(), picture).expect("it can be written");
        client.close().await.expect("it can be closed");
    }
    assert_eq!(
        backgrounds,
        [json!(["rgb(246, 247, 249)", "rgb(29, 36, 51)"]), json!(["rgb(17, 21, 28)", "rgb(230, 233, 239)"]),]
    );
}

#[tokio::test]
async fn hostile_names_are_shown_and_do_nothing() {
    let mut catalog = Catalog::from(builder().wiring());
    let hostile = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><b>'&amp;\u{1b}[1m",
        "a\nb ${x} {file}",
    ];
    for (request, name) in catalog.requests.iter_mut().zip(hostile.map(str::to_owned).into_iter().cycle()) {
        (request.name, request.type_name, request.response, request.marks) =
            (name.clone(), name.clone(), name.clone(), vec![name.clone()]);
        request
            .source
            .iter_mut()
            .for_each(|source| source.file = "javascript:alert(1)//\" onclick=\"alert(1)".to_owned());
        request.handlers.iter_mut().for_each(|handler| {
            (handler.type_name, handler.middleware) = (name.clone(), vec![name.clone()]);
        });
    }
    let page = catalog.html().title(hostile[0]).sources("{file}#L{line}").to_string();
    let (driver, site) = (Driver::start(), Site::serve(page));
    let client = driver.open(Scheme::Light, &site.url("/")).await;
    let elements =
        "return ['script', 'img', 'b', '[onclick]', '[onerror]'].map((s) => document.querySelectorAll(s).length)";
    assert_eq!(run(&client, elements).await, json!([1, 0, 0, 0, 0]));
    assert_eq!(client.title().await.expect("it has one"), hostile[0]);
    let shown = run(&client, SHOWN).await;
    assert_eq!(shown.as_array().expect("a list").len(), 17);
    for name in [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><b>'&amp;\\u{1b}[1m",
        "a\\nb ${x} {file}",
    ] {
        assert!(shown.as_array().expect("a list").contains(&json!(name)), "{name}: {shown}");
    }
    let schemes = "return [...document.querySelectorAll('a[href]')].map((a) => new URL(a.href, location).protocol)";
    let schemes = run(&client, schemes).await;
    assert!(schemes.as_array().expect("a list").iter().all(|scheme| scheme == "http:"), "{schemes}");
    client.close().await.expect("it can be closed");
    assert_eq!(site.requests(), ["/"]);
}
