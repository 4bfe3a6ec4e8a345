// The course of a metric of growth: its points, and the line through them if it grows.

const SHAPES = { saturates: "it rose and stopped", level: "no growth can be told" };
const growthTitle = (growth) => `${growth.name}: ${SHAPES[growth.shape] || `grows by ${growth.slope}`}`;

function drawGrowth(element, growth) {
  const x = unpacked(growth.x, growth.steps[0]),
    y = unpacked(growth.y, growth.steps[1]);
  const from = x[Math.min(growth.warm, x.length - 1)],
    to = x[x.length - 1];
  const place = h("div", {
    class: "plot",
    role: "img",
    "aria-label": `${growthTitle(growth)}, ${plural(x.length, "point")}`,
  });
  element.append(place);
  const height = () => 220;
  const fitted = {
    stroke: () => css("--bad"),
    width: 2,
    spanGaps: true,
    points: { show: false },
  };
  const chart = new uPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height: height(),
      legend: { show: false },
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false } },
      axes: [
        {
          stroke: () => css("--quiet"),
          grid: { stroke: () => css("--grid"), width: 1 },
          ticks: { show: false },
          size: 30,
          space: 60,
          values: (u, ticks) =>
            growth.per === "op" ? tickTexts(ticks, "count") : ticks.map((tick) => `${Number(tick.toPrecision(4))} s`),
        },
        {
          stroke: () => css("--quiet"),
          grid: { stroke: () => css("--grid"), width: 1 },
          ticks: { show: false },
          size: 64,
          values: (u, ticks) => tickTexts(ticks, growth.unit),
        },
      ],
      series: [
        {},
        {
          stroke: () => css("--c-live"),
          width: 0,
          paths: () => null,
          points: { show: true, size: 6, fill: () => css("--c-live") },
        },
        ...(growth.line ? [fitted] : []),
      ],
    },
    uPlot.join([[x, y], ...(growth.line ? [[[from, to], growth.line]] : [])]),
    place,
  );
  return whileVisible(place, chart, height);
}
