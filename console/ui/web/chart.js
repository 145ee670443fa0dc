// Charts over time: each .chart has its points as JSON in a <script type="application/json"> of its own.
import uPlot from "uplot";

function draw(box) {
  const { label, at, values } = JSON.parse(box.querySelector("script").textContent);
  const style = getComputedStyle(document.documentElement);
  const accent = style.getPropertyValue("--pico-primary").trim();
  const line = style.getPropertyValue("--line").trim();
  const text = style.getPropertyValue("--pico-muted-color").trim();
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const plot = new uPlot({
    width: box.clientWidth, height: 176, cursor: { y: false },
    scales: { y: { range: (u, min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [axis, { ...axis, size: 46 }],
    series: [{}, { label, stroke: accent, width: 2, fill: accent + "22", points: { show: false } }],
  }, [at, values], box);
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: 176 })).observe(box);
}
document.querySelectorAll(".chart").forEach(draw);
