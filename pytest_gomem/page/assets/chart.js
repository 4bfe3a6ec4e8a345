// The course of a window over time, by uPlot: curves, limits as lines, GC cycles as ticks, phases as bands.

const COLOURS = {
  rss: "--c-rss",
  hwm: "--c-hwm",
  heap_live: "--c-live",
  heap_goal: "--c-goal",
  threads: "--c-threads",
  fds: "--c-fds",
};
const DASHED = { hwm: [4, 3], heap_goal: [7, 4] };
const HIDDEN_FIRST = new Set(["hwm", "threads", "fds"]);
const NEAR = 2.5; // a limit further above all curves than this would flatten them
const HEIGHT = 330;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Draws a course and returns what ends it.
function drawCourse(element, course) {
  const curves = course.curves.map((curve) => ({
    ...curve,
    times: unpacked(curve.t, 0.001),
    values: unpacked(curve.v, curve.step),
    shown: !HIDDEN_FIRST.has(curve.name),
  }));
  const top = Math.max(
    ...curves.filter((curve) => curve.unit === "bytes").map((curve) => Math.max(...curve.values)),
    0,
  );
  const limits = course.limits.map((limit) => ({ ...limit, shown: !top || limit.value <= top * NEAR }));
  const cycles = course.cycles && { ...course.cycles, times: unpacked(course.cycles.t, 0.001), shown: true };
  const first = Math.min(...curves.map((curve) => curve.times[0]));
  const last = Math.max(...curves.map((curve) => curve.times[curve.times.length - 1]));
  const paint = paintersOf(course, curves, limits, cycles);
  const readout = h("p", { class: "readout", "aria-live": "off" });
  const place = h("div", {
    class: "plot",
    tabindex: "0",
    role: "img",
    "aria-label": describe(curves, limits, cycles, course),
  });
  const reset = h(
    "button",
    { type: "button", class: "plain", disabled: true, click: () => zoomTo(first, last) },
    "Reset zoom",
  );
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Show in the chart" });
  const zoomBy = (factor, label, text) =>
    h("button", { type: "button", class: "plain", "aria-label": label, click: () => zoom(factor) }, text);
  const zooms = h("span", { class: "zooms" }, zoomBy(0.6, "Zoom in", "+"), zoomBy(1 / 0.6, "Zoom out", "−"), reset);
  element.append(h("div", { class: "chart-head" }, legend, zooms), place, readout);

  let cursor = 0;
  const stepped = uPlot.paths.stepped({ align: 1 });
  const series = curves.map((curve) => ({
    label: curve.title,
    scale: curve.unit === "bytes" ? "y" : "n",
    show: curve.shown,
    spanGaps: true,
    width: curve.name === "rss" ? 2 : 1.5,
    stroke: () => css(COLOURS[curve.name] || "--ink"),
    dash: DASHED[curve.name],
    points: { show: curve.times.length < 3 },
    paths: curve.name === "rss" || curve.name === "heap_live" ? undefined : stepped,
  }));
  const chart = new uPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height: heightNow(),
      legend: { show: false },
      padding: [18, 12, 0, 4],
      cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 }, y: false },
      scales: {
        x: { time: false },
        y: { range: () => [0, Math.max(visibleTop(), 1) * 1.08] },
        n: { range: (u, min, max) => (max === null ? [null, null] : [0, Math.max(max, 1) * 1.15]) },
      },
      axes: [
        axis({ values: (u, ticks) => ticks.map((tick) => `${Number(tick.toFixed(3))} s`), space: 70, size: 30 }),
        axis({ scale: "y", values: (u, ticks) => tickTexts(ticks, "bytes"), size: 64 }),
        axis({ scale: "n", side: 1, grid: { show: false }, values: (u, ticks) => tickTexts(ticks, "count"), size: 46 }),
      ],
      series: [{}, ...series],
      hooks: {
        drawClear: [paint.phases],
        draw: [paint.marks, paint.limits],
        setCursor: [tell],
        setScale: [
          (u, key) => {
            if (key === "x") reset.disabled = isWhole();
          },
        ],
      },
    },
    uPlot.join(curves.map((curve) => [curve.times, curve.values])),
    place,
  );

  function axis(own) {
    return {
      stroke: () => css("--quiet"),
      font: "12px system-ui, sans-serif",
      ticks: { stroke: () => css("--line"), size: 4, width: 1 },
      ...own,
      grid: { stroke: () => css("--grid"), width: 1, ...own.grid },
    };
  }
  function heightNow() {
    return innerWidth < 600 ? 250 : HEIGHT;
  }
  function visibleTop() {
    const shown = curves
      .filter((curve) => curve.shown && curve.unit === "bytes")
      .map((curve) => Math.max(...curve.values));
    return Math.max(...shown, ...limits.filter((limit) => limit.shown).map((limit) => limit.value), 0);
  }
  function isWhole() {
    return chart === undefined || (chart.scales.x.min <= first && chart.scales.x.max >= last);
  }
  function zoomTo(min, max) {
    chart.setScale("x", { min: Math.max(min, first), max: Math.min(max, last) });
  }

  function zoom(factor) {
    const { min, max } = chart.scales.x;
    const middle = cursor > min && cursor < max ? cursor : (min + max) / 2;
    zoomTo(middle - ((max - min) / 2) * factor, middle + ((max - min) / 2) * factor);
  }

  function tell(u) {
    const at = u.cursor.idx;
    if (at === null || at === undefined || u.cursor.left < 0) {
      readout.textContent = usual;
      return;
    }
    tellAt(u.data[0][at]);
  }
  function tellAt(t) {
    const phase = course.phases.find(([, from, to]) => from <= t && t <= to);
    const parts = curves
      .filter((curve) => curve.shown)
      .map((curve) => {
        const found = lastUntil(curve.times, t);
        return found < 0 ? null : `${curve.title} ${valueText(curve.values[found], curve.unit)}`;
      });
    readout.textContent = [secondsText(t), phase && `in ${phase[0]}`, ...parts].filter(Boolean).join("   ");
  }
  const usual =
    "Drag to zoom, double click to see all. By keyboard: arrows move the cursor, + and - zoom, 0 shows all.";
  readout.textContent = usual;

  // A finger moves what is zoomed; up and down it scrolls the page.
  let held = null;
  chart.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse") held = { x: event.clientX, min: chart.scales.x.min, max: chart.scales.x.max };
  });
  chart.over.addEventListener("pointermove", (event) => {
    if (!held || event.pointerType === "mouse") return;
    const span = held.max - held.min;
    const min = Math.min(
      Math.max(held.min + ((held.x - event.clientX) / chart.over.clientWidth) * span, first),
      last - span,
    );
    chart.setScale("x", { min, max: min + span });
  });
  for (const end of ["pointerup", "pointercancel"])
    chart.over.addEventListener(end, () => {
      held = null;
    });

  place.addEventListener("keydown", (event) => {
    const { min, max } = chart.scales.x;
    const move = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (move) {
      cursor = Math.min(Math.max((cursor || (min + max) / 2) + move * (max - min), min), max);
      chart.setCursor({ left: chart.valToPos(cursor, "x"), top: 10 });
      tellAt(cursor);
    } else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 0.6 : 1 / 0.6);
    else if (event.key === "0") zoomTo(first, last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const entries = [
    ...curves.map((curve, at) => ({
      title: curve.title,
      colour: COLOURS[curve.name] || "--ink",
      dashed: Boolean(DASHED[curve.name]),
      of: curve,
      change: () => {
        chart.setSeries(at + 1, { show: curve.shown });
        chart.redraw(true, true);
      },
    })),
    ...limits.map((limit) => ({
      title: limit.title + (limit.shown ? "" : " (above the chart)"),
      of: limit,
      line: true,
      colour: limit.kind === "max" || limit.kind === "min" ? "--bad" : limit.kind === "warn" ? "--warn" : "--quiet",
      change: () =>
        chart.setScale("x", { min: chart.scales.x.min, max: chart.scales.x.max }) || chart.redraw(false, true),
    })),
    ...(cycles
      ? [{ title: gcTitle(cycles), colour: "--c-gc", of: cycles, tick: true, change: () => chart.redraw(false) }]
      : []),
  ];
  for (const entry of entries) {
    const key = h("span", {
      class: `key ${entry.dashed ? "dashed" : ""} ${entry.tick ? "tick" : ""}`,
      "aria-hidden": "true",
    });
    key.style.setProperty("--key", `var(${entry.colour})`);
    const button = h(
      "button",
      {
        type: "button",
        "aria-pressed": String(entry.of.shown),
        click: () => {
          entry.of.shown = !entry.of.shown;
          button.setAttribute("aria-pressed", String(entry.of.shown));
          entry.change();
        },
      },
      key,
      entry.title,
    );
    legend.append(button);
  }
  return whileVisible(place, chart, heightNow);
}

function gcTitle(cycles) {
  const shown = cycles.times.length;
  return `${plural(cycles.count, "GC cycle")}${shown < cycles.count ? ` (${shown} longest pauses)` : ""}`;
}

function describe(curves, limits, cycles, course) {
  const of = curves.map(({ title, values, unit }) => {
    const [most, end] = [Math.max(...values), values[values.length - 1]].map((value) => valueText(value, unit));
    return `${title}: at most ${most}, at the end ${end}`;
  });
  const rest = [
    ...limits.map((limit) => `limit ${limit.title}`),
    cycles && gcTitle(cycles),
    ...course.phases.map(([name]) => `phase ${name}`),
  ];
  return `Course over ${secondsText(course.duration)}. ${[...of, ...rest].filter(Boolean).join("; ")}`;
}

// Keeps a chart as wide as its place and in the colours of the theme; returns what ends it.
function whileVisible(place, chart, height) {
  const fit = new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width && Math.abs(width - chart.width) > 1) chart.setSize({ width, height: height() });
  });
  fit.observe(place);
  const repaint = () => chart.redraw(false);
  document.addEventListener("themechange", repaint);
  return () => {
    fit.disconnect();
    document.removeEventListener("themechange", repaint);
    chart.destroy();
  };
}
