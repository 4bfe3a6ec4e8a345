"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const ROW = 20, NARROWEST = 0.75, READABLE = 26, MOST_CRUMBS = 6, GLYPH = 6.95;
  const by = (id) => document.getElementById(id);
  const chart = by("chart"), tip = by("tip");

  const UNITS = {
    bytes: [[1e12, " TB"], [1e9, " GB"], [1e6, " MB"], [1e3, " kB"], [1, " B"]],
    nanoseconds: [[864e11, " d"], [36e11, " h"], [6e10, " min"], [1e9, " s"], [1e6, " ms"], [1e3, " us"], [1, " ns"]],
    count: [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]],
  };

  function valueText(value, unit, signed) {
    const sign = value < 0 ? "-" : signed && value > 0 ? "+" : "";
    const size = Math.abs(value);
    const known = Object.hasOwn(UNITS, unit);
    const scale = known ? UNITS[unit] : UNITS.count;
    const tail = known ? "" : ` ${unit}`;
    if (scale === UNITS.count && size < 1e4) return `${sign}${size}${tail}`;
    const [factor, suffix] = scale.find((step) => size >= step[0] * 0.9995) || scale[scale.length - 1];
    const number = size / factor;
    return `${sign}${threeDigits(number)}${suffix}${tail}`;
  }

  function threeDigits(number) {
    if (number === 0) return "0";
    if (number < 0.995) return number.toPrecision(3);
    return number.toFixed(number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2);
  }

  function percent(value, total) {
    if (!total) return "-";
    const points = Math.abs(value / total) * 100;
    const text = points > 0 && points < 0.05 ? "<0.1%" : points >= 9.95 ? `${points.toFixed(0)}%`
      : `${points.toFixed(1).replace(/\.0$/, "")}%`;
    return value < 0 ? `-${text}` : text;
  }

  const grouped = (value) => value.toLocaleString("en-US").replaceAll(",", "\u202f");

  // Boxes come with the place of their parent among them, before their children.
  for (const view of data.views) {
    view.depth = view.parent.map(() => 0);
    view.firstChild = view.parent.map(() => -1);
    view.rows = [];
    view.boxOf = new Map();
    view.parent.forEach((parent, box) => {
      if (parent >= 0) {
        view.depth[box] = view.depth[parent] + 1;
        if (view.firstChild[parent] < 0) view.firstChild[parent] = box;
      }
      (view.rows[view.depth[box]] ||= []).push(box);
      view.boxOf.set(view.node[box], box);
    });
  }

  let view, zoomed = 0, focused = 0, matches = null, drawn = new Map();

  const frame = (box) => data.nodes.frame[view.node[box]];
  const name = (box) => data.frames.name[frame(box)];
  const changed = (box) => view.cum[box] - view.beforeCum[box];

  function label(box, width) {
    const short = data.frames.short[frame(box)], cells = (width - 9) / GLYPH;
    const full = `${short}  ${labelValue(box)}`;
    return [full, short].find((text) => text.length <= cells) || short.slice(short.lastIndexOf(".") + 1);
  }

  function labelValue(box) {
    return data.differential && changed(box) !== 0
      ? valueText(changed(box), view.unit, true) : valueText(view.cum[box], view.unit);
  }

  function sentence(box) {
    const part = (value) => `${valueText(value, view.unit)} (${percent(value, view.total)})`;
    const now = `${name(box)}: ${data.whole} ${part(view.cum[box])}, itself ${part(view.flat[box])}`;
    if (!data.differential) return now;
    return `${now}; before ${valueText(view.beforeCum[box], view.unit)}, ` +
      `change ${valueText(changed(box), view.unit, true)}`;
  }

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function pathTo(box) {
    const path = [];
    for (let at = box; at >= 0; at = view.parent[at]) path.unshift(at);
    return path;
  }

  function draw() {
    const room = chart.clientWidth;
    const above = new Set(pathTo(zoomed).slice(0, -1));
    const from = view.left[zoomed], width = view.width[zoomed], floor = view.depth[zoomed];
    const pieces = document.createDocumentFragment();
    let deepest = 0;
    drawn = new Map();
    for (let box = 0; width > 0 && box < view.node.length; box++) {
      let x = 0, w = room;
      if (!above.has(box)) {
        if (view.depth[box] < floor || view.left[box] < from || view.left[box] >= from + width) continue;
        x = (view.left[box] - from) / width * room;
        w = view.width[box] / width * room;
        if (w < NARROWEST) continue;
      }
      pieces.append(boxElement(box, x, w, above.has(box)));
      deepest = Math.max(deepest, view.depth[box]);
    }
    chart.style.height = `${(deepest + 1) * ROW}px`;
    chart.replaceChildren(pieces);
    chart.classList.toggle("searching", matches !== null);
    if (!drawn.has(focused)) focused = zoomed;
    drawn.get(focused)?.setAttribute("tabindex", "0");
  }

  function boxElement(box, x, w, isAbove) {
    const made = document.createElement("div");
    const thin = w < READABLE ? (w < 3 ? " thin hair" : " thin") : "";
    made.className = `box ${box ? `k${view.category[box]}` : "root"}${thin}${isAbove ? " above" : ""}` +
      (matches && matches[box] ? " match" : "");
    made.style.left = `${x}px`;
    made.style.width = `${w}px`;
    made.style.top = `${view.depth[box] * ROW}px`;
    if (w >= READABLE) made.textContent = label(box, w);
    made.box = box;
    made.setAttribute("role", "treeitem");
    made.setAttribute("aria-level", view.depth[box] + 1);
    made.setAttribute("aria-label", sentence(box));
    made.tabIndex = -1;
    drawn.set(box, made);
    return made;
  }

  function zoom(box) {
    zoomed = box;
    focused = box;
    const hadFocus = chart.contains(document.activeElement);
    draw();
    crumbs();
    by("reset").disabled = zoomed === 0;
    if (hadFocus) focusOn(box);
  }

  function crumbs() {
    const path = pathTo(zoomed);
    const shown = path.length > MOST_CRUMBS ? [path[0], -1, ...path.slice(1 - MOST_CRUMBS)] : path;
    by("path").replaceChildren(...shown.map((box) => {
      const item = element("li");
      if (box < 0) {
        item.textContent = `${path.length - MOST_CRUMBS} more`;
        return item;
      }
      const button = element("button", data.frames.short[frame(box)]);
      button.type = "button";
      if (box === zoomed) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => zoom(box));
      item.append(button);
      return item;
    }));
  }

  function focusOn(box) {
    const target = drawn.get(box);
    if (!target) return;
    drawn.get(focused)?.setAttribute("tabindex", "-1");
    focused = box;
    target.setAttribute("tabindex", "0");
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function besides(box, step) {
    const row = view.rows[view.depth[box]].filter((other) => drawn.has(other));
    return row[row.indexOf(box) + step];
  }

  function nextMatch(step) {
    if (!matches) return;
    const shown = [...drawn.keys()].filter((box) => matches[box]);
    if (!shown.length) return;
    const after = shown.findIndex((box) => box > focused);
    const before = shown.findLastIndex((box) => box < focused);
    const at = step > 0 ? (after < 0 ? 0 : after) : before < 0 ? shown.length - 1 : before;
    focusOn(shown[at]);
  }

  function search() {
    const asked = by("search").value;
    by("found").textContent = "";
    matches = null;
    if (asked) {
      const pattern = patternOf(asked);
      const hit = data.frames.name.map((text, at) => pattern.test(text) || pattern.test(data.frames.file[at]));
      const under = new Uint8Array(view.node.length);
      let count = 0, sum = 0;
      matches = new Uint8Array(view.node.length);
      for (let box = 1; box < view.node.length; box++) {
        const parent = view.parent[box];
        under[box] = under[parent] || matches[parent];
        if (!hit[frame(box)]) continue;
        matches[box] = 1;
        count += 1;
        if (!under[box]) sum += view.cum[box];
      }
      by("found").textContent = count
        ? `${count} ${count === 1 ? "frame matches" : "frames match"}: ${valueText(sum, view.unit)}, ${percent(sum, view.total)} of the total`
        : "no frame drawn matches";
    }
    for (const [box, made] of drawn) made.classList.toggle("match", matches !== null && matches[box] === 1);
    chart.classList.toggle("searching", matches !== null);
  }

  function patternOf(asked) {
    try {
      return new RegExp(asked, "iu");
    } catch {
      return new RegExp(asked.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
    }
  }

  function showTip(box, x, y) {
    const rows = [[data.whole, view.cum, view.beforeCum], ["itself", view.flat, view.beforeFlat]];
    const head = data.differential ? ["", "now", "", "exact", "before", "change"] : ["", "", "", "exact"];
    const table = element("table");
    const exact = (value) => grouped(value) + (view.unit === "bytes" ? " B" : "");
    const line = (cells, tag) => {
      const row = element("tr");
      cells.forEach((text, at) => {
        const cell = element(at ? tag : "th", text);
        if (!at) cell.scope = "row";
        row.append(cell);
      });
      return row;
    };
    table.append(line(head, "th"));
    for (const [title, now, before] of rows) {
      const value = now[box];
      const cells = [title, valueText(value, view.unit), percent(value, view.total), exact(value)];
      if (data.differential) {
        cells.push(valueText(before[box], view.unit), valueText(value - before[box], view.unit, true));
      }
      table.append(line(cells, "td"));
    }
    const title = element("strong");
    title.append(element("bdi", name(box)));
    tip.replaceChildren(title, element("div", data.frames.file[frame(box)], "file"), table);
    tip.hidden = false;
    const size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - size.width - 8))}px`;
    tip.style.top = `${y + 18 + size.height > innerHeight ? Math.max(4, y - size.height - 10) : y + 18}px`;
  }

  function tell(box) {
    by("about").textContent = sentence(box);
  }

  function hideTip() {
    tip.hidden = true;
  }

  function choose(index) {
    const path = view ? pathTo(zoomed).map((box) => view.node[box]) : [];
    view = data.views[index];
    const kept = path.filter((node) => view.boxOf.has(node));
    by("what").replaceChildren(element("strong", view.type), ` - ${view.meaning}; ${view.summary}`);
    by("notes").textContent = view.notes.join(" ");
    vanished();
    drawn.clear();
    search();
    zoom(kept.length ? view.boxOf.get(kept[kept.length - 1]) : 0);
  }

  function vanished() {
    by("vanished").hidden = view.vanished.count === 0;
    const more = view.vanished.count - view.vanished.rows.length;
    by("vanished-sum").textContent =
      `${valueText(view.vanished.sum, view.unit)} of before, in ${view.vanished.count} place${view.vanished.count === 1 ? "" : "s"}` +
      (more ? `; the ${view.vanished.rows.length} largest:` : ":");
    by("vanished-rows").replaceChildren(...view.vanished.rows.map(([before, what, caller]) => {
      const row = element("tr");
      row.append(element("td", valueText(before, view.unit)), element("td", what), element("td", caller));
      return row;
    }));
  }

  function applyTheme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    by("theme").setAttribute("aria-pressed", String(dark));
  }

  const boxAt = (event) => event.target.closest?.(".box")?.box;

  chart.addEventListener("click", (event) => {
    const box = boxAt(event);
    if (box !== undefined) zoom(box);
    hideTip();
  });
  chart.addEventListener("mousemove", (event) => {
    const box = boxAt(event);
    if (box === undefined) return hideTip();
    showTip(box, event.clientX, event.clientY);
    tell(box);
  });
  chart.addEventListener("mouseleave", hideTip);
  chart.addEventListener("focusin", (event) => {
    const box = boxAt(event);
    if (box === undefined || !event.target.matches(":focus-visible")) return;
    const place = event.target.getBoundingClientRect();
    showTip(box, Math.max(place.left, 0), place.bottom - 14);
    tell(box);
  });
  chart.addEventListener("focusout", hideTip);

  const KEYS = {
    ArrowUp: () => view.parent[focused],
    ArrowDown: () => view.firstChild[focused],
    ArrowLeft: () => besides(focused, -1),
    ArrowRight: () => besides(focused, 1),
    Home: () => 0,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === by("search")) {
      if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { by("search").value = ""; search(); }
      return;
    }
    const inChart = chart.contains(event.target);
    if (event.key === "/") by("search").focus();
    else if (event.key === "n") nextMatch(1);
    else if (event.key === "N") nextMatch(-1);
    else if (event.key === "Escape") zoom(Math.max(view.parent[zoomed], 0));
    else if (inChart && (event.key === "Enter" || event.key === " ")) zoom(focused);
    else if (inChart && KEYS[event.key]) focusOn(KEYS[event.key]());
    else return;
    event.preventDefault();
  });

  by("search").addEventListener("input", search);
  by("reset").addEventListener("click", () => zoom(0));
  by("theme").addEventListener("click", () => applyTheme(document.documentElement.dataset.theme !== "dark"));
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  prefersDark.addEventListener("change", () => applyTheme(prefersDark.matches));
  let resizing = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(draw);
  });

  data.views.forEach((each, index) => {
    const choice = element("label"), input = element("input");
    input.type = "radio";
    input.name = "sample";
    input.checked = index === data.default;
    input.addEventListener("change", () => choose(index));
    choice.append(input, element("span", each.type));
    by("samples").append(choice);
  });
  applyTheme(prefersDark.matches);
  choose(data.default);
})();
