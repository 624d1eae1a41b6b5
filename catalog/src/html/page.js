"use strict";
const search = document.getElementById("search");
const found = document.getElementById("found");
const header = document.querySelector("header");
const graph = document.getElementById("graph");
const articles = [...document.querySelectorAll("article")];
const nodes = [...document.querySelectorAll("#graph [data-node]")];
const edges = [...document.querySelectorAll("#graph [data-from]")];

// What a message leads to, and what leads to it.
function related(id) {
  const reach = (from, to) => {
    const seen = new Set([id]);
    for (const one of seen) {
      for (const edge of edges) {
        if (edge.dataset[from] === one) seen.add(edge.dataset[to]);
      }
    }
    return seen;
  };
  return new Set([...reach("from", "to"), ...reach("to", "from")]);
}

function highlight(ids) {
  for (const node of nodes) node.classList.toggle("dim", ids !== null && !ids.has(node.dataset.node));
  for (const edge of edges) {
    edge.classList.toggle("dim", ids !== null && !(ids.has(edge.dataset.from) && ids.has(edge.dataset.to)));
  }
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const ids = new Set();
  for (const article of articles) {
    article.hidden = !words.every((word) => article.dataset.words.includes(word));
    if (!article.hidden) ids.add(article.id);
  }
  found.textContent = words.length ? `${ids.size} of ${articles.length}` : "";
  highlight(words.length ? ids : null);
}

// The graph stays in sight beside what was chosen in it: smaller, and with that in its middle.
function keepInSight(id) {
  document.body.classList.toggle("following", id !== undefined);
  const height = getComputedStyle(graph).position === "sticky" ? graph.offsetHeight : 0;
  document.documentElement.style.setProperty("--header", `${header.offsetHeight}px`);
  document.documentElement.style.setProperty("--graph", `${height}px`);
  const node = nodes.find((node) => node.dataset.node === id)?.getBoundingClientRect();
  if (node === undefined) return;
  const frame = graph.getBoundingClientRect();
  graph.scrollBy(
    node.left + node.width / 2 - frame.left - frame.width / 2,
    node.top + node.height / 2 - frame.top - frame.height / 2,
  );
}

function follow() {
  const article = articles.find((one) => `#${one.id}` === location.hash);
  keepInSight(article?.id);
  if (article === undefined) {
    filter();
    return;
  }
  if (article.hidden) {
    search.value = "";
    filter();
  }
  highlight(related(article.id));
  article.scrollIntoView();
}

// Back to the whole graph, where the same message can be chosen again.
function leave() {
  search.value = "";
  location.hash = "";
  follow();
}

search.addEventListener("input", filter);
addEventListener("hashchange", follow);
addEventListener("click", (event) => {
  // A search may have changed what is highlighted since.
  if (event.target.closest("a")?.getAttribute("href") === location.hash) follow();
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape") leave();
});
follow();
