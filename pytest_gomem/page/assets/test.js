// The view of one test: its name, a tab for each window, and the parts of the chosen one.

let ends = [];

// Tabs by roving tabindex: arrows choose, Home and End go to the first and last.
function tabs(label, choices, chosen, choose) {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label });
  const select = (key, focus) => {
    for (const tab of list.children) {
      const is = tab.dataset.key === key;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
      if (is && focus) tab.focus();
    }
  };
  choices.forEach(([key, text], at) => {
    const pick = (to) => {
      const [next] = choices[(to + choices.length) % choices.length];
      select(next, true);
      choose(next);
    };
    const tab = h(
      "button",
      {
        type: "button",
        role: "tab",
        click: () => pick(at),
        keydown: (event) => {
          const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: choices.length - 1 }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          pick(to);
        },
      },
      text,
    );
    tab.dataset.key = key;
    list.append(tab);
  });
  select(chosen, false);
  list.select = (key) => select(key, false);
  return list;
}

const parsed = new Map();
function detailOf(number) {
  if (!parsed.has(number)) {
    const source = by(`t${number}`);
    if (!source) return null;
    parsed.set(number, JSON.parse(source.textContent));
    if (parsed.size > 8) parsed.delete(parsed.keys().next().value);
  }
  return parsed.get(number);
}

function closeTest() {
  for (const end of ends) end();
  ends = [];
  by("test").replaceChildren();
}

function showTest(number, wanted, go) {
  closeTest();
  const row = RUN.rows[number],
    test = detailOf(number),
    place = by("test");
  const [where, name] = partsOf(row.id);
  const heading = h("h2", { tabindex: "-1", id: "test-name" }, breakable(name || row.id));
  by("way").replaceChildren(
    h("button", { type: "button", class: "plain", click: () => go.back() }, "← All tests"),
    h(
      "span",
      { class: "right" },
      h("button", { type: "button", class: "plain", click: () => go.step(-1), disabled: !go.has(-1) }, "Previous"),
      h("button", { type: "button", class: "plain", click: () => go.step(1), disabled: !go.has(1) }, "Next"),
    ),
  );
  place.append(
    h(
      "header",
      { class: "test-head" },
      h("p", { class: "quiet where" }, where + (test && test.line ? `:${test.line}` : "")),
      heading,
      h(
        "p",
        { class: "about" },
        pill(row.status),
        row.outcome !== row.status && h("span", { class: "quiet" }, `pytest: ${row.outcome}`),
        test && test.matrix.map(([key, value]) => h("span", { class: "tag" }, `${key}=${value}`)),
      ),
    ),
  );
  if (!test) {
    place.append(h("p", { class: "quiet" }, "This test is still being read."));
    return heading;
  }
  if (test.reason) place.append(h("p", {}, test.reason));
  if (!test.windows.length) place.append(h("p", { class: "quiet" }, "Nothing was measured in this test."));
  const panel = h("div", { id: "window" });
  const at = Math.max(
    test.windows.findIndex((view) => view.label === wanted),
    0,
  );
  if (test.windows.length > 1) {
    const choices = test.windows.map((view, index) => [String(index), view.label]);
    const list = tabs("Windows", choices, String(at), (key) => {
      showWindow(panel, test.windows[key]);
      go.window(test.windows[key].label);
    });
    [...list.children].forEach((tab, index) => {
      tab.setAttribute("aria-controls", "window");
      const worst = (test.windows[index].verdicts || []).some((one) => one.failing);
      if (worst) tab.prepend(h("span", { class: "spot bad", title: "a limit is broken" }));
    });
    place.append(list);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", "Window");
  }
  place.append(panel);
  if (test.windows.length) showWindow(panel, test.windows[at]);
  return heading;
}

const PARTS = [
  failurePart,
  limitsPart,
  comparedPart,
  coursePart,
  culpritsPart,
  holdersPart,
  tracePart,
  goroutinesPart,
  knownLeaksPart,
  flamesPart,
  billPart,
  growthPart,
  roundsPart,
  metricsPart,
  disagreementsPart,
  conditionsPart,
  notesPart,
  logPart,
  artifactsPart,
];

function showWindow(panel, view) {
  for (const end of ends) end();
  const parts = PARTS.map((part) => part(view, RUN.words)).filter(Boolean);
  const way = h(
    "nav",
    { class: "contents", "aria-label": "Parts" },
    parts
      .filter((part) => part.id)
      .map((part) =>
        h(
          "button",
          {
            type: "button",
            click: () => part.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" }),
          },
          part.querySelector("h3").textContent,
        ),
      ),
  );
  panel.replaceChildren(
    h(
      "dl",
      { class: "facts" },
      view.about.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    way,
    ...parts,
  );
  ends = parts.filter((part) => part.draw).map((part) => part.draw());
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
