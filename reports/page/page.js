"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];

  // Light and dark: the system's choice until the button is pressed.
  const theme = $("#theme");
  theme.hidden = false;
  theme.onclick = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };

  // Hover: the mark's own <title>, shown at once and on focus, too.
  const tip = $("#tip");
  let place = null;
  const hover = root => {
    for (const g of $$(".of[tabindex]", root)) {
      const title = $("title", g);
      if (!title) continue;
      const lines = title.textContent.split("\n");
      title.remove();
      const show = () => {
        const head = document.createElement("b");
        head.textContent = lines[0];
        tip.replaceChildren(head, lines.slice(1).join("\n"));
        tip.hidden = false;
        place = () => {
          const at = g.getBoundingClientRect(), w = tip.offsetWidth, h = tip.offsetHeight;
          tip.style.left = Math.max(8, Math.min(innerWidth - w - 8, at.left + Math.min(at.width, 300) / 2 - w / 2)) + "px";
          tip.style.top = (at.top - h - 10 < 50 ? at.bottom + 10 : at.top - h - 10) + "px";
        };
        place();
      };
      const hide = () => { tip.hidden = true; };
      g.onpointerenter = show;
      g.onfocus = show;
      g.onpointerleave = hide;
      g.onblur = hide;
    }
  };
  hover(document);
  addEventListener("scroll", () => { if (!tip.hidden) place(); }, { passive: true });
  addEventListener("keydown", e => { if (e.key === "Escape") tip.hidden = true; });

  // The large plot over other axes. The picture as it comes is drawn by the report; this draws the same
  // from the numbers of all cells. Recall is on a logit scale, everything else but shares on a log one.
  const data = JSON.parse($("#explorer").textContent), figure = $(".points:not(.plot)");
  if (figure) {
    const pick = { x: $("#ax"), y: $("#ay"), scale: $("#scale"), view: $("#view") };
    const logit = r => { r = Math.min(1 - 1e-5, Math.max(1e-3, r)); return Math.log(r / (1 - r)); };
    const digits = x => x === 0 ? "0" : x >= 999.5 ? Math.round(x).toLocaleString("en") : +x.toPrecision(3) + "";
    const steps = { s: [[60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]], B: [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"], [1, "B"]] };
    const write = (q, v) => {
      if (q.unit === "ratio") return v.toFixed(3);
      const step = (steps[q.unit] || []).find(s => v >= s[0] * (s[1] === "min" ? 2 : 1));
      return step ? digits(v / step[0]) + " " + step[1] : digits(v);
    };
    const scaleOf = (q, values) => {
      const share = q.unit === "ratio", bend = share && q.title === "recall" && pick.scale.value === "logit";
      const f = bend ? logit : share ? v => v : Math.log10;
      let lo = Math.min(...values.map(f)), hi = Math.max(...values.map(f)), ticks = [];
      if (hi - lo < (bend ? 1 : share ? 0.02 : 0.3)) { const m = (lo + hi) / 2, w = bend ? 0.5 : share ? 0.01 : 0.15; lo = m - w; hi = m + w; }
      const pad = (hi - lo) * 0.04;
      lo -= pad; hi += pad;
      if (bend) ticks = [.01, .05, .1, .2, .5, .8, .9, .95, .99, .995, .999, .9999, 1];
      else if (share) { const raw = (hi - lo) / 5, p = 10 ** Math.floor(Math.log10(raw)), s = [1, 2, 5, 10].find(m => m * p >= raw) * p; for (let t = Math.ceil(lo / s) * s; t <= hi && t <= 1 + 1e-9; t += s) ticks.push(+t.toPrecision(6)); }
      else for (let e = Math.floor(lo) - 1; e <= hi; e++) for (const m of hi - lo > 3 ? [1] : [1, 2, 5]) ticks.push(+(m * 10 ** e).toPrecision(6));
      if (q.unit === "B" && !share) { ticks = []; for (let e = Math.floor(lo / Math.log10(2)); e <= hi / Math.log10(2) + 1; e += hi - lo > 1.2 ? 2 : 1) ticks.push(2 ** e); }
      return { f, lo, hi, ticks: ticks.filter(t => f(t) >= lo && f(t) <= hi), label: t => share ? String(t) : write(q, t) };
    };
    const draw = svg => {
      const width = +svg.getAttribute("viewBox").split(" ")[2], height = Math.min(430, Math.max(280, width * .56));
      const xi = +pick.x.value, yi = +pick.y.value, X = data.q[xi], Y = data.q[yi], view = pick.view ? +pick.view.value : 0;
      const cells = data.cells.filter(c => c.v === view && c.x[xi] && c.x[yi] && (X.unit === "ratio" || c.x[xi][0] > 0) && (Y.unit === "ratio" || c.x[yi][0] > 0));
      const make = (name, attrs, parent, text) => {
        const e = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const k in attrs) e.setAttribute(k, attrs[k]);
        if (text !== undefined) e.textContent = text;
        parent.append(e);
        return e;
      };
      svg.replaceChildren();
      svg.setAttribute("aria-label", Y.title + " over " + X.title + ". The table of every cell below holds the same numbers.");
      if (!cells.length) { make("text", { class: "t soft", x: 10, y: 40, "font-size": 13 }, svg, "No cell has both."); return; }
      const sx = scaleOf(X, cells.map(c => c.x[xi][0])), sy = scaleOf(Y, cells.map(c => c.x[yi][0]));
      const left = 16 + 6.6 * Math.max(...sy.ticks.map(t => sy.label(t).length), 3), right = width - 14, top = 24, bottom = top + height;
      const clamp = (s, v) => Math.min(s.hi, Math.max(s.lo, s.f(v)));
      const px = v => left + 10 + (clamp(sx, v) - sx.lo) / (sx.hi - sx.lo) * (right - left - 20);
      const py = v => bottom - (clamp(sy, v) - sy.lo) / (sy.hi - sy.lo) * height;
      svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 44}`);
      for (const t of sy.ticks) {
        make("path", { class: "l rule", "stroke-width": 1, d: `M${left} ${py(t)}L${right} ${py(t)}` }, svg);
        make("text", { class: "t soft", x: left - 7, y: py(t) + 4, "font-size": 11.5, "text-anchor": "end" }, svg, sy.label(t));
      }
      let last = -1e9;
      for (const t of sx.ticks) {
        const half = sx.label(t).length * 3.4 + 5;
        make("path", { class: "l rule", "stroke-width": 1, d: `M${px(t)} ${top}L${px(t)} ${bottom}` }, svg);
        if (px(t) - half < last) continue;
        make("text", { class: "t soft", x: px(t), y: bottom + 17, "font-size": 11.5, "text-anchor": "middle" }, svg, sx.label(t));
        last = px(t) + half;
      }
      for (const [q, s, d] of [[X, sx, v => `M${px(v)} ${top}L${px(v)} ${bottom}`], [Y, sy, v => `M${left} ${py(v)}L${right} ${py(v)}`]])
        if (q.title === "recall" && s.f(data.target) > s.lo && s.f(data.target) < s.hi) make("path", { class: "l axis dash", "stroke-width": 1.2, d: d(data.target) }, svg);
      const say = q => q.title + (q.unit === "1/s" ? " (queries a second)" : "") + (q.lower ? ", less is better" : "");
      make("text", { class: "t soft", x: (left + right) / 2, y: bottom + 36, "font-size": 12, "text-anchor": "middle" }, svg, say(X));
      make("text", { class: "t soft", x: 0, y: 14, "font-size": 12 }, svg, say(Y));
      const marks = [];
      data.families.forEach((family, f) => {
        const own = cells.filter(c => c.f === f), good = (q, a, b) => q.lower ? a <= b : a >= b;
        if (!own.length) return;
        const g = make("g", { class: "of f" + f }, svg);
        const beats = (a, b) => good(X, a.x[xi][0], b.x[xi][0]) && good(Y, a.x[yi][0], b.x[yi][0]) && (a.x[xi][0] !== b.x[xi][0] || a.x[yi][0] !== b.x[yi][0]);
        const front = own.filter(c => !own.some(o => beats(o, c))).sort((a, b) => a.x[xi][0] - b.x[xi][0]);
        if (front.length > 1) make("path", { class: "l f" + f, "stroke-width": 2, d: "M" + front.map(c => px(c.x[xi][0]) + " " + py(c.x[yi][0])).join("L") }, g);
        for (const c of own) {
          const [x, xl, xh] = c.x[xi], [y, yl, yh] = c.x[yi];
          if (yh !== undefined && (Y.unit === "ratio" || yl > 0)) make("path", { class: "l f" + f, "stroke-width": 1.2, d: `M${px(x)} ${py(yl)}L${px(x)} ${py(yh)}` }, g);
          if (xh !== undefined && (X.unit === "ratio" || xl > 0)) make("path", { class: "l f" + f, "stroke-width": 1.2, d: `M${px(xl)} ${py(y)}L${px(xh)} ${py(y)}` }, g);
          marks.push([c, family, f, front.includes(c)]);
        }
      });
      for (const [c, family, f, front] of marks) {
        const g = make("g", { class: "of f" + f, tabindex: 0, role: "img" }, svg);
        const lines = [family, c.s, ...data.q.map((q, i) => c.x[i] && q.title + " " + write(q, c.x[i][0]) + (c.x[i].length > 1 ? " (" + write(q, c.x[i][1]) + " to " + write(q, c.x[i][2]) + ")" : "")), "cell " + c.id].filter(Boolean);
        make("title", {}, g, lines.join("\n"));
        g.setAttribute("aria-label", lines.join(", "));
        const mark = $("#t" + f + " + svg .pt");
        const m = mark ? mark.cloneNode() : make("circle", { class: "pt f f" + f, cx: 8, cy: 8, r: 5 }, g);
        m.setAttribute("transform", `translate(${px(c.x[xi][0]) - 8} ${py(c.x[yi][0]) - 8})`);
        if (!front) m.classList.replace("f", "o");
        g.append(m);
      }
      hover(svg);
    };
    const redraw = () => { for (const svg of $$(":scope > svg", figure)) draw(svg); };
    for (const s of Object.values(pick)) if (s) s.onchange = redraw;
    $(".axes").hidden = false;
  }

  // Gallery: one query at a time.
  const queries = $$(".query"), links = $$(".picker a"), all = $("#all");
  if (queries.length > 1) {
    const choose = i => {
      queries.forEach((q, j) => { q.hidden = i >= 0 && i !== j; });
      links.forEach((a, j) => { if (i === j) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current"); });
      all.setAttribute("aria-pressed", String(i < 0));
    };
    links.forEach((a, i) => { a.onclick = e => { e.preventDefault(); choose(i); }; });
    all.hidden = false;
    all.onclick = () => choose(-1);
    choose(0);
  }

  // Every cell: sort by any column, missing values last; filter by family and settings; copy.
  const table = $("#table"), body = table.tBodies[0], rows = [...body.rows], only = $("#only"), find = $("#find"), kinds = $$(".approaches input");
  const heads = [...table.tHead.rows[0].cells];
  // A cell without values spans their columns.
  const at = (row, col) => {
    let i = 0;
    for (const c of row.cells) {
      if (col < i + c.colSpan) return c;
      i += c.colSpan;
    }
  };
  const collator = new Intl.Collator("en", { numeric: true });
  heads.forEach((th, col) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = th.textContent;
    th.replaceChildren(button);
    button.onclick = () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      heads.forEach(o => o.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = rows.map((row, i) => {
        const c = at(row, col), v = c.dataset.v;
        return { row, i, missing: v === "", number: v === undefined ? NaN : parseFloat(v), text: c.dataset.f ?? c.textContent };
      });
      const sign = down ? -1 : 1;
      keyed.sort((a, b) => a.missing - b.missing || sign * (isNaN(a.number) || isNaN(b.number) ? collator.compare(a.text, b.text) : a.number - b.number) || a.i - b.i);
      body.append(...keyed.map(k => k.row));
    };
  });
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = kinds.filter(a => !a.checked).map(a => a.value);
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = only.value !== "" && row.cells[0].dataset.f !== only.value || off.includes(row.dataset.a) || !words.every(w => text.includes(w));
      if (!row.hidden) n++;
    }
    $("#shown").textContent = n === rows.length ? n + " cells" : n + " of " + rows.length + " cells";
  };
  only.onchange = filter;
  find.oninput = filter;
  for (const a of kinds) a.onchange = filter;
  $("#cells .tools").hidden = false;
  filter();
  $("#copy").onclick = async () => {
    const lines = [table.tHead.rows[0], ...body.rows].filter(r => !r.hidden).map(r => heads.map((_, i) => {
      const c = at(r, i);
      return c.dataset.v ?? c.dataset.f ?? c.textContent.replace("◆ ", "");
    }).join("\t"));
    let said = "Copied";
    try { await navigator.clipboard.writeText(lines.join("\n")); } catch { said = "The browser does not allow it"; }
    $("#copy").textContent = said;
    setTimeout(() => { $("#copy").textContent = "Copy as TSV"; }, 1500);
  };
})();
