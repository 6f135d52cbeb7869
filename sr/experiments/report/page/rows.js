"use strict";
/* Which rows and columns the table shows, and in which order. */
SR.rows = (() => {
  const { model, state } = SR;
  const NAME = { id: "name", label: "run", kind: "plain" };
  const STATE = { id: "state", label: "state", kind: "plain" };

  /** The rows to show: {tops, below, filter}; a group holds those of its runs that pass the filter. */
  function chosen(at) {
    const filter = SR.filter.parse(state.values.filter);
    const open = new Set(state.list("open"));
    const below = new Map();
    const tops = [];
    for (const one of state.values.flat ? model.runs.map((run) => model.runRows.get(run.id)) : model.groupRows) {
      const runs = one.runs.filter((run) => filter.passes(run, at));
      if (!runs.length) continue;
      tops.push(runs.length === one.runs.length ? one : { ...one, runs, part: true });
      if (one.kind === "group" && open.has(one.key))
        below.set(
          one.key,
          runs.map((run) => model.runRows.get(run.id)),
        );
    }
    return { tops, below, filter };
  }

  /** Columns with something to say about these rows. */
  function visible(tops, at) {
    const runs = tops.flatMap((one) => one.runs);
    return model.columns.filter((column) => {
      if (column.id === "best_updates" && at !== "best") return false;
      const found = new Set(runs.map((run) => model.of(run, column, at)));
      if (!found.size || (found.size === 1 && found.has(null))) return false;
      if (state.values.all) return true;
      if (column.id === "recoveries") return [...found].some(Boolean);
      return (column.kind !== "setting" && column.kind !== "fact") || model.differs(column, runs);
    });
  }

  /** Those with nothing to sort by come last, whichever way. */
  function sorted(rows, at) {
    const { id, down } = order();
    const column = [NAME, STATE, ...model.columns].find((one) => one.id === id);
    if (!column) return rows;
    const keyed = rows.map((one) => [one, model.sortValue(one, column, at)]);
    const known = keyed.filter(([, value]) => value !== null && value !== "");
    known.sort(([, a], [, b]) => (down ? -1 : 1) * compare(a, b));
    return [...known, ...keyed.filter((pair) => !known.includes(pair))].map(([one]) => one);
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b, undefined, { numeric: true });
  }

  /** The column that is sorted by, and which way. */
  function order() {
    const text = state.values.sort;
    return { id: text.replace(/^-/, ""), down: text.startsWith("-") };
  }

  return { NAME, STATE, chosen, visible, sorted, order };
})();
