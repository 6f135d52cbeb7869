"use strict";
/* Curves of one column, by plotly, which is loaded after the page is there. */
SR.curves = (() => {
  const { el, byId, chooser, segments, press, tick, load, fixed, plural } = SR.base;
  const { model, state, colours, maths } = SR;
  const withCurves = model.runs.filter((run) => run.curves?.updates?.length);
  const names = [...new Set(withCurves.flatMap((run) => Object.keys(run.curves.columns ?? {})))];
  const timed = withCurves.some((run) => run.curves.seconds);
  let plotly = null;

  /** What the curves lie over; updates where nobody kept the time. */
  const over = () => (timed && state.values.x === "seconds" ? "seconds" : "updates");

  /** plotly reads some HTML in names: what would be a tag or an entity is text. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  const column = () => (names.includes(state.values.column) ? state.values.column : (names.find((name) => name === `val/${model.metrics[0]?.name}`) ?? names.find((name) => name.startsWith("val/")) ?? names[0]));

  /** Weight of the past: what was chosen, or none for validations, which are few, and some for the noise of training. */
  const weight = () => (state.values.smooth === "" ? (column()?.startsWith("val/") ? 0 : 0.6) : Math.min(0.99, Math.max(0, Number(state.values.smooth) || 0)));

  /** Known points of a run: {x, y}, by updates or seconds; null where it has none. */
  function points(run, name, by) {
    const places = by === "seconds" ? run.curves.seconds : run.curves.updates;
    const values = run.curves.columns[name];
    if (!places || !values) return null;
    const kept = values.map((value, index) => index).filter((index) => SR.base.isNumber(values[index]) && SR.base.isNumber(places[index]));
    return kept.length ? { run, x: kept.map((index) => places[index]), y: kept.map((index) => values[index]) } : null;
  }

  /** One entry per line of the picture: a row and its runs' points. */
  function lines(name) {
    const rows = state.values.by === "runs" ? withCurves.map((run) => model.runRows.get(run.id)) : model.groupRows;
    return rows.map((one) => ({ row: one, lines: one.runs.filter((run) => withCurves.includes(run)).map((run) => points(run, name, over())).filter(Boolean) }))
      .filter((each) => each.lines.length);
  }

  function traces(each, past) {
    const { colour, dash } = colours.style(each.row);
    const name = plain(each.row.name);
    const whole = each.lines.length > 1 ? maths.together(each.lines) : each.lines[0];
    const smoothed = past > 0 && whole.x.length > 2;
    const base = { type: "scatter", mode: whole.x.length === 1 ? "markers" : "lines", name, line: { color: colour, dash, width: 2 }, marker: { color: colour, size: 7 } };
    const found = [];
    const line = maths.thin(smoothed ? { x: whole.x, y: maths.smooth(whole.y, past) } : whole);
    if (whole.sd) {
      const middle = smoothed ? maths.smooth(whole.y, past) : whole.y;
      const spread = smoothed ? maths.smooth(whole.sd, past) : whole.sd;
      found.push(band(whole.x, middle, spread, colour));
    }
    if (smoothed) {
      found.push({ ...base, ...maths.thin(whole), line: { color: colour, width: 1 }, opacity: 0.28, hoverinfo: "skip" });
    }
    found.push({ ...base, ...line, hovertemplate: `%{y:.5~g}<extra>${name}</extra>` });
    return found;
  }

  /** Mean ± deviation as a faint area. */
  function band(x, y, sd, colour) {
    const up = y.map((value, index) => value + sd[index]);
    const down = y.map((value, index) => value - sd[index]);
    return { type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], y: [...up, ...down.reverse()], fill: "toself", fillcolor: colour, opacity: 0.18, line: { width: 0 }, hoverinfo: "skip" };
  }

  /** Bicubic's value of a validation column as a dashed line, once for each value. */
  function bicubic(name, each) {
    const metric = name.replace(/^val\//, "");
    const rows = name.startsWith("val/") ? model.bicubicRows.filter((one) => SR.base.isNumber(one.values[metric])) : [];
    const shown = new Set(each.flatMap((one) => one.row.runs.map((run) => run.on)));
    const last = Math.max(...each.flatMap((one) => one.lines.map((line) => line.x.at(-1))));
    return rows.filter((one) => shown.has(one.on)).map((one) => ({
      type: "scatter", mode: "lines", x: [0, last], y: [one.values[metric], one.values[metric]], name: one.name,
      line: { color: colours.value("--muted"), dash: "dash", width: 1.5 }, hovertemplate: `%{y:.5~g}<extra>${one.name}</extra>`,
    }));
  }

  /** Crosses where runs exploded; on their own lines, also where these are part of a group. */
  function explosions(each) {
    const { colour } = colours.style(each.row);
    const crosses = each.lines.flatMap((line) => (line.run.events ?? []).filter((event) => SR.base.isNumber(event.updates)).map((event) => {
      const [y] = maths.interpolate(line.x, line.y, [event.updates]);
      return { x: event.updates, y, text: plain(`${line.run.name}: ${event.what}`) };
    })).filter((cross) => cross.y !== null);
    if (!crosses.length || over() === "seconds") return [];
    return [{ type: "scatter", mode: "markers", x: crosses.map((one) => one.x), y: crosses.map((one) => one.y), text: crosses.map((one) => one.text),
      name: "explosion", line: {}, marker: { symbol: "x", size: 10, color: colour, line: { width: 1, color: colours.value("--raised") } }, hovertemplate: "%{text}<extra></extra>" }];
  }

  function layout(name) {
    const ink = colours.value("--ink");
    const rule = colours.value("--rule");
    const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, color: colours.value("--muted"), automargin: true };
    return {
      xaxis: { ...axis, title: { text: over() === "seconds" ? "seconds of training" : "updates", standoff: 8 } },
      yaxis: { ...axis, title: { text: plain(name), standoff: 8 }, type: state.values.log ? "log" : "linear" },
      font: { family: "system-ui, sans-serif", size: 12, color: ink }, hovermode: "closest", showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 56, r: 12, t: 10, b: 44 },
      hoverlabel: { bgcolor: colours.value("--raised"), bordercolor: rule, font: { color: ink } }, uirevision: `${name} ${over()} ${state.values.log}`,
    };
  }

  function draw() {
    const name = column();
    if (!name) return;
    const off = new Set(state.list("off"));
    const all = lines(name);
    legend(all, off, name);
    note(all, name);
    if (!plotly) return;
    const shown = all.filter((each) => !off.has(each.row.key));
    const data = shown.flatMap((each) => traces(each, weight()));
    data.push(...shown.flatMap(explosions));
    if (shown.length && !off.has("bicubic")) data.push(...bicubic(name, shown));
    plotly.react("plot", data, layout(name), { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false });
    byId("plot").setAttribute("aria-label", `${name} over ${over()}: ${shown.map((each) => each.row.name).join(", ")}`);
  }

  function note(all, name) {
    const missing = (state.values.by === "runs" ? model.runs.length : model.groupRows.length) - all.length;
    const parts = [];
    if (missing) parts.push(`${plural(missing, state.values.by === "runs" ? "run" : "group")} without ${name}${over() === "seconds" ? " over seconds" : ""}.`);
    const values = all.flatMap((each) => each.lines.flatMap((line) => line.y));
    if (state.values.log && values.length && !values.some((value) => value > 0)) parts.push("No value is above 0, so that a logarithmic axis shows nothing.");
    else if (state.values.log && values.some((value) => value <= 0)) parts.push("Values of 0 and below are left out by the logarithmic axis.");
    if (all.some((each) => each.lines.length > 1)) parts.push("A band is ± one sample standard deviation of the seeds.");
    if (plotly && all.some((each) => each.lines.some((line) => line.run.events?.length)) && over() !== "seconds") parts.push("✕ marks an explosion.");
    if (!plotly && !byId("plot").dataset.missing) parts.push("Drawing …");
    else if (plotly) parts.push("Drag in it to enlarge, double-click for all.");
    byId("curve-note").textContent = [byId("plot").dataset.missing, ...parts].filter(Boolean).join(" ");
  }

  function legend(all, off, name) {
    const held = document.activeElement?.dataset?.line;
    const entry = (key, title, swatch) => el("button", { type: "button", class: "entry", "data-line": key, "aria-pressed": String(!off.has(key)),
      title: "Show or hide this line; with Alt only this one", click: (event) => switchLine(key, all, event.altKey) }, swatch, el("span", { class: "clip", text: title }));
    const entries = all.map((each) => entry(each.row.key, each.row.name, colours.swatch(each.row)));
    const metric = name.replace(/^val\//, "");
    if (name.startsWith("val/") && model.bicubicRows.some((one) => SR.base.isNumber(one.values[metric])))
      entries.push(entry("bicubic", "bicubic", colours.swatch(model.bicubicRows[0])));
    byId("legend").replaceChildren(...entries);
    if (held) byId("legend").querySelector(`[data-line="${CSS.escape(held)}"]`)?.focus();
  }

  function switchLine(key, all, alone) {
    if (!alone) state.toggle("off", key);
    else state.set({ off: all.map((each) => each.row.key).filter((one) => one !== key).join(",") });
  }

  function controls() {
    const groups = new Map();
    for (const name of names) {
      const head = name.includes("/") ? name.slice(0, name.indexOf("/")) : "other";
      groups.set(head, [...(groups.get(head) ?? []), [name, name]]);
    }
    const told = el("output", { id: "smooth-value", text: fixed(weight(), 2) });
    const range = el("input", { type: "range", id: "smooth", min: 0, max: 0.99, step: 0.01, value: weight(), "aria-label": "Smoothing",
      input: (event) => state.set({ smooth: event.target.value }, { later: true }) });
    byId("curve-controls").append(
      chooser("Column", [...groups], column(), (value) => state.set({ column: value }), { id: "column" }),
      ...(timed ? [segments("Over", [["updates", "Updates"], ["seconds", "Seconds"]], over(), (x) => state.set({ x }))] : []),
      ...(model.groupRows.some((one) => one.kind === "group") ? [segments("One line per", [["groups", "Groups"], ["runs", "Runs"]], state.values.by, (by) => state.set({ by }))] : []),
      el("label", { class: "field" }, el("span", { text: "Smoothing" }), range, told),
      tick("Log axis", Boolean(state.values.log), (on) => state.set({ log: on ? "1" : "" }), { id: "log" }));
  }

  function follow() {
    const box = byId("curve-controls");
    for (const group of box.querySelectorAll(".segments")) press(group, group.getAttribute("aria-label") === "Over" ? over() : state.values.by);
    byId("column").value = column();
    byId("smooth").value = String(weight());
    byId("smooth-value").textContent = fixed(weight(), 2);
    byId("log").checked = Boolean(state.values.log);
  }

  async function fetchPlotly() {
    try {
      await load("plotly.min.js");
      plotly = window.Plotly;
    } catch {
      byId("plot").dataset.missing = "Curves are drawn by plotly.min.js, which is missing beside this page: copy the whole report folder, or make the report again.";
    }
    draw();
  }

  /** Once: when the curves come near, or when the reader has had time to see the table. */
  function whenWanted(act) {
    const watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) begin(); }, { rootMargin: "200px" });
    const timer = setTimeout(begin, 2000);
    function begin() {
      watch.disconnect();
      clearTimeout(timer);
      act();
    }
    watch.observe(byId("plot"));
  }

  function start() {
    if (!names.length) {
      byId("plot").remove();
      byId("curve-note").className = "empty";
      byId("curve-note").textContent = "No run of this report has curves: none wrote a metrics.csv with a number in it.";
      return;
    }
    controls();
    draw();
    state.on(["column", "x", "by", "smooth", "log", "off", "theme"], draw);
    state.on(["column", "x", "by", "log", "smooth"], follow);
    whenWanted(fetchPlotly);
  }

  return { start, draw, count: names.length };
})();
