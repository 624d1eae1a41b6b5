"use strict";
const search = document.getElementById("search");
const found = document.getElementById("found");
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
    if (!article.hidden) ids.add(article.id.slice(1));
  }
  found.textContent = words.length ? `${ids.size} of ${articles.length}` : "";
  highlight(words.length ? ids : null);
}

function follow() {
  const id = /^#m(\d+)$/.exec(location.hash)?.[1];
  if (id === undefined) return;
  const article = document.getElementById(`m${id}`);
  if (article?.hidden) {
    search.value = "";
    filter();
  }
  highlight(related(id));
  article?.scrollIntoView();
}

search.addEventListener("input", filter);
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape") {
    search.value = "";
    filter();
  }
});
follow();
