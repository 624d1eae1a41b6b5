mod columns;
mod escape;
mod layout;
mod svg;

use std::fmt::{self, Write};

use self::escape::{Text, class, url};
use super::clean::clean;
use super::json::pretty;
use super::labels::{KINDS, Labels, words};
use super::mermaid::Message;
use super::notes::ON_ARRIVAL;
use super::{Catalog, EventEntry, HandlerEntry, RequestEntry, Source};
use diator::registry::short_name;

/// The catalog as one page; [`Catalog::html`] makes it.
///
/// The page holds everything that it needs, and uses no network. It draws the graph, has a search, and follows the
/// reader's setting of light or dark.
#[derive(Clone, Debug)]
pub struct Html<'a> {
    catalog: &'a Catalog,
    title: String,
    sources: String,
}

impl Catalog {
    /// The catalog as one page for a browser.
    #[must_use]
    pub fn html(&self) -> Html<'_> {
        Html { catalog: self, title: "Catalog".to_owned(), sources: "{file}#L{line}".to_owned() }
    }
}

impl Html<'_> {
    /// Sets a title other than `Catalog`.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the address of the sources, such as `https://git.example/orders/blob/main/{file}#L{line}`.
    ///
    /// Without it, links are relative to the page, as if the page lay in the directory in which the compiler was run.
    #[must_use]
    pub fn sources(mut self, template: impl Into<String>) -> Self {
        self.sources = template.into();
        self
    }
}

/// What the page is written from.
struct Page<'a> {
    catalog: &'a Catalog,
    messages: Vec<Message<'a>>,
    labels: Labels,
    sources: &'a str,
}

impl Page<'_> {
    fn counts(&self) -> String {
        let count = |kind| {
            let requests = self.catalog.requests.iter().filter(|request| request.kind == kind).count();
            (kind, requests + self.catalog.events.iter().filter(|event| event.kind == kind).count())
        };
        let counted = KINDS.into_iter().map(count).filter(|(_, number)| *number > 0);
        // In the colours of the graph, which they explain.
        let counts = counted.map(|(kind, number)| {
            let [one, many] = words(kind);
            format!("<span class={}>{number} {}</span>", class(one), if number == 1 { one } else { many })
        });
        counts.collect::<Vec<_>>().join(", ")
    }

    fn source(&self, source: Option<&Source>) -> String {
        let Some(Source { file, line, .. }) = source else { return String::new() };
        let link = self.sources.replace("{line}", &line.to_string()).replace("{file}", &url(file));
        format!("<a class=source href=\"{}\">{}:{line}</a>", Text(&link), Text(file))
    }

    fn request(&self, number: usize, request: &RequestEntry) -> String {
        let mut rows = String::new();
        row(&mut rows, "answers", &code(&short_name(&request.response)));
        row(&mut rows, "fails with", &code(&short_name(&request.error)));
        if request.idempotent {
            row(&mut rows, "idempotent", "it may be handled twice");
        }
        marks(&mut rows, &request.marks);
        if request.handlers.is_empty() {
            row(
                &mut rows,
                "handled by",
                if request.remote { "another process" } else { "<em>nobody in this process</em>" },
            );
        }
        self.handlers("handled by", &request.handlers, &mut rows);
        let mut also: Vec<_> = request.marks.iter().map(String::as_str).collect();
        also.extend(request.idempotent.then_some("idempotent"));
        self.entry(&self.messages[number], request.source.as_ref(), &also, &rows)
    }

    fn event(&self, number: usize, event: &EventEntry) -> String {
        let mut rows = String::new();
        match event.is_on_the_wire() {
            true => self.wire(event, &mut rows),
            false if event.name != self.labels.label(&event.type_name) => row(&mut rows, "named", &code(&event.name)),
            false => {}
        }
        marks(&mut rows, &event.marks);
        let by = self.causers(&event.type_name);
        if !by.is_empty() {
            row(&mut rows, "caused by", &by.join(", "));
        }
        if event.must_be_handled {
            row(&mut rows, "required", "a handler: <code>build()</code> insists on it");
        }
        if event.handlers.is_empty() && !event.is_on_the_wire() {
            row(&mut rows, "handled by", "<em>nobody in this process</em>");
        }
        self.handlers(if event.is_on_the_wire() { "on arrival" } else { "handled by" }, &event.handlers, &mut rows);
        if event.arrives() {
            row(&mut rows, "they run", ON_ARRIVAL);
        }
        let mut also = vec![event.name.as_str()];
        let endpoints: Vec<_> =
            self.catalog.endpoints_for(event).into_iter().map(|name| format!("endpoint {name}")).collect();
        also.extend(endpoints.iter().map(String::as_str));
        also.extend(event.marks.iter().chain(&event.aliases).chain(&event.topic).chain(&event.key).map(String::as_str));
        self.entry(&self.messages[number], event.source.as_ref(), &also, &rows)
    }

    fn wire(&self, event: &EventEntry, rows: &mut String) {
        row(rows, "here", &Text(&self.catalog.here(event)).to_string());
        row(rows, "on the wire", &code(&event.name));
        if let Some(topic) = &event.topic {
            row(rows, "topic", &code(topic));
        }
        if let Some(key) = &event.key {
            row(rows, "key", &format!("{}, by which brokers that can keep the order", code(key)));
        }
        if !event.aliases.is_empty() {
            row(rows, "also read as", &code(&event.aliases.join(", ")));
        }
        if let Some(broker) = self.catalog.broker.as_ref().filter(|_| self.catalog.is_sent(event)) {
            let name = broker.type_name.as_deref().map_or_else(|| "an outbox".to_owned(), short_name);
            row(rows, "goes to", &format!("{} as {}", code(&name), code(&broker.content_type)));
        }
        let schema =
            |schema| format!("<details><summary>JSON Schema</summary><pre>{}</pre></details>", Text(&pretty(schema)));
        let unknown = || "<em>not known: <code>#[event(schema)]</code> tells them</em>".to_owned();
        row(rows, "its fields", &self.catalog.shape(event).map_or_else(unknown, schema));
    }

    fn handlers(&self, heading: &str, handlers: &[HandlerEntry], rows: &mut String) {
        for handler in handlers {
            let mut text =
                format!("{} {}", code(&self.labels.label(&handler.type_name)), self.source(handler.source.as_ref()));
            if let Some(id) = handler.given_id() {
                _ = write!(text, "<div>known as {}</div>", code(id));
            }
            if handler.order != 0 {
                _ = write!(text, "<div>order {}</div>", handler.order);
            }
            if handler.after_commit {
                text += "<div>after the commit</div>";
            }
            for dependency in &handler.dependencies {
                let optional = if dependency.optional { ", optional" } else { "" };
                let (service, lifetime) = (code(&short_name(&dependency.type_name)), dependency.lifetime.as_str());
                _ = write!(text, "<div>needs {service} <small>{lifetime}{optional}</small></div>");
            }
            if !handler.middleware.is_empty() {
                let names: Vec<_> = handler.middleware.iter().map(|name| code(&short_name(name))).collect();
                _ = write!(text, "<div>within {}</div>", names.join(", "));
            }
            let causes: Vec<_> = handler.causes().map(|cause| self.link(cause)).collect();
            match &handler.causes {
                None if !self.catalog.is_observed() => {}
                None => text += "<div><em>what it causes was not observed</em></div>",
                Some(_) if causes.is_empty() => text += "<div>causes nothing</div>",
                Some(_) => _ = write!(text, "<div>causes {}</div>", causes.join(", ")),
            }
            row(rows, heading, &text);
        }
    }

    fn causers(&self, type_name: &str) -> Vec<String> {
        let causing = self.messages.iter().filter(|message| message.causes().any(|cause| cause == type_name));
        causing.map(|message| self.link(message.type_name)).collect()
    }

    fn link(&self, type_name: &str) -> String {
        let label = code(&self.labels.label(type_name));
        match self.messages.iter().find(|message| message.type_name == type_name) {
            Some(message) => format!("<a href=\"#{}\">{label}</a>", message.id),
            None => label,
        }
    }

    fn entry(&self, message: &Message<'_>, source: Option<&Source>, also: &[&str], rows: &str) -> String {
        let (id, kind) = (&message.id, words(message.kind)[0]);
        format!(
            "<article id={id} class=\"{}\" data-words=\"{}\"><h2><a href=\"#{id}\">{}</a> <small>{kind}</small> {}</h2>\
             <p class=path>{}</p><dl>{rows}</dl></article>\n",
            class(kind),
            Text(&searched(message, also)),
            Text(&self.labels.label(message.type_name)),
            self.source(source),
            Text(&clean(message.type_name)),
        )
    }

    /// What is around the messages: middleware, broker and endpoints.
    fn around(&self) -> String {
        let mut rows = String::new();
        for middleware in &self.catalog.middleware {
            let text = format!("{} {}", code(&short_name(&middleware.name)), self.source(middleware.source.as_ref()));
            row(&mut rows, "middleware", &text);
        }
        if let Some(broker) = &self.catalog.broker {
            let name = broker.type_name.as_deref().map_or_else(|| "an outbox".to_owned(), short_name);
            let guarantees = broker.guarantees;
            row(
                &mut rows,
                "broker",
                &format!("{} {} <div>{guarantees}</div>", code(&name), self.source(broker.source.as_ref())),
            );
        }
        for endpoint in &self.catalog.endpoints {
            let lines =
                endpoint.lines().into_iter().map(|(heading, line)| format!("<div>{heading}: {}</div>", Text(&line)));
            let runs = endpoint.handlers.iter();
            let runs = runs.map(|run| {
                format!("<div>runs {} for {}</div>", code(&self.labels.label(&run.handler)), self.link(&run.event))
            });
            let text: String = lines.chain(runs).collect();
            let (name, source) = (code(&endpoint.name), self.source(endpoint.source.as_ref()));
            row(&mut rows, "endpoint", &format!("{name} {source} {text}"));
        }
        if rows.is_empty() { rows } else { format!("<dl>{rows}</dl>\n") }
    }

    fn entries(&self) -> String {
        let requests = self.catalog.requests.iter().enumerate().map(|(id, request)| self.request(id, request));
        let first = self.catalog.requests.len();
        let events = self.catalog.events.iter().enumerate().map(|(number, event)| self.event(first + number, event));
        requests.chain(events).collect()
    }
}

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { catalog, sources, .. } = self;
        let page = Page { catalog, messages: catalog.messages(), labels: Labels::of(catalog), sources };
        let graph = svg::Graph::of(&page.messages, &page.labels);
        let (title, counts, entries, around) = (Text(&self.title), page.counts(), page.entries(), page.around());
        let unobserved = if catalog.is_observed() { "" } else { UNOBSERVED };
        let (style, script) = (include_str!("page.css"), include_str!("page.js"));
        write!(
            f,
            r#"<!doctype html>
<html lang=en>
<head>
<meta charset=utf-8>
<meta http-equiv=Content-Security-Policy content="{POLICY}">
<meta name=viewport content="width=device-width">
<meta name=color-scheme content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1><p>{counts}</p>
<input id=search type=search placeholder="Search: message, handler, kind, mark, topic, service" aria-label=Search>
<output id=found></output>
</header>
<main>
{unobserved}<section id=graph aria-label="What causes what">
{graph}</section>
<section id=entries>
{entries}</section>
<section id=around>
{around}</section>
</main>
<script>
{script}</script>
</body>
</html>
"#
        )
    }
}

/// What a message is found by: all that belongs to it, but not what it causes.
fn searched(message: &Message<'_>, also: &[&str]) -> String {
    let mut words = vec![words(message.kind)[0], message.type_name];
    words.extend(also);
    words.extend(message.sent.then_some("to the broker"));
    words.extend(message.arrives().then_some("from the broker"));
    words.extend((message.handlers.is_empty() && !message.sent).then_some("nobody"));
    for handler in message.handlers {
        words.push(&handler.type_name);
        words.extend(handler.dependencies.iter().map(|dependency| &*dependency.type_name));
        words.extend(handler.middleware.iter().map(String::as_str));
        words.extend(handler.after_commit.then_some("after the commit"));
    }
    words.join(" ").to_lowercase()
}

/// Nothing is fetched from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'";

const UNOBSERVED: &str = "<p id=unobserved>What causes what was not observed: a test notes it down with \
    <code>.observe(edges.clone())</code> and <code>edges.assert_matches(\"edges.json\")</code>; <code>--edges edges.json</code> or \
    <code>Cli::edges</code> shows it.</p>\n";

fn row(rows: &mut String, name: &str, html: &str) {
    _ = write!(rows, "<dt>{name}</dt><dd>{html}</dd>");
}

fn marks(rows: &mut String, marks: &[String]) {
    if !marks.is_empty() {
        row(rows, "marks", &marks.iter().map(|mark| code(mark)).collect::<Vec<_>>().join(", "));
    }
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", Text(&clean(text)))
}
