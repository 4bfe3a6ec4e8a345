// Known leaks, sources that disagree, and histograms of a window; null where there is nothing to show.

const rowOf = (cells) =>
  h(
    "tr",
    {},
    cells.map((cell) => h("td", {}, cell)),
  );

function knownLeaksPart(view) {
  if (!view.known_leaks) return null;
  const heads = ["leak", "accepted", "reason"];
  return section("known-leaks", "Known leaks", table(heads, view.known_leaks.map(rowOf)));
}

function disagreementsPart(view) {
  if (!view.disagreements) return null;
  const heads = ["quantity", "one source", "the other", "allowed"];
  return section("disagreements", "Sources that disagree", table(heads, view.disagreements.map(rowOf)));
}

function histogramDetails(view) {
  return (view.histograms || []).map(({ title, count, rows }) => {
    const bars = rows.map(([range, events, part]) => {
      const share = h("span", { class: "share calm", "aria-hidden": "true" }, h("span", {}));
      share.firstChild.style.width = `${part * 100}%`;
      return h("tr", {}, h("td", {}, range), h("td", { class: "number" }, String(events)), h("td", {}, share));
    });
    return h(
      "details",
      { class: "histogram" },
      h("summary", {}, `${title}: ${count}`),
      table(["lasted", ">times", ""], bars),
    );
  });
}
