"use strict";
(async function () {
  const byId = (id) => document.getElementById(id);
  const status = byId("status");
  const payload = JSON.parse(byId("figures").textContent);

  async function unpack(node) {
    const bytes = Uint8Array.from(atob(node.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // Long date lists are stored once and shared by the traces that use them.
  function figureOf(stored) {
    const data = stored.data.map((trace) =>
      typeof trace.x === "number" ? { ...trace, x: payload.pool[trace.x] } : { ...trace });
    return { data, layout: structuredClone(stored.layout) };
  }

  const narrow = () => window.matchMedia("(max-width: 760px)").matches;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function themed(printing) {
    const text = printing ? "#000000" : colour("--fg");
    const paper = printing ? "#ffffff" : colour("--bg");
    return { "font.color": text, "hoverlabel.bgcolor": paper, "hoverlabel.font.color": text };
  }

  function prepare(layout) {
    const look = themed(false);
    layout.font = { ...layout.font, color: look["font.color"] };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: look["hoverlabel.bgcolor"],
      font: { color: look["font.color"] } };
    layout.autosize = true;
    if (narrow()) {
      layout.margin = { ...layout.margin, l: 44, r: 8 };
      layout.font.size = 11;
      layout.dragmode = false;
    }
    return layout;
  }

  const config = (key) => ({
    responsive: true, displaylogo: false, displayModeBar: narrow() ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    toImageButtonOptions: { filename: payload.name + "-" + key, scale: 2 },
  });

  const seconds = (value) => typeof value === "number" ? value : Date.parse(value);

  // The y axes follow when the x axis is zoomed: smallest and largest visible value of each axis.
  function rescale(plot, event) {
    const first = event["xaxis.range[0]"] ?? event["xaxis.range"]?.[0];
    const last = event["xaxis.range[1]"] ?? event["xaxis.range"]?.[1];
    if (event["xaxis.autorange"]) {
      const back = {};
      for (const axis of ["yaxis", "yaxis2"]) if (plot.layout[axis]) back[axis + ".autorange"] = true;
      return window.Plotly.relayout(plot, back);
    }
    if (first === undefined || last === undefined) return undefined;
    const [low, high] = [seconds(first), seconds(last)];
    const ends = {};
    plot._fullData.forEach((trace) => {
      if (trace.visible !== true || trace.type !== "scatter" || !trace.x || !trace.y) return;
      const axis = trace.yaxis === "y2" ? "yaxis2" : "yaxis";
      for (let k = 0; k < trace.y.length; k += 1) {
        const x = seconds(trace.x[k]);
        const y = trace.y[k];
        if (x < low || x > high || !Number.isFinite(y)) continue;
        const known = ends[axis] ?? (ends[axis] = [Infinity, -Infinity]);
        if (y < known[0]) known[0] = y;
        if (y > known[1]) known[1] = y;
      }
    });
    const change = {};
    for (const [axis, [least, most]] of Object.entries(ends)) {
      const log = plot._fullLayout[axis].type === "log";
      if (log && least <= 0) continue;
      const range = log ? [Math.log10(least), Math.log10(most)] : [least, most];
      const room = 0.05 * (range[1] - range[0]) || 0.01;
      change[axis + ".range"] = [range[0] - room, range[1] + room];
    }
    return Object.keys(change).length ? window.Plotly.relayout(plot, change) : undefined;
  }

  function follow(plot) {
    plot.on("plotly_relayout", (event) => {
      if (Object.keys(event).some((name) => name.startsWith("xaxis."))) rescale(plot, event);
    });
  }

  // A phone has room for a season of bands and for small figures in the cells of a map.
  function simplify(figure, key) {
    if (!narrow()) return;
    for (const trace of figure.data) {
      if (trace.type === "heatmap" && trace.texttemplate) {
        trace.textfont = { size: 7.5 };
        figure.layout.xaxis = { ...figure.layout.xaxis, tickangle: 0, tickfont: { size: 8 } };
      }
    }
    const mean = figure.data.find((trace) => trace.name === "Mean");
    if (key.startsWith("forecasts-") && mean && mean.x.length > 90) {
      figure.layout.xaxis = { ...figure.layout.xaxis,
        range: [mean.x[mean.x.length - 90], mean.x[mean.x.length - 1]] };
      figure.layout.height = 500;
    }
  }

  async function draw(node, stored, key) {
    const figure = figureOf(stored);
    simplify(figure, key);
    node.style.height = `${figure.layout.height}px`;
    await window.Plotly.newPlot(node, figure.data, prepare(figure.layout), config(key));
    if (stored.follow) follow(node);
    node.dataset.drawn = "yes";
  }

  function recolour(printing) {
    document.querySelectorAll(".plot[data-drawn]").forEach((node) => {
      const width = printing ? { width: 700 } : { width: null, autosize: true };
      window.Plotly.relayout(node, { ...themed(printing), ...width });
    });
  }

  try {
    const script = document.createElement("script");
    script.textContent = await unpack(byId("plotly"));
    document.head.append(script);
  } catch (error) {
    status.textContent = "The charts need a browser of 2023 or later; all tables below are complete.";
    return;
  }
  for (const node of document.querySelectorAll(".plot[data-key]")) {
    await draw(node, payload.figures[node.dataset.key], node.dataset.key);
  }
  const bands = byId("bands");
  if (bands) {
    const pickers = [byId("asset"), byId("horizon")].filter(Boolean);
    const show = async () => {
      const key = pickers.map((picker) => picker.value).join("|");
      const stored = payload.bands[key];
      byId("bands-caption").textContent = stored.caption;
      bands.setAttribute("aria-label", stored.alt);
      await draw(bands, stored, "forecasts-" + key);
    };
    pickers.forEach((picker) => picker.addEventListener("change", show));
    await show();
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => recolour(false));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((node) => { node.open = true; });
    recolour(true);
  });
  window.addEventListener("afterprint", () => recolour(false));
  status.textContent = "";
  document.documentElement.dataset.ready = "yes";
})();
