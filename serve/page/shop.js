"use strict";
// The shop shows lists of the experiment, and tells the server what is done with their items. It knows nothing of
// which index an item came from.

const api = "/api/v1";
const most = 12; // items in a list
const $ = (id) => document.getElementById(id);
const basket = new Map();
let turn = 0; // answers that come after a later question are thrown away

function element(name, props, ...children) {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const r = await fetch(api + path, options);
  if (r.status === 204) return null;
  const text = await r.text();
  let value;
  try { value = JSON.parse(text); } catch { throw new Error("The server cannot be understood."); }
  if (!r.ok) throw new Error(value.error ? value.error.message : "The server failed.");
  return value;
}

function say(text) { $("message").textContent = text; }

// event is told beside what it leads to: a shop never waits for its statistics.
function event(impression, rank, what) {
  if (!impression) return;
  fetch(api + "/events", {
    method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ impression, rank, what }),
  }).then((r) => { if (!r.ok) say("The server did not take note of that."); }).catch(() => say("The server cannot be reached."));
}

function name(item) { return item.category ? item.category : item.id; }

function picture(item, large) {
  return element("img", { alt: name(item) + ", " + item.id, loading: "lazy", src: item.picture ? item.picture + (large ? "?size=large" : "") : "/icon.svg" });
}

function keep(item, impression, rank) {
  event(impression, rank, "basket");
  basket.set(item.item, item);
  showBasket();
}

function leave(item) {
  basket.delete(item.item);
  showBasket();
}

// mark has a button say whether its item is in the basket. The same item has several: in the list, and where it is open.
function mark(button) {
  button.disabled = basket.has(Number(button.dataset.item));
  button.textContent = button.disabled ? "In the basket" : "Add to basket";
}

function showBasket() {
  $("count").textContent = basket.size;
  $("empty").hidden = basket.size > 0;
  $("kept").replaceChildren(...[...basket.values()].map((i) => {
    const out = element("button", { type: "button", textContent: "Remove" });
    out.setAttribute("aria-label", "Remove " + name(i));
    out.addEventListener("click", () => { leave(i); $("close-basket").focus(); });
    return element("li", {}, picture(i), element("span", { textContent: name(i) }), out);
  }));
  document.querySelectorAll("button.add").forEach(mark);
  try { sessionStorage.setItem("basket", JSON.stringify([...basket.values()])); } catch { /* a browser that keeps nothing */ }
}

// The basket outlives a reload, as the session does.
function restoreBasket() {
  try {
    for (const item of JSON.parse(sessionStorage.getItem("basket") || "[]")) basket.set(item.item, item);
  } catch { /* a browser that keeps nothing */ }
  showBasket();
}

function buttons(item, impression, rank) {
  const more = element("button", { type: "button", className: "more", textContent: "More like this" });
  more.addEventListener("click", () => { event(impression, rank, "more"); $("view").close(); go({ item: item.item }); });
  const add = element("button", { type: "button", className: "add first" });
  add.dataset.item = item.item;
  mark(add);
  add.addEventListener("click", () => keep(item, impression, rank));
  return [add, more];
}

function card(item, impression, rank) {
  const open = element("button", { type: "button", className: "picture" }, picture(item));
  open.setAttribute("aria-label", "Open " + name(item));
  open.addEventListener("click", () => {
    event(impression, rank, "click");
    $("view-picture").src = picture(item, true).src;
    $("view-picture").alt = name(item);
    $("view-name").textContent = name(item);
    $("view-buttons").replaceChildren(...buttons(item, impression, rank));
    $("view").showModal();
  });
  return element("li", {}, open, element("p", { className: "name", textContent: name(item) }),
    element("div", { className: "buttons" }, ...buttons(item, impression, rank)));
}

async function show() {
  const mine = ++turn;
  const view = new URLSearchParams(location.search);
  say("");
  try {
    if (view.has("item")) {
      const found = await ask("/search", { item: Number(view.get("item")), index: "experiment", k: most });
      if (mine !== turn) return;
      const { impression, answers } = found.results[0];
      const item = found.query.item;
      $("query").hidden = false;
      $("query").replaceChildren(picture(item), element("span", { textContent: name(item) }));
      $("title").textContent = "More like this";
      $("list").dataset.impression = impression || "";
      $("list").replaceChildren(...answers.map((a) => card(a, impression, a.rank)));
    } else {
      const words = view.get("q") || "";
      const found = await ask("/items?limit=60&q=" + encodeURIComponent(words));
      if (mine !== turn) return;
      $("query").hidden = true;
      $("title").textContent = words ? "“" + words + "”" : "Items";
      $("words").value = words;
      $("list").dataset.impression = "";
      $("list").replaceChildren(...found.items.map((i) => card(i, "", 0)));
      if (found.items.length === 0) say("Nothing has that name.");
    }
    $("list").dataset.ready = mine;
  } catch (e) {
    if (mine === turn) say(e.message);
  }
}

function go(view) {
  history.pushState(null, "", "/shop?" + new URLSearchParams(view));
  scrollTo(0, 0);
  show();
}

addEventListener("popstate", show);
$("find").addEventListener("submit", (e) => { e.preventDefault(); go({ q: $("words").value.trim() }); });
$("open-basket").addEventListener("click", () => { $("basket").hidden = false; $("open-basket").setAttribute("aria-expanded", "true"); $("close-basket").focus(); });
$("close-basket").addEventListener("click", () => { $("basket").hidden = true; $("open-basket").setAttribute("aria-expanded", "false"); $("open-basket").focus(); });
$("close-view").addEventListener("click", () => $("view").close());

restoreBasket();
ask("/about").then((about) => {
  if (!about.experiment) {
    say("No experiment runs here: start the server with --interleave A,B or --split A,B.");
    return;
  }
  document.title = "Shop: " + about.name;
  show();
}).catch((e) => say(e.message));
