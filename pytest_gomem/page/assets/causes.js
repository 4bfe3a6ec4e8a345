// Who caused it: culprits, holders, goroutines, growth and flame graphs; null where there is nothing to show.

function culpritsPart(view) {
  if (!view.culprits) return null;
  const groups = view.culprits.map((group) =>
    h(
      "div",
      { class: "group" },
      h("h4", {}, group.title),
      group.rows.map((one) => {
        const share = h("span", { class: "share", "aria-hidden": "true" }, h("span", {}));
        share.firstChild.style.width = `${Math.min(one.part, 1) * 100}%`;
        return h(
          "div",
          { class: "culprit" },
          h(
            "p",
            { class: "who" },
            mono(one.function),
            h("span", { class: "place" }, one.place),
            one.between && h("span", { class: "tag" }, "against the base"),
          ),
          h("p", { class: "amount" }, share, h("strong", {}, one.amount), h("span", {}, one.share)),
          one.through && h("p", { class: "quiet" }, one.through),
          one.why.length > 0 &&
            h(
              "ul",
              {},
              one.why.map((text) => h("li", {}, text)),
            ),
        );
      }),
      h("p", { class: "quiet" }, group.summary),
    ),
  );
  return section("culprits", "Who allocated it", groups);
}

function holdersPart(view) {
  const found = view.holders;
  if (!found) return null;
  return section(
    "holders",
    `Who holds it${found.of ? ` (${found.of} alone)` : ""}`,
    found.note && h("p", {}, `nobody is named: ${found.note}`),
    found.rows.map((one) => {
      const share = h("span", { class: "share", "aria-hidden": "true" }, h("span", {}));
      share.firstChild.style.width = `${Math.min(Math.max(one.share, 0), 1) * 100}%`;
      return h(
        "div",
        { class: "culprit" },
        h("p", { class: "who" }, mono(one.root)),
        h("p", { class: "amount" }, share, h("strong", {}, one.amount)),
        h(
          "ul",
          {},
          one.details.map((text) => h("li", {}, text)),
        ),
      );
    }),
    found.types && h("p", { class: "quiet" }, found.types),
  );
}

function tracePart(view) {
  if (!view.trace) return null;
  return section(
    "trace",
    "Execution trace",
    h(
      "ul",
      {},
      view.trace.map((text) => h("li", {}, text)),
    ),
  );
}

function goroutinesPart(view) {
  const found = view.goroutines;
  if (!found) return null;
  const rows = found.rows.map((one) =>
    h(
      "tr",
      {},
      h("td", { class: "number" }, one.number),
      h("td", {}, one.state),
      h(
        "td",
        {},
        mono(one.where),
        one.stack.length > 0 &&
          h(
            "details",
            {},
            h("summary", {}, "stack"),
            h(
              "ol",
              { class: "calls" },
              one.stack.map((call) => h("li", {}, mono(call))),
            ),
          ),
      ),
    ),
  );
  return section(
    "goroutines",
    found.leaked ? "Goroutines that leaked" : "Goroutines",
    table([">number", "state", "where"], rows),
    found.more > 0 && h("p", { class: "quiet" }, `${plural(found.more, "more group")}`),
  );
}

function growthPart(view) {
  if (!view.growths) return null;
  const places = view.growths.map((growth) => {
    const place = h("div", { class: "growth" }, h("h4", {}, growthTitle(growth)));
    return [place, growth];
  });
  const part = section(
    "growth",
    "Growth",
    h(
      "div",
      { class: "growths" },
      places.map(([place]) => place),
    ),
  );
  part.draw = () => {
    const ends = places.map(([place, growth]) => drawGrowth(place, growth));
    return () => ends.forEach((end) => end());
  };
  return part;
}

function flamesPart(view) {
  if (!view.flames) return null;
  const names = Object.keys(view.flames);
  const place = h("div", { class: "flame" });
  const part = section("flames", "Flame graphs");
  const show = (name) => {
    place.replaceChildren();
    drawFlame(place, view.flames[name], name);
  };
  if (names.length > 1)
    part.append(
      tabs(
        "Flame graph",
        names.map((name) => [name, flameTitles[name] || name]),
        names[0],
        show,
      ),
    );
  part.append(place);
  part.draw = () => {
    show(names[0]);
    return () => {};
  };
  return part;
}
