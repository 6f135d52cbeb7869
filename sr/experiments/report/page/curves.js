"use strict";
/* Curves of one column, by plotly, which is loaded after the page is there. */
SR.curves = (() => {
  const { el, byId, chooser, segments, press, tick, load, fixed, plural } = SR.base;
  const { model, state, colours, lines } = SR;
  const { names, timed, over, plain } = lines;
  const byFinger = matchMedia("(pointer: coarse)").matches;
  let plotly = null;

  const column = () =>
    names.includes(state.values.column)
      ? state.values.column
      : (names.find((name) => name === `val/${model.metrics[0]?.name}`) ??
        names.find((name) => name.startsWith("val/")) ??
        names[0]);

  /** Weight of the past: what was chosen; else none for validations, which are few, and some for noisy training. */
  const weight = () =>
    state.values.smooth === ""
      ? column()?.startsWith("val/")
        ? 0
        : 0.6
      : Math.min(0.99, Math.max(0, Number(state.values.smooth) || 0));

  function layout(name) {
    const ink = colours.value("--ink");
    const rule = colours.value("--rule");
    const axis = {
      gridcolor: rule,
      zerolinecolor: rule,
      linecolor: rule,
      color: colours.value("--muted"),
      automargin: true,
    };
    return {
      xaxis: { ...axis, title: { text: over() === "seconds" ? "seconds of training" : "updates", standoff: 8 } },
      yaxis: { ...axis, title: { text: plain(name), standoff: 8 }, type: state.values.log ? "log" : "linear" },
      font: { family: "system-ui, sans-serif", size: 12, color: ink },
      hovermode: "closest",
      dragmode: byFinger ? false : "zoom", // a finger scrolls the page
      showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 56, r: 12, t: 10, b: 44 },
      hoverlabel: { bgcolor: colours.value("--raised"), bordercolor: rule, font: { color: ink } },
      uirevision: `${name} ${over()} ${state.values.log}`,
    };
  }

  function draw() {
    const name = column();
    if (!name) return;
    const off = new Set(state.list("off"));
    const all = lines.of(name);
    legend(all, off, name);
    note(all, name);
    if (!plotly) return;
    const shown = all.filter((each) => !off.has(each.row.key));
    const data = shown.flatMap((each) => lines.traces(each, weight()));
    data.push(...shown.flatMap(lines.explosions));
    if (shown.length && !off.has("bicubic")) data.push(...lines.bicubic(name, shown));
    plotly.react("plot", data, layout(name), {
      responsive: true,
      displaylogo: false,
      displayModeBar: false,
      scrollZoom: false,
    });
    byId("plot").setAttribute("aria-label", `${name} over ${over()}: ${shown.map((each) => each.row.name).join(", ")}`);
  }

  /** What a logarithmic axis cannot show; empty where it shows all. */
  function unshown(all) {
    if (!state.values.log) return "";
    const values = all.flatMap((each) => each.lines.flatMap((line) => line.y));
    if (!values.some((value) => value <= 0)) return "";
    return values.some((value) => value > 0)
      ? "Values of 0 and below are left out by the logarithmic axis."
      : "No value is above 0, so that a logarithmic axis shows nothing.";
  }

  function note(all, name) {
    const word = state.values.by === "runs" ? "run" : "group";
    const asked = lines.rows();
    const count = asked.reduce((sum, each) => sum + each.runs.length, 0);
    const missing = asked.length - all.length;
    const lost = byId("plot").dataset.missing;
    const exploded = over() === "updates" && all.some((each) => each.lines.some((line) => line.run.events?.length));
    const parts = [
      lost,
      count < model.runs.length && `The table's filter leaves ${count} of ${plural(model.runs.length, "run")}.`,
      missing && `${plural(missing, word)} without ${name}${over() === "seconds" ? " over seconds" : ""}.`,
      unshown(all),
      all.some((each) => each.lines.length > 1) && "A band is ± one sample standard deviation of the seeds.",
      plotly && exploded && "✕ marks an explosion.",
      !plotly && !lost && "Drawing …",
      plotly && !byFinger && "Drag in it to enlarge, double-click for all.",
    ];
    byId("curve-note").textContent = parts.filter(Boolean).join(" ");
  }

  function legend(all, off, name) {
    const held = document.activeElement?.dataset?.line;
    const entry = (key, title, swatch) =>
      el(
        "button",
        {
          type: "button",
          class: "entry",
          "data-line": key,
          "aria-pressed": String(!off.has(key)),
          title: "Show or hide this line; with Alt only this one",
          click: (event) => switchLine(key, all, event.altKey),
        },
        swatch,
        el("span", { class: "clip", text: title }),
      );
    const entries = all.map((each) => entry(each.row.key, each.row.name, colours.swatch(each.row)));
    const metric = name.replace(/^val\//, "");
    if (name.startsWith("val/") && model.bicubicRows.some((one) => SR.base.isNumber(one.values[metric])))
      entries.push(entry("bicubic", model.bicubicRows.length > 1 ? "bicubic" : model.bicubicRows[0].name, colours.swatch(model.bicubicRows[0])));
    byId("legend").replaceChildren(...entries);
    if (held)
      byId("legend")
        .querySelector(`[data-line="${CSS.escape(held)}"]`)
        ?.focus();
  }

  function switchLine(key, all, alone) {
    if (!alone) state.toggle("off", key);
    else
      state.set({
        off: all
          .map((each) => each.row.key)
          .filter((one) => one !== key)
          .join(","),
      });
  }

  function controls() {
    const groups = new Map();
    for (const name of names) {
      const head = name.includes("/") ? name.slice(0, name.indexOf("/")) : "other";
      groups.set(head, [...(groups.get(head) ?? []), [name, name]]);
    }
    const told = el("output", { id: "smooth-value", text: fixed(weight(), 2) });
    const range = el("input", {
      type: "range",
      id: "smooth",
      min: 0,
      max: 0.99,
      step: 0.01,
      value: weight(),
      "aria-label": "Smoothing",
      input: (event) => state.set({ smooth: event.target.value }, { later: true }),
    });
    byId("curve-controls").append(
      chooser("Column", [...groups], column(), (value) => state.set({ column: value }), { id: "column" }),
      ...(timed
        ? [
            segments(
              "Over",
              [
                ["updates", "Updates"],
                ["seconds", "Seconds"],
              ],
              over(),
              (x) => state.set({ x }),
            ),
          ]
        : []),
      ...(model.groupRows.some((one) => one.kind === "group")
        ? [
            segments(
              "One line per",
              [
                ["groups", "Groups"],
                ["runs", "Runs"],
              ],
              state.values.by,
              (by) => state.set({ by }),
            ),
          ]
        : []),
      el("label", { class: "field" }, el("span", { text: "Smoothing" }), range, told),
      tick("Log axis", Boolean(state.values.log), (on) => state.set({ log: on ? "1" : "" }), { id: "log" }),
    );
  }

  function follow() {
    const box = byId("curve-controls");
    for (const group of box.querySelectorAll(".segments"))
      press(group, group.getAttribute("aria-label") === "Over" ? over() : state.values.by);
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
      byId("plot").dataset.missing =
        "Curves are drawn by plotly.min.js, which is missing beside this page: " +
        "copy the whole report folder, or make the report again.";
    }
    draw();
  }

  /** Once: when the curves come near, or when the reader has had time to see the table. */
  function whenWanted(act) {
    const watch = new IntersectionObserver(
      (seen) => {
        if (seen.some((one) => one.isIntersecting)) begin();
      },
      { rootMargin: "200px" },
    );
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
      byId("curve-note").textContent =
        "No run of this report has curves: none wrote a metrics.csv with a number in it.";
      return;
    }
    controls();
    draw();
    state.on(["column", "x", "by", "smooth", "log", "off", "theme", "filter", "at"], draw);
    state.on(["column", "x", "by", "log", "smooth"], follow);
    whenWanted(fetchPlotly);
  }

  return { start, draw, count: names.length };
})();
