"use strict";
// Draws the charts of the page. What it needs lies in the page itself, compressed: plotly.js and the charts.
(async () => {
  const unpacked = async (id) => {
    const packed = document.getElementById(id).textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  const root = document.documentElement;
  const preferred = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  let chosen = null;  // by the button; else the system's
  const theme = (printing) => (printing ? "light" : chosen || (preferred.matches ? "dark" : "light"));

  // "--name" anywhere in a chart is the colour of that name in the page's style.
  const coloured = (value, style) => {
    if (Array.isArray(value)) return value.every((each) => typeof each === "number") ? value : value.map((each) => coloured(each, style));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner, style)]));
    return typeof value === "string" && value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  };

  const PRINTED_WIDTH = 690;  // pixels of an A4 page between its margins
  const laidOut = (chart, style, printing) => {
    // Each axis makes room on its own side only: labels that stick out elsewhere would move the other axis in turn.
    const axis = (key) => ({ gridcolor: "--line", linecolor: "--line", zerolinecolor: "--quiet", zeroline: false,
      automargin: key.startsWith("x") ? "height" : "left" });
    const narrow = window.innerWidth < 600;
    const layout = { margin: { l: 10, r: 20, t: 10, b: 10 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      font: { family: "system-ui, sans-serif", size: narrow ? 10 : 12, color: "--text" }, paper_bgcolor: "--page",
      plot_bgcolor: "--page", height: chart.height, width: printing ? PRINTED_WIDTH : undefined, autosize: !printing, dragmode: narrow ? false : "zoom",
      hoverlabel: { bgcolor: "--panel", bordercolor: "--line", font: { color: "--text" } }, ...chart.layout };
    for (const key of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key)))
      layout[key] = { ...axis(key), ...layout[key], ...(chart.state[key] || {}) };
    return coloured(layout, style);
  };

  // Of each of `groups` runs of points the first, lowest, highest and last: no high and no low is lost.
  const thinned = (values, begin, end, groups) => {
    const kept = [];
    if (end - begin <= 4 * groups) { for (let i = begin; i < end; ++i) kept.push(i); return kept; }
    for (let g = 0; g < groups; ++g) {
      const from = begin + Math.floor((end - begin) * g / groups), to = begin + Math.floor((end - begin) * (g + 1) / groups);
      let low = from, high = from;
      for (let i = from; i < to; ++i) { if (values[i] < values[low]) low = i; if (values[i] > values[high]) high = i; }
      kept.push(...[...new Set([from, low, high, to - 1])].sort((a, b) => a - b));
    }
    return kept;
  };
  const firstAtOrAfter = (times, time) => {
    let low = 0, high = times.length;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] < time) low = middle + 1; else high = middle; }
    return low;
  };
  const MOST_MARKS = 1500;
  const inView = (chart) => {
    const { ts, close, fills, kinds } = chart.zoomed;
    const [from, to] = chart.view || [ts[0], ts[ts.length - 1]];
    const begin = Math.max(0, firstAtOrAfter(ts, from) - 1), end = Math.min(ts.length, firstAtOrAfter(ts, to) + 2);
    const line = thinned(close, begin, end, 1500);
    const traces = chart.traces.map((trace) => ({ ...trace }));
    traces[0].x = line.map((i) => ts[i]);
    traces[0].y = line.map((i) => close[i]);
    const first = firstAtOrAfter(fills.ts, from), last = firstAtOrAfter(fills.ts, to + 1);
    const drawn = last - first <= MOST_MARKS;
    for (let k = 0; k < kinds.length; ++k) {
      const marks = [];
      if (drawn) for (let i = first; i < last; ++i) if (fills.kind[i] === k) marks.push(i);
      Object.assign(traces[k + 1], { x: marks.map((i) => fills.ts[i]), y: marks.map((i) => fills.price[i]),
        text: marks.map((i) => (fills.quantity[i] > 0 ? "bought " : "sold ") + Math.abs(fills.quantity[i]) + fills.at[i]),
        visible: !drawn || marks.length ? true : "legendonly" });
    }
    const told = document.getElementById("told-" + chart.key);
    told.textContent = drawn ? `${(last - first).toLocaleString("en")} fills in view.`
      : `${(last - first).toLocaleString("en")} fills in view, too many to draw: zoom in to at most ${MOST_MARKS.toLocaleString("en")}.`;
    return traces;
  };

  let charts = [];
  // Named one by one: none of plotly's buttons that send a chart elsewhere.
  const BUTTONS = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const draw = (chart, style, printing) => Plotly.react("chart-" + chart.key, coloured(chart.zoomed ? inView(chart) : chart.traces, style),
    laidOut(chart, style, printing), { responsive: true, displaylogo: false, modeBarButtons: BUTTONS });
  const paint = async (printing) => {
    root.dataset.theme = theme(printing);
    button.textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
    const style = getComputedStyle(root);
    await Promise.all(charts.map((chart) => draw(chart, style, printing)));
  };

  button.addEventListener("click", () => { chosen = theme() === "dark" ? "light" : "dark"; paint(); });
  preferred.addEventListener("change", () => paint());
  window.matchMedia("print").addEventListener("change", (event) => paint(event.matches));

  root.dataset.theme = theme();
  try {
    const script = document.createElement("script");
    script.textContent = await unpacked("plotly");
    document.head.append(script);
    charts = JSON.parse(await unpacked("charts"));
    for (const chart of charts) chart.state = {};
    await paint();
    for (const chart of charts) {
      const box = document.getElementById("chart-" + chart.key);
      if (chart.zoomed) box.on("plotly_relayout", (change) => {
        const time = (text) => (typeof text === "number" ? text : Date.parse(text.replace(" ", "T") + (text.length > 10 ? "Z" : "")));
        if ("xaxis.range[0]" in change) {
          const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
          chart.view = range.map(time);
          chart.state.xaxis = { range, autorange: false };
          chart.state.yaxis = "yaxis.range[0]" in change ? { range: [change["yaxis.range[0]"], change["yaxis.range[1]"]], autorange: false } : {};
        } else if (change["xaxis.autorange"]) { chart.view = null; chart.state = {}; } else return;
        draw(chart, getComputedStyle(root));
      });
    }
    for (const each of document.querySelectorAll("button[data-log]")) each.addEventListener("click", () => {
      const chart = charts.find((chart) => chart.key === each.dataset.log);
      const log = each.getAttribute("aria-pressed") !== "true";
      each.setAttribute("aria-pressed", String(log));
      for (const axis of chart.log_axes) chart.state[axis] = { type: log ? "log" : "linear" };
      draw(chart, getComputedStyle(root));
    });
    root.dataset.drawn = "all";
  } catch (error) {
    document.getElementById("failed").hidden = false;
    throw error;
  }
})();
