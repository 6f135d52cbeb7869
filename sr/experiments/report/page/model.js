"use strict";
/* The report's data as rows and columns: runs, groups of seeds and bicubic, each with its numbers. */
SR.model = (() => {
  const report = window.REPORT ?? {};
  const runs = report.runs ?? [];
  const metrics = report.metrics ?? [];
  const pictures = report.pictures ?? [];
  const comparisons = report.comparisons ?? [];
  const byId = new Map(runs.map((run) => [run.id, run]));
  const groups = (report.groups ?? [])
    .map((group, index) => ({
      index,
      name: group.name,
      runs: group.runs.map((id) => byId.get(id)).filter(Boolean),
    }))
    .filter((group) => group.runs.length);
  const alone = runs.filter((run) => !groups.some((group) => group.runs.includes(run)));

  const settingNames = [...new Set(runs.flatMap((run) => Object.keys(run.settings ?? {})))];

  /** Runs whose settings are known; failed ones may have none, and foreign ones have others. */
  const configured = runs.filter((run) => run.state !== "foreign" && Object.keys(run.settings ?? {}).length);

  /** Is a column not the same in all of these runs, as far as that is known? */
  function differs(column, some) {
    const counted =
      column.kind === "setting"
        ? some.filter((run) => configured.includes(run))
        : some.filter((run) => of(run, column, "final") !== null);
    return new Set(counted.map((run) => of(run, column, "final"))).size > 1;
  }

  const first = (values) => values.find((value) => value !== null && value !== undefined) ?? null;
  const row = (key, kind, name, members, more = {}) => ({
    key,
    kind,
    name,
    runs: members,
    on: first(members.map((run) => run.on)),
    group: null,
    ...more,
  });

  const groupRows = [
    ...groups.map((group) =>
      group.runs.length === 1
        ? row(`g${group.index}`, "run", group.runs[0].name, group.runs, { group: group.index })
        : row(`g${group.index}`, "group", group.name, group.runs, { group: group.index }),
    ),
    ...alone.map((run) => row(`r${run.id}`, "run", run.name, [run])),
  ];
  const singles = new Map(groupRows.filter((one) => one.kind === "run").map((one) => [one.runs[0].id, one]));
  const runRows = new Map(
    runs.map((run) => [run.id, singles.get(run.id) ?? row(`r${run.id}`, "run", run.name, [run])]),
  );
  /** Runs measured on these pictures translate between two sides: pictures are brought back, and nothing is enlarged. */
  const translations = new Set(
    pictures.filter((one) => Object.values(one.runs ?? {}).some((run) => run.back)).map((one) => one.on),
  );
  const isTranslated = (on) => translations.has(on);
  const bicubicRows = bicubics();
  const rows = new Map([...groupRows, ...runRows.values(), ...bicubicRows].map((one) => [one.key, one]));

  /** Bicubic's numbers, once for each set of pictures that runs were measured on. */
  function bicubics() {
    const found = new Map();
    for (const run of runs) {
      if (run.on === null || run.on === undefined || !Object.keys(run.bicubic ?? {}).length) continue;
      const { values, scale } = found.get(run.on) ?? {};
      found.set(run.on, { values: { ...run.bicubic, ...values }, scale: scale ?? run.scale });
    }
    return [...found].map(([on, { values, scale }]) => {
      const many = found.size > 1 ? `bicubic ×${scale ?? "?"}` : "bicubic";
      return row(`b${on}`, "bicubic", isTranslated(on) ? "untranslated" : many, [], { on, values, scale });
    });
  }

  /** Columns that every table has: id, label, how it is read, and whether more is better (1), worse (-1) or neither. */
  const NUMBERS = [
    { id: "updates", label: "updates", better: 0, digits: 0 },
    { id: "best_updates", label: "best at", better: 0, digits: 0, title: "updates at the best validation" },
    { id: "seconds", label: "time", better: 0, digits: 0, time: true, title: "of training" },
    { id: "pictures_per_second", label: "pictures/s", better: 1, digits: 1 },
    { id: "parameters", label: "parameters", better: 0, digits: 0 },
    { id: "recoveries", label: "recoveries", better: -1, digits: 0, title: "explosions that were undone" },
  ];

  const columns = [
    ...metrics.map((metric) => ({ id: `m:${metric.name}`, label: metric.name, kind: "metric", ...metric })),
    ...settingNames.map((name) => ({ id: `s:${name}`, label: name, kind: "setting", name })),
    { id: "scale", label: "scale", kind: "fact", better: 0, digits: 0 },
    { id: "seed", label: "seed", kind: "fact", better: 0, digits: 0 },
    ...NUMBERS.map((column) => ({ ...column, kind: "number" })),
  ];

  /** A run's own word or number in a column; null where it has none. */
  function of(run, column, at) {
    if (column.kind === "setting") return run.settings?.[column.name] ?? null;
    if (column.kind === "metric") return run[at]?.[column.name] ?? null;
    const value = run[column.id] ?? null;
    return column.id === "best_updates" && value < 0 ? null : value; // before the first validation
  }

  /** A row's number in a column: mean, sd, n over its runs that were measured on the same pictures. */
  function number(one, column, at) {
    if (one.kind === "bicubic") {
      const value = column.kind === "metric" ? one.values[column.name] : column.id === "scale" ? one.scale : null;
      return SR.maths.spread([value ?? null]);
    }
    const counted = column.kind === "metric" ? one.runs.filter((run) => (run.on ?? null) === one.on) : one.runs;
    return SR.maths.spread(counted.map((run) => of(run, column, at)));
  }

  /** The words of a row's setting, one after the other where its runs differ. */
  function words(one, column) {
    const found = [
      ...new Set(
        one.runs
          .map((run) => of(run, column, "final"))
          .filter((value) => value !== null)
          .map(String),
      ),
    ];
    return found.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).join(", ");
  }

  /** What a column sorts a row by. */
  function sortValue(one, column, at) {
    if (column.id === "name") return one.name;
    if (column.id === "state") return one.runs.map((run) => run.state).join(" ");
    if (column.kind !== "setting") return number(one, column, at).mean;
    const text = words(one, column);
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text || null;
  }

  /** Are the numbers of two rows of the same pictures? */
  const comparable = (one, other) => one.on !== null && one.on === other.on;

  /** What chance has to do with the difference of two groups' final values: words and interval, read from `base`. */
  function chance(one, base, metric) {
    if (one.group === null || base.group === null) return null;
    const [a, b] = [one.group, base.group].sort((left, right) => left - right);
    const found = comparisons.find((each) => each.a === a && each.b === b && each.metric === metric);
    if (!found) return null;
    if (base.group === a) return found;
    return { ...found, difference: -found.difference, low: -found.high, high: -found.low };
  }

  const scaleOf = (one) => one.scale ?? first(one.runs.map((run) => run.scale));

  return {
    report,
    runs,
    groups,
    metrics,
    pictures,
    isTranslated,
    columns,
    settingNames,
    byId,
    groupRows,
    runRows,
    bicubicRows,
    rows,
    of,
    differs,
    number,
    words,
    sortValue,
    comparable,
    chance,
    scaleOf,
  };
})();
