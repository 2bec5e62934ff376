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
  for (const g of $$("svg .of[tabindex]")) {
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
  addEventListener("scroll", () => { if (!tip.hidden) place(); }, { passive: true });
  addEventListener("keydown", e => { if (e.key === "Escape") tip.hidden = true; });

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
  const table = $("#table"), body = table.tBodies[0], rows = [...body.rows], only = $("#only"), find = $("#find");
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
        return { row, i, missing: v === "", number: v === undefined ? NaN : parseFloat(v), text: c.textContent };
      });
      const sign = down ? -1 : 1;
      keyed.sort((a, b) => a.missing - b.missing || sign * (isNaN(a.number) || isNaN(b.number) ? collator.compare(a.text, b.text) : a.number - b.number) || a.i - b.i);
      body.append(...keyed.map(k => k.row));
    };
  });
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = only.value !== "" && row.cells[0].textContent !== only.value || !words.every(w => text.includes(w));
      if (!row.hidden) n++;
    }
    $("#shown").textContent = n === rows.length ? n + " cells" : n + " of " + rows.length + " cells";
  };
  only.onchange = filter;
  find.oninput = filter;
  $(".tools").hidden = false;
  filter();
  $("#copy").onclick = async () => {
    const lines = [table.tHead.rows[0], ...body.rows].filter(r => !r.hidden).map(r => heads.map((_, i) => {
      const c = at(r, i);
      return c.dataset.v ?? c.textContent.replace("◆ ", "");
    }).join("\t"));
    let said = "Copied";
    try { await navigator.clipboard.writeText(lines.join("\n")); } catch { said = "The browser does not allow it"; }
    $("#copy").textContent = said;
    setTimeout(() => { $("#copy").textContent = "Copy as TSV"; }, 1500);
  };
})();
