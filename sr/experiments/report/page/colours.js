"use strict";
/* One colour and dash for each group or run, the same all over the page. */
SR.colours = (() => {
  const DASHES = [
    ["solid", ""],
    ["dash", "7 4"],
    ["dot", "2 3"],
    ["dashdot", "7 3 2 3"],
    ["longdash", "11 4"],
  ];
  const COLOURS = 8;
  const { model, state } = SR;

  /** Place of a row or run among the lines, by what the lines are. */
  function place(one) {
    const run = one.runs[0];
    if (state.values.by === "runs") return model.runs.indexOf(run);
    const index = one.group ?? run.group;
    return index === null || index === undefined ? model.runs.indexOf(run) : index;
  }

  /** {colour, dash} of a row; null for what has no line of its own. */
  function style(one) {
    if (one.kind === "bicubic") return { colour: value("--muted"), dash: "dash", array: "7 4" };
    if (one.kind === "group" && state.values.by === "runs") return null;
    const index = Math.max(0, place(one));
    const [dash, array] = DASHES[Math.floor(index / COLOURS) % DASHES.length];
    return { colour: value(`--line-${index % COLOURS}`), variable: `var(--line-${index % COLOURS})`, dash, array };
  }

  /** A custom property of the style sheet, in the light or dark that is shown. */
  const value = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** A short stroke that shows colour and dash. */
  function swatch(one) {
    const found = style(one);
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    box.setAttribute("class", "swatch");
    box.setAttribute("viewBox", "0 0 22 8");
    box.setAttribute("aria-hidden", "true");
    if (!found) return box;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, at] of Object.entries({ x1: 0, x2: 22, y1: 4, y2: 4, "stroke-dasharray": found.array }))
      line.setAttribute(name, at);
    line.style.stroke = found.variable ?? "var(--muted)";
    box.append(line);
    return box;
  }

  return { style, swatch, value };
})();
