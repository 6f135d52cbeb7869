"use strict";
/* Lines of one column of the runs' curves, as plotly takes them. */
SR.lines = (() => {
  const { model, state, colours, maths } = SR;
  const { isNumber } = SR.base;
  const withCurves = model.runs.filter((run) => run.curves?.updates?.length);
  const names = [...new Set(withCurves.flatMap((run) => Object.keys(run.curves.columns ?? {})))];
  const timed = withCurves.some((run) => run.curves.seconds);

  /** What the curves lie over; updates where nobody kept the time. */
  const over = () => (timed && state.values.x === "seconds" ? "seconds" : "updates");

  /** plotly reads some HTML in names: what would be a tag or an entity is text. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  /** Known points of a run: {x, y}, by updates or seconds; null where it has none. */
  function points(run, name, by) {
    const places = by === "seconds" ? run.curves.seconds : run.curves.updates;
    const values = run.curves.columns[name];
    if (!places || !values) return null;
    const kept = values
      .map((value, index) => index)
      .filter((index) => isNumber(values[index]) && isNumber(places[index]));
    return kept.length ? { run, x: kept.map((index) => places[index]), y: kept.map((index) => values[index]) } : null;
  }

  /** Rows that a line is wanted for: those of the table's filter, with the runs that pass it. */
  function rows() {
    const filter = SR.filter.parse(state.values.filter);
    const every = state.values.by === "runs" ? model.runs.map((run) => model.runRows.get(run.id)) : model.groupRows;
    return every
      .map((row) => ({ row, runs: row.runs.filter((run) => filter.passes(run, state.values.at)) }))
      .filter((each) => each.runs.length);
  }

  /** One entry per line of the picture: a row and its runs' points. */
  function of(name) {
    return rows()
      .map(({ row, runs }) => ({
        row,
        lines: runs
          .filter((run) => withCurves.includes(run))
          .map((run) => points(run, name, over()))
          .filter(Boolean),
      }))
      .filter((each) => each.lines.length);
  }

  /** A row's line, smoothed by the weight of the past, with its band and what was not smoothed. */
  function traces(each, past) {
    const { colour, dash } = colours.style(each.row);
    const name = plain(each.row.name);
    const whole = each.lines.length > 1 ? maths.together(each.lines) : each.lines[0];
    const smoothed = past > 0 && whole.x.length > 2;
    const base = {
      type: "scatter",
      mode: whole.x.length === 1 ? "markers" : "lines",
      name,
      line: { color: colour, dash, width: 2 },
      marker: { color: colour, size: 7 },
    };
    const found = [];
    const line = maths.thin(smoothed ? { x: whole.x, y: maths.smooth(whole.y, past) } : whole);
    if (whole.sd) {
      const middle = smoothed ? maths.smooth(whole.y, past) : whole.y;
      const spread = smoothed ? maths.smooth(whole.sd, past) : whole.sd;
      found.push(band(whole.x, middle, spread, colour));
    }
    if (smoothed) {
      found.push({
        ...base,
        ...maths.thin(whole),
        line: { color: colour, width: 1 },
        opacity: 0.28,
        hoverinfo: "skip",
      });
    }
    found.push({ ...base, ...line, hovertemplate: `%{y:.5~g}<extra>${name}</extra>` });
    return found;
  }

  /** Mean ± deviation as a faint area. */
  function band(x, y, sd, colour) {
    const up = y.map((value, index) => value + sd[index]);
    const down = y.map((value, index) => value - sd[index]);
    return {
      type: "scatter",
      mode: "lines",
      x: [...x, ...[...x].reverse()],
      y: [...up, ...down.reverse()],
      fill: "toself",
      fillcolor: colour,
      opacity: 0.18,
      line: { width: 0 },
      hoverinfo: "skip",
    };
  }

  /** Bicubic's value of a validation column as a dashed line, once for each value. */
  function bicubic(name, each) {
    const metric = name.replace(/^val\//, "");
    const rows = name.startsWith("val/") ? model.bicubicRows.filter((one) => isNumber(one.values[metric])) : [];
    const shown = new Set(each.flatMap((one) => one.row.runs.map((run) => run.on)));
    const last = Math.max(...each.flatMap((one) => one.lines.map((line) => line.x.at(-1))));
    return rows
      .filter((one) => shown.has(one.on))
      .map((one) => ({
        type: "scatter",
        mode: "lines",
        x: [0, last],
        y: [one.values[metric], one.values[metric]],
        name: one.name,
        line: { color: colours.value("--muted"), dash: "dash", width: 1.5 },
        hovertemplate: `%{y:.5~g}<extra>${one.name}</extra>`,
      }));
  }

  /** Crosses where runs exploded; on their own lines, also where these are part of a group. */
  function explosions(each) {
    const { colour } = colours.style(each.row);
    const crosses = each.lines
      .flatMap((line) =>
        (line.run.events ?? [])
          .filter((event) => isNumber(event.updates))
          .map((event) => {
            const [y] = maths.interpolate(line.x, line.y, [event.updates]);
            return { x: event.updates, y, text: plain(`${line.run.name}: ${event.what}`) };
          }),
      )
      .filter((cross) => cross.y !== null);
    if (!crosses.length || over() === "seconds") return [];
    return [
      {
        type: "scatter",
        mode: "markers",
        x: crosses.map((one) => one.x),
        y: crosses.map((one) => one.y),
        text: crosses.map((one) => one.text),
        name: "explosion",
        line: {},
        marker: { symbol: "x", size: 10, color: colour, line: { width: 1, color: colours.value("--raised") } },
        hovertemplate: "%{text}<extra></extra>",
      },
    ];
  }

  return { names, timed, over, plain, rows, of, traces, bicubic, explosions };
})();
