// The page over the API at /api/v1. The address holds the whole view, so that every view is a link.
"use strict";
(() => {
const api = "/api/v1";
const $ = id => document.getElementById(id);
const views = ["search-view", "browse-view", "boards-view", "board-view", "telling-view", "problem"];
let about, indexes = [], byID = {}, turn = 0, running = 0, busyTimer, picture = null, listed = 0, boardsListed = 0;

// el makes an element: props are properties, data attributes under data, and styles by CSSOM.
function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null) continue;
    if (name.includes("-")) e.setAttribute(name, value); else e[name] = value;
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

class Problem extends Error { constructor(code, message) { super(message); this.code = code; } }

async function call(path, body) {
  running++;
  busyTimer ??= setTimeout(() => { $("busy").hidden = false; }, 150);
  try {
    for (let attempt = 0; ; attempt++) {
      let r;
      try {
        r = await fetch(api + path, body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      } catch {
        $("offline").hidden = false;
        throw new Problem("offline", "The server does not answer.");
      }
      $("offline").hidden = true;
      if (r.status === 401) { location.href = "/login" + location.search; }
      const v = await r.json().catch(() => ({ error: { code: "answer", message: "The server's answer cannot be read." } }));
      if (r.ok) return v;
      if (r.status === 503 && attempt < 3) {
        await new Promise(done => setTimeout(done, 1000 * (Number(r.headers.get("Retry-After")) || 1)));
        continue;
      }
      throw new Problem(v.error?.code, v.error?.message || "Something went wrong.");
    }
  } finally {
    if (--running === 0) { clearTimeout(busyTimer); busyTimer = undefined; $("busy").hidden = true; }
  }
}

function toast(text) {
  $("toast").textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").textContent = ""; }, 4000);
}

// Numbers as people read them.
const three = x => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
const time = s => s >= 1 ? three(s) + " s" : s >= 1e-3 ? three(s * 1e3) + " ms" : three(s * 1e6) + " µs";
const share = x => (Math.round(x * 1000) / 1000).toString();
const count = n => n.toLocaleString("en");

function tile(item, props, ...inner) {
  const photo = item.picture
    ? el("img", { className: "photo", src: item.picture, alt: "", loading: "lazy", width: 96, height: 96 })
    : el("span", { className: "photo empty" }, item.id);
  photo.addEventListener("error", () => photo.replaceWith(el("span", { className: "photo empty" }, item.id)), { once: true });
  const a = el("a", { className: "tile " + (props?.className || ""), href: link({ item: item.item }), title: item.id, "aria-label": props?.label || `${item.category || "item"}, ${item.id}: search for what looks like it` }, photo, ...inner);
  return a;
}

// The address. What is kept from view to view are the indexes, k, the filter and whether exact search is shown.
const state = () => new URLSearchParams(location.search);
function link(changes) {
  const old = state(), now = new URLSearchParams();
  for (const name of ["a", "b", "k", "filter", "exact"]) if (old.has(name)) now.set(name, old.get(name));
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === "") now.delete(name); else now.set(name, value);
  }
  const text = now.toString().replaceAll("=&", "&").replace(/=$/, "");
  return text ? "/?" + text : "/";
}
function change(changes) { // of the same view
  const now = state();
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === "") now.delete(name); else now.set(name, value);
  }
  return "/?" + now;
}
function go(address, replace) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show();
}

document.addEventListener("click", e => {
  const a = e.target.closest("a[href^='/']");
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.button || a.getAttribute("href").startsWith("/api")) return;
  e.preventDefault();
  go(a.getAttribute("href"));
  scrollTo(0, 0);
  $("main").focus({ preventScroll: true });
});
addEventListener("popstate", () => show());

function only(view) {
  for (const v of views) $(v).hidden = v !== view;
  for (const [id, v] of [["nav-browse", "browse-view"], ["nav-boards", view === "board-view" ? view : "boards-view"], ["nav-telling", "telling-view"]]) {
    if (v === view) $(id).setAttribute("aria-current", "page"); else $(id).removeAttribute("aria-current");
  }
}

function failed(err, title) {
  if (err.code === "offline" && !$("search-view").hidden) return; // what is shown stays
  $("problem-title").textContent = title || "That did not work";
  $("problem-text").textContent = err.message;
  only("problem");
}

async function show() {
  const mine = ++turn, p = state();
  try {
    if (p.has("item") || p.has("v") || p.has("board") && p.has("box")) await showSearch(mine, p);
    else if (p.has("board")) await showBoard(mine, p.get("board"));
    else if (p.has("boards")) await showBoards(mine);
    else if (p.has("telling")) await showTelling(mine);
    else await showBrowse(mine, p);
  } catch (err) {
    if (mine === turn) { failed(err); if (!(err instanceof Problem)) console.error(err); }
  } finally {
    if (mine === turn) document.body.dataset.shown = mine;
  }
}

// Browsing.
async function showBrowse(mine, p) {
  document.title = "annbench: visual search";
  only("browse-view");
  const category = p.get("category") || "", q = p.get("q") || "";
  if ($("find").value.trim() !== q) $("find").value = q;
  for (const b of $("chips").children) b.setAttribute("aria-pressed", String(b.value === category));
  const got = await call(`/items?limit=60&q=${encodeURIComponent(q)}&category=${encodeURIComponent(category)}`);
  if (mine !== turn) return;
  $("items").replaceChildren();
  listed = 0;
  append(got);
}
function append(got) {
  for (const item of got.items) $("items").append(el("li", {}, tile(item, null, el("span", { className: "name" }, item.category || item.id), el("span", { className: "under" }, item.category ? item.id : ""))));
  listed += got.items.length;
  $("more").hidden = listed >= got.total;
  $("count").textContent = got.total === 0 ? "Nothing has that name. Try a part of a category, or fewer words." : `${count(got.total)} ${got.total === 1 ? "item" : "items"}`;
}
$("more").addEventListener("click", async () => {
  const p = state(), mine = turn;
  const got = await call(`/items?limit=60&from=${listed}&q=${encodeURIComponent(p.get("q") || "")}&category=${encodeURIComponent(p.get("category") || "")}`).catch(e => toast(e.message));
  if (got && mine === turn) append(got);
});
let typing;
$("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go(change({ q: $("find").value.trim() }), true), 200);
});
$("find-form").addEventListener("submit", e => e.preventDefault());

async function showTelling(mine) {
  document.title = "annbench: telling queries";
  const got = await call("/highlights");
  if (mine !== turn) return;
  $("telling").replaceChildren(...got.queries.map(h => el("li", {}, tile(h.item, null,
    el("span", { className: "name" }, h.item.category || h.item.id), el("span", { className: h.why.includes("random") ? "why chance" : "why" }, h.why)))));
  only("telling-view");
}

// Boards.
async function showBoards(mine) {
  document.title = "annbench: boards";
  const got = await call("/boards?limit=24");
  if (mine !== turn) return;
  $("boards-list").replaceChildren();
  boardsListed = 0;
  $("boards-lead").textContent = got.total ? `${count(got.total)} boards. Open one, then click a box on it${about.embeds ? ", or draw one of your own" : ""}.` : "These pictures did not come on boards.";
  appendBoards(got);
  only("boards-view");
}
function appendBoards(got) {
  for (const name of got.boards) {
    $("boards-list").append(el("li", {}, el("a", { className: "tile", href: link({ board: name }) },
      el("img", { className: "photo", src: `${api}/boards/${encodeURIComponent(name)}/picture`, alt: `Board ${name}`, loading: "lazy" }), el("span", { className: "name" }, name))));
  }
  boardsListed += got.boards.length;
  $("more-boards").hidden = boardsListed >= got.total;
}
$("more-boards").addEventListener("click", async () => {
  const mine = turn, got = await call(`/boards?limit=24&from=${boardsListed}`).catch(e => toast(e.message));
  if (got && mine === turn) appendBoards(got);
});

async function showBoard(mine, name) {
  document.title = `annbench: board ${name}`;
  const board = await call(`/boards/${encodeURIComponent(name)}`);
  if (mine !== turn) return;
  $("board-title").textContent = `Board ${name}`;
  $("board-lead").textContent = about.embeds ? "Click a box, or draw one with the mouse or a finger." : "Click a box to look for what is in it.";
  drawBoard($("board-big"), board, -1);
  only("board-view");
}

function put(e, [x, y, w, h]) {
  for (const [side, v] of [["left", x], ["top", y], ["width", w], ["height", h]]) e.style[side] = 100 * v + "%";
}

// drawBoard shows a board with its boxes; a drag draws another.
function drawBoard(at, board, current, drawn) {
  at.replaceChildren(el("img", { src: board.picture, alt: `Board ${board.name}`, width: board.width, height: board.height, draggable: false }));
  at.firstChild.style.height = "auto"; at.firstChild.style.width = "auto";
  for (const b of board.boxes) {
    if (!b.item) continue;
    const box = el("a", { className: "box", href: link({ item: b.item.item }), title: b.item.category, "aria-label": `${b.item.category || "item"}: search for what looks like it`, draggable: false });
    if (b.item.item === current) box.setAttribute("aria-current", "true");
    put(box, b.box);
    at.append(box);
  }
  drawable(at, box => go(link({ board: board.name, box: box.map(v => v.toFixed(4)).join(",") })), drawn);
  at.hidden = false;
}

// drawable lets a box be drawn on an element, and calls done with its shares.
function drawable(at, done, drawn) {
  if (!about.embeds) { at.onpointerdown = null; return; }
  let mark = null;
  if (drawn) { mark = el("div", { className: "drawn" }); put(mark, drawn); at.append(mark); }
  at.onpointerdown = e => {
    if (e.button) return;
    const r = at.getBoundingClientRect();
    const share = e => [Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)), Math.min(1, Math.max(0, (e.clientY - r.top) / r.height))];
    const from = share(e);
    let box = null;
    const move = e => {
      const to = share(e);
      box = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(from[0] - to[0]), Math.abs(from[1] - to[1])];
      if (box[2] * r.width < 8 && box[3] * r.height < 8) return;
      if (!mark) { mark = el("div", { className: "drawn" }); }
      at.append(mark);
      put(mark, box);
    };
    const up = e => {
      removeEventListener("pointermove", move); removeEventListener("pointerup", up); removeEventListener("pointercancel", up);
      if (e.type === "pointerup" && box && box[2] * r.width >= 8 && box[3] * r.height >= 8) {
        // The click that ends a drag is none; where there is no such click, the next one is meant.
        const swallow = c => { c.preventDefault(); c.stopPropagation(); };
        addEventListener("click", swallow, { capture: true, once: true });
        setTimeout(() => { removeEventListener("click", swallow, { capture: true }); done(box); }, 0);
      }
    };
    addEventListener("pointermove", move); addEventListener("pointerup", up); addEventListener("pointercancel", up);
  };
}

// Vectors in links: a byte a dimension, scaled by the largest.
function pack(v) {
  const most = Math.max(...v.map(Math.abs)) || 1;
  const bytes = Int8Array.from(v, x => Math.round(127 * x / most));
  return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
function unpack(text) {
  let bytes;
  try { bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0)); } catch { throw new Problem("link", "The link is damaged: it was cut or changed on its way."); }
  const v = Array.from(new Int8Array(bytes.buffer));
  if (v.length !== about.dim) throw new Problem("link", "The link is damaged, or of another library.");
  const length = Math.hypot(...v) || 1;
  return v.map(x => x / length);
}

// Search.
async function showSearch(mine, p) {
  const settings = chosen(p);
  const request = { indexes: [...new Set([settings.a, settings.b, ...(settings.exact ? ["exact"] : [])].filter(Boolean))], k: settings.k, judge: true };
  if (p.get("category")) request.category = p.get("category");
  if (p.get("filter")) request.filter = p.get("filter");
  const v = p.get("v");
  let board = null;
  if (p.has("item")) {
    request.item = Number(p.get("item"));
    if (!Number.isInteger(request.item)) throw new Problem("item", "There is no such item.");
  } else if (p.has("board")) {
    request.board = p.get("board");
    request.box = p.get("box").split(",").map(Number);
    board = call(`/boards/${encodeURIComponent(request.board)}`);
    board.catch(() => {});
  } else request.vector = picture && picture.v === v ? picture.vector : unpack(v);
  fill(settings, p);
  $("columns").classList.add("loading");
  let got, wrong = "";
  const unfiltered = err => { // what was asked for, beside the filter that is to be corrected
    if (err.code !== "filter") throw err;
    wrong = err.message;
    p.delete("filter");
    return call("/search", { ...request, filter: undefined });
  };
  try { got = await call("/search", request).catch(unfiltered); } finally { if (mine === turn) $("columns").classList.remove("loading"); }
  if (mine !== turn) return;
  only("search-view");
  await showQuery(mine, got, p, board, request);
  if (mine !== turn) return;
  judgeFilter(wrong);
  if (wrong) showNothing(); else showResults(got, settings);
}

// judgeFilter says beside the field what is wrong with the filter; empty where nothing is.
function judgeFilter(wrong) {
  $("filter").setAttribute("aria-invalid", String(!!wrong));
  $("filter-problem").textContent = wrong;
  if (wrong) $("filter").parentElement.hidden = false;
}

function showNothing() {
  $("columns").replaceChildren();
  $("verdict").textContent = "";
  $("key").hidden = true;
}

function chosen(p) {
  const usable = indexes.filter(x => !x.missing);
  const rank = x => (x.exact ? 2 : 0) + ((x.measured.recall ?? 0) < 0.95 ? 1 : 0);
  const sorted = usable.toSorted((x, y) => rank(x) - rank(y) || (x.measured.latency_p50 ?? 1) - (y.measured.latency_p50 ?? 1));
  const known = (id, fallback) => byID[id] && !byID[id].missing ? id : fallback;
  const a = known(p.get("a"), sorted[0]?.id);
  const second = sorted.find(x => x.id !== a && x.family !== byID[a]?.family) || sorted.find(x => x.id !== a);
  const b = p.get("b") === "none" ? undefined : known(p.get("b"), second?.id);
  const k = Math.min(about.max_k, Math.max(1, Math.round(Number(p.get("k"))) || 10));
  return { a, b, k, exact: p.has("exact") || !a };
}

function settingsOf(x) { return [x.build, x.search].filter(Boolean).join(" "); }

function options(select, value, none) {
  const groups = new Map();
  for (const x of indexes) {
    if (!groups.has(x.family)) groups.set(x.family, el("optgroup", { label: x.family }));
    const recall = x.measured.recall === undefined ? "" : ` (recall ${share(x.measured.recall)})`;
    groups.get(x.family).append(el("option", { value: x.id, disabled: !!x.missing, title: x.missing || "" }, `${x.family} ${settingsOf(x)}${x.missing ? " – not in this build" : recall}`));
  }
  select.replaceChildren(...(none ? [el("option", { value: "none" }, "nothing beside it")] : []), ...groups.values());
  select.value = value || "none";
}

function fill(s, p) {
  options($("index-a"), s.a, false);
  options($("index-b"), s.b, true);
  for (const [id, side] of [[s.a, "index-a"], [s.b, "index-b"]]) paint($(side).parentElement, id);
  $("k").value = s.k; $("k-out").textContent = s.k;
  $("exact").checked = s.exact;
  $("category").replaceChildren(el("option", { value: "" }, "all"), ...about.categories.map(c => el("option", { value: c.name }, c.name)));
  $("category").value = p.get("category") || "";
  $("category").parentElement.hidden = about.categories.length === 0;
  $("filter").value = p.get("filter") || "";
}

// What a filter can ask for. A name that is no plain word stands in backquotes.
function fillAttributes() {
  $("filter").parentElement.hidden = $("attributes").hidden = !about.attributes.length;
  const sample = about.attributes[0];
  if (sample) $("filter").placeholder = example(sample);
  $("attribute-list").replaceChildren(...about.attributes.map(a => el("li", {}, el("code", {}, a.expression), ` ${kinds[a.kind]}`,
    a.values.length ? (a.kind === "number" ? `, ${a.values.join(" to ")}` : `: ${a.values.join(", ")}`) : ", of which no item has a value")));
}
const kinds = { number: "a number", text: "a text", boolean: "true or false" };
const example = a => a.kind === "boolean" ? a.expression : `${a.expression} ${a.kind === "number" ? "<=" : "="} ${a.values.at(a.kind === "number" ? -1 : 0) ?? "''"}`;

const dark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
function paint(e, id) {
  e.dataset.index = id || "";
  e.style.setProperty("--c", byID[id] ? byID[id].colours[dark() ? 1 : 0] : "var(--axis)");
}
function repaint() { for (const e of document.querySelectorAll("[data-index]")) paint(e, e.dataset.index); }

async function showQuery(mine, got, p, board, request) {
  const q = got.query, img = $("query-picture"), stage = $("stage"), item = q.item;
  $("board").hidden = true; $("board").replaceChildren();
  stage.classList.remove("none"); img.hidden = false; stage.onpointerdown = null;
  for (const d of stage.querySelectorAll(".drawn")) d.remove();
  const facts = [], actions = [];
  if (item) {
    $("query-kind").textContent = item.held_out ? "Held out: searched for, not among what is searched" : "An item of the catalogue; it is left out of its own answers";
    $("query-name").textContent = item.category || item.id;
    facts.push(item.category ? item.id : "");
    if (q.relevant !== undefined) facts.push(`${count(q.relevant)} of its category ${p.get("filter") ? "pass the filter" : "to be found"}`);
    if (item.picture) { img.src = item.picture + "?size=large"; img.alt = `The query: ${item.category || ""} ${item.id}`; } else blank("The catalogue has no pictures.");
    if (item.category) actions.push(el("a", { className: "button", href: link({ category: item.category }) }, `Browse ${item.category}`));
    if (item.board) {
      actions.push(el("a", { className: "button", href: link({ board: item.board }) }, "Open its board"));
      board = call(`/boards/${encodeURIComponent(item.board)}`);
      board.catch(() => {});
    }
  } else if (request.board) {
    $("query-kind").textContent = "A box drawn on a board";
    $("query-name").textContent = `Board ${request.board}`;
    img.hidden = true;
    actions.push(el("a", { className: "button", href: link({ board: request.board }) }, "Open the board"));
  } else {
    const own = picture && picture.v === p.get("v");
    $("query-kind").textContent = own ? "Your picture: embedded on this server, and not kept" : "A shared picture: the link holds its embedding, not the picture";
    $("query-name").textContent = own ? picture.name : "Somebody's picture";
    if (own) {
      img.src = picture.url; img.alt = "Your picture";
      facts.push("draw a box on it to look for a part");
      drawable(stage, box => searchPart(box), null);
    } else blank("The picture itself is not in the link.");
  }
  const seconds = q.embed_seconds ?? (picture && picture.v === p.get("v") ? picture.seconds : undefined);
  if (seconds !== undefined) facts.push(`embedding took ${time(seconds)}`);
  $("query-facts").textContent = facts.filter(Boolean).join(" · ");
  $("query-actions").replaceChildren(...actions);
  document.title = `${$("query-name").textContent} – annbench`;
  function blank(text) { img.hidden = true; img.removeAttribute("src"); stage.classList.add("none"); stage.dataset.text = text; }
  if (!board) return;
  const b = await board.catch(() => null);
  if (mine !== turn || !b) return;
  drawBoard($("board"), b, item ? item.item : -1, request.box);
  if (request.box) {
    crop(b.picture, request.box).then(url => { if (mine === turn && url) { img.src = url; img.alt = "The part of the board"; img.hidden = false; } });
  }
}

// crop gives the part of a picture under a box, as an address for this page alone.
async function crop(src, [x, y, w, h]) {
  const whole = new Image();
  whole.src = src;
  try { await whole.decode(); } catch { return null; }
  const c = el("canvas", { width: Math.max(1, w * whole.naturalWidth), height: Math.max(1, h * whole.naturalHeight) });
  c.getContext("2d").drawImage(whole, x * whole.naturalWidth, y * whole.naturalHeight, c.width, c.height, 0, 0, c.width, c.height);
  const blob = await new Promise(done => c.toBlob(done, "image/jpeg", 0.92));
  return blob && URL.createObjectURL(blob);
}

function showResults(got, settings) {
  const by = Object.fromEntries(got.results.map(r => [r.index, r]));
  const order = [...new Set([settings.a, settings.b, settings.exact ? "exact" : null].filter(Boolean))].map(id => by[id]).filter(Boolean);
  const sets = order.map(r => new Set(r.answers.map(a => a.item)));
  $("columns").replaceChildren(...order.map((r, i) => column(r, i, order, sets, got)));
  $("columns").classList.toggle("three", order.length > 2);
  $("key").hidden = false;
  let text = "";
  if (order.length >= 2) {
    const shared = [...sets[0]].filter(x => sets[1].has(x)).length, most = Math.max(sets[0].size, sets[1].size);
    text = shared === most ? `Both give the same ${most === 1 ? "answer" : most + " answers"}.` : `They share ${shared} of ${most} answers.`;
  }
  const most = Math.min(got.k, got.passing ?? got.k);
  if (most < got.k) text += ` Only ${count(most)} pass.`;
  if (order.some(r => r.answers.length < most)) text += ` Where fewer than ${most} are shown, the index found no more.`;
  $("verdict").textContent = text;
}

function column(r, i, order, sets, got) {
  const x = byID[r.index];
  const c = el("section", { className: "column", "aria-label": x ? `${x.family} ${settingsOf(x)}` : "exact search" });
  paint(c, r.index);
  const numbers = el("dl", { className: "numbers" });
  const number = (name, value, low) => { if (value !== undefined) numbers.append(el("div", {}, el("dt", {}, name), el("dd", { className: low ? "low" : "" }, value))); };
  if (x) number("recall", r.recall === undefined ? undefined : share(r.recall), r.recall < 0.9);
  number("AP", r.average_precision === undefined ? undefined : share(r.average_precision));
  number("search", time(r.search_seconds));
  if (x?.measured.latency_p50 !== undefined) number(state().get("filter") ? "p50 in run, without filter" : "p50 in run", time(x.measured.latency_p50));
  if (r.asked > got.k + 1) number("asked for", count(r.asked));
  c.append(el("header", {}, el("h2", {}, el("span", { className: "chip" }), x ? x.family : "exact search"), el("code", {}, x ? settingsOf(x) : got.passing === undefined ? `compares all ${count(about.searched)}` : `compares the ${count(got.passing)} that pass, of ${count(about.searched)}`), numbers));
  const found = el("div", {});
  c.append(found);
  if (!r.answers.length) found.append(el("p", { className: "empty-state" }, state().get("filter") ? "Nothing that passes the filter was found." : "Nothing of this category was found. Exact search compares all."));
  const list = el("ol", { className: "answers" });
  for (const a of r.answers) list.append(el("li", {}, answer(a, order.length > 1 && !sets.some((s, j) => j !== i && s.has(a.item)))));
  found.append(list);
  if (r.missed?.length) {
    found.append(el("div", { className: "missed" }, el("h3", {}, `Missed ${r.missed.length} that exact search finds`),
      el("ul", { className: "answers" }, ...r.missed.map(a => el("li", {}, answer(a, false, true))))));
  }
  return c;
}

function answer(a, alone, missed) {
  const kind = a.relevant === undefined ? "" : a.relevant ? "right" : "wrong";
  const words = [missed ? `missed, exact rank ${a.rank}` : `rank ${a.rank}`, a.category || a.id, `distance ${a.distance.toFixed(3)}`];
  if (kind) words.push(kind === "right" ? "same category" : "another category");
  if (alone) words.push("in this list only");
  if (a.exact === false) words.push("farther than exact search finds");
  const flags = [];
  if (alone) flags.push(el("span", { className: "only", title: "in this list only" }, "◆"));
  if (a.exact === false) flags.push(el("span", { className: "far", title: "farther than exact search finds" }, "≉"));
  return tile(a, { className: kind, label: words.join(", ") },
    el("i", { className: "rank" }, a.rank), kind ? el("i", { className: "mark" }, kind === "right" ? "✓" : "✗") : null,
    el("span", { className: "name" }, a.category || a.id), el("span", { className: "under" }, a.distance.toFixed(3), ...flags));
}

for (const [id, name] of [["index-a", "a"], ["index-b", "b"], ["category", "category"], ["filter", "filter"]]) {
  $(id).addEventListener("change", () => go(change({ [name]: $(id).value })));
}
$("exact").addEventListener("change", () => {
  const p = state();
  p.delete("exact");
  go("/?" + p + ($("exact").checked ? "&exact" : ""));
});
$("k").addEventListener("input", () => { $("k-out").textContent = $("k").value; });
$("k").addEventListener("change", () => go(change({ k: $("k").value }), true));
$("controls").addEventListener("submit", e => e.preventDefault());

// Pictures of one's own. They are made small here, so that a phone sends little; what is shown is
// what was encoded anew.
const side = 1024;
async function usePicture(file, name) {
  if (!about.embeds) { toast(`Pictures cannot be searched for here: ${about.no_embed}.`); return; }
  let bitmap;
  try { bitmap = await createImageBitmap(file); } catch { toast("That file is not a picture that this browser can read. JPEG, PNG and WebP are."); return; }
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const c = el("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const g = c.getContext("2d");
  g.fillStyle = "#fff"; g.fillRect(0, 0, c.width, c.height);
  g.imageSmoothingQuality = "high";
  g.drawImage(bitmap, 0, 0, c.width, c.height);
  bitmap.close();
  const blob = await new Promise(done => c.toBlob(done, "image/jpeg", 0.92));
  await searchPicture(blob, name || "Your picture");
}
async function searchPicture(blob, name, box) {
  const data = await new Promise((done, gone) => { const r = new FileReader(); r.onload = () => done(r.result.split(",")[1]); r.onerror = gone; r.readAsDataURL(blob); });
  const s = chosen(state());
  const request = { image: data, index: s.a || "exact", k: 1 };
  if (box) request.box = box;
  try {
    const got = await call("/search", request);
    let url = URL.createObjectURL(blob);
    if (box) url = await crop(url, box) || url;
    const shown = box ? await fetch(url).then(r => r.blob()).catch(() => blob) : blob;
    picture = { v: pack(got.query.vector), vector: got.query.vector, url, name, seconds: got.query.embed_seconds, blob: shown };
    go(link({ v: picture.v }));
    scrollTo(0, 0);
  } catch (err) { toast(err.message); }
}
async function searchPart(box) {
  const r = $("query-picture"), w = r.naturalWidth, h = r.naturalHeight, f = Math.min(1, w / h), g = Math.min(1, h / w);
  // The picture stands in the middle of a square.
  const x = (box[0] - (1 - f) / 2) / f, y = (box[1] - (1 - g) / 2) / g;
  const left = Math.max(0, x), top = Math.max(0, y), right = Math.min(1, x + box[2] / f), bottom = Math.min(1, y + box[3] / g);
  if (right - left < .01 || bottom - top < .01) { toast("The box holds nothing of the picture."); return; }
  const url = await crop(picture.url, [left, top, right - left, bottom - top]);
  const c = new Image(); c.src = url; await c.decode();
  const canvas = el("canvas", { width: c.naturalWidth, height: c.naturalHeight });
  canvas.getContext("2d").drawImage(c, 0, 0);
  await searchPicture(await new Promise(done => canvas.toBlob(done, "image/jpeg", 0.92)), "A part of your picture");
}
for (const id of ["upload", "upload-2"]) {
  $(id).addEventListener("change", () => { const f = $(id).files[0]; if (f) usePicture(f, f.name); $(id).value = ""; });
}
addEventListener("paste", e => {
  const f = [...(e.clipboardData?.files || [])].find(f => f.type.startsWith("image/"));
  if (f) { e.preventDefault(); usePicture(f, "Pasted picture"); }
});
let inside = 0;
const files = e => e.dataTransfer?.types.includes("Files");
addEventListener("dragenter", e => { if (files(e)) { inside++; $("veil").hidden = false; } });
addEventListener("dragleave", e => { if (files(e) && --inside <= 0) { inside = 0; $("veil").hidden = true; } });
addEventListener("dragover", e => { if (files(e)) e.preventDefault(); });
addEventListener("drop", e => {
  if (!files(e)) return;
  e.preventDefault();
  inside = 0; $("veil").hidden = true;
  const f = e.dataTransfer.files[0];
  if (f) usePicture(f, f.name);
});

// Keys: / finds, arrows walk through answers and items.
addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const typing = e.target.matches?.("input:not([type=checkbox]):not([type=file]),select,textarea");
  if (e.key === "/" && !typing) {
    e.preventDefault();
    if ($("browse-view").hidden) go(link({}));
    $("find").focus();
    return;
  }
  const tile = e.target.closest?.(".tile");
  if (!tile || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(e.key)) return;
  const list = [...tile.closest("ol,ul").querySelectorAll(".tile")], i = list.indexOf(tile);
  const across = list.filter(t => t.getBoundingClientRect().top === list[0].getBoundingClientRect().top).length;
  const to = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i - across, ArrowDown: i + across, Home: 0, End: list.length - 1 }[e.key];
  if (list[to]) { e.preventDefault(); list[to].focus(); }
});

$("share").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText(location.href); toast("The link to this view is copied."); }
  catch { toast("The link is the address of this page: " + location.href.slice(0, 80)); }
});
$("retry").addEventListener("click", () => begin());
// What marks a wrong token is carried on by the browser when the right one opens the page.
if (location.hash === "#wrong") history.replaceState(null, "", location.pathname + location.search);
const saved = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
if (saved) document.documentElement.dataset.theme = saved;
$("theme").addEventListener("click", () => {
  const to = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = to;
  try { localStorage.setItem("theme", to); } catch { /* the choice lasts as long as the page */ }
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

async function begin() {
  try {
    [about, { indexes }] = await Promise.all([call("/about"), call("/indexes")]);
  } catch (err) { failed(err, "The library cannot be opened"); return; }
  byID = Object.fromEntries(indexes.map(x => [x.id, x]));
  $("dataset").textContent = about.name;
  $("lead").textContent = `${count(about.searched)} items can be found, by ${indexes.filter(x => !x.missing).length} settings of ${new Set(indexes.map(x => x.family)).size} index families, side by side with exact search.`;
  $("k").max = about.max_k;
  fillAttributes();
  $("nav-boards").hidden = !about.boards;
  $("upload-label").hidden = $("drop").hidden = !about.embeds;
  call("/highlights").then(h => { $("nav-telling").hidden = !h.queries.length; }, () => {});
  $("chips").replaceChildren(el("button", { type: "button", value: "" }, "All"), ...about.categories.map(c => el("button", { type: "button", value: c.name }, c.name + " ", el("small", {}, count(c.items)))));
  for (const b of $("chips").children) b.addEventListener("click", () => go(change({ category: b.value }), false));
  show();
}
begin();
})();
