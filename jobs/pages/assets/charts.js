// Draws the charts of a page: each when it comes into view, with colours by role from the style, so that light and dark work.
// A page holds a chart as JSON beside its sentence and its table, and stays complete without this script.
"use strict";
(() => {
  const plotlyUrl = document.currentScript.dataset.plotly;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Set();
  let loading = null;

  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (role) => variable(`--chart-${role}`) || variable("--text");

  function loadPlotly() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = plotlyUrl;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${plotlyUrl} was not loaded`));
      document.head.append(script);
    });
    return loading;
  }

  function transparent(hex, opacity) {
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${parts.join(",")},${opacity})`;
  }

  function withColours(trace) {
    const { role, fillopacity, ...rest } = trace;
    if (!role) return rest;
    const ink = colour(role);
    const made = { ...rest };
    if (made.fill) made.fillcolor = transparent(ink, fillopacity ?? 0.22);
    if (made.type === "bar") made.marker = { color: ink, ...made.marker };
    else {
      made.line = { color: ink, width: 2, ...made.line };
      made.marker = { color: ink, size: 6, ...made.marker };
    }
    return made;
  }

  // On a narrow page an axis with given labels keeps every second one, or every third and so on: counted from its end.
  function thinned(own, width) {
    if (!own?.ticktext) return own;
    const widest = Math.max(...own.ticktext.map((text) => Math.max(...text.split("<br>").map((line) => line.length))));
    const step = Math.ceil((own.ticktext.length * (widest + 2) * 7) / width);
    const kept = (values) => values.filter((_, i) => (values.length - 1 - i) % step === 0);
    return { ...own, tickvals: kept(own.tickvals), ticktext: kept(own.ticktext) };
  }

  function axis(own) {
    return {
      gridcolor: variable("--grid"), linecolor: variable("--line"), zerolinecolor: variable("--line"),
      automargin: true, fixedrange: true, ...own,
    };
  }

  function withStyle(layout, width) {
    const made = {
      margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: variable("--surface"), plot_bgcolor: variable("--surface"),
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: variable("--text") },
      hovermode: "x unified", legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, dragmode: false,
      hoverlabel: {
        namelength: -1, bgcolor: variable("--surface"), bordercolor: variable("--line"), font: { color: variable("--text") },
      },
      ...layout,
    };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))])) {
      made[name] = axis(thinned(layout[name], width));
      if (name.startsWith("x")) Object.assign(made[name], { spikecolor: variable("--quiet"), spikethickness: 1 });
    }
    made.shapes = (layout.shapes ?? []).map(({ role, ...shape }) =>
      role ? { layer: "below", ...shape, line: { color: colour(role), ...shape.line } } : shape);
    return made;
  }

  async function draw(place) {
    await loadPlotly();
    const { data, layout } = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    await window.Plotly.react(place, data.map(withColours), withStyle(layout, place.clientWidth), { displayModeBar: false, responsive: true });
    drawn.add(place);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((found) => found.isIntersecting)) {
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "200px" });
  document.querySelectorAll(".plot[data-chart]").forEach((place) => seen.observe(place));
  dark.addEventListener("change", () => drawn.forEach(draw));
  // On paper every chart is drawn, also those that were never in view.
  window.addEventListener("beforeprint", () => document.querySelectorAll(".plot[data-chart]").forEach(draw));
})();
