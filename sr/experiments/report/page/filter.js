"use strict";
/* What is typed above the table: words that a run holds, and key=value, !=, <, > of a column. */
SR.filter = (() => {
  const { columns, of } = SR.model;

  /** Words between spaces; quotes keep spaces together. */
  const split = (text) => [...text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)].map((found) => found[0].replaceAll('"', ""));

  /** The column that a name or the end of a dotted name means; null for none. */
  function columnOf(key) {
    const wanted = key.toLowerCase();
    if (wanted === "name" || wanted === "state" || wanted === "folder") return { id: wanted, kind: "plain" };
    const labelled = columns.map((column) => [column, column.label.toLowerCase()]);
    const found =
      labelled.find(([column, label]) => label === wanted || column.id === wanted) ??
      labelled.find(([, label]) => label.endsWith(`.${wanted}`) || label.endsWith(`/${wanted}`));
    return found ? found[0] : null;
  }

  const OPERATIONS = {
    "=": (value, wanted) => value !== "" && (value === wanted || wanted.split(",").includes(value)),
    "!=": (value, wanted) => value !== wanted && !wanted.split(",").includes(value),
    "<": (value, wanted) => value !== "" && Number(value) < Number(wanted),
    ">": (value, wanted) => value !== "" && Number(value) > Number(wanted),
  };

  /** One word as a test of a run: {test} or {problem}. */
  function part(word) {
    const [, key, sign, wanted] = /^([^=!<>]+)(!=|=|<|>)(.*)$/.exec(word) ?? [];
    if (!sign) {
      const text = word.toLowerCase();
      return { test: (run) => textOf(run).includes(text) };
    }
    const column = columnOf(key);
    if (!column)
      return {
        problem:
          `No column is called “${key}”. ` + `There are ${columns.map((one) => one.label).join(", ")}, name and state.`,
      };
    if (wanted === "") return {};
    const compare = OPERATIONS[sign];
    const value = (run, at) => (column.kind === "plain" ? run[column.id] : of(run, column, at)) ?? "";
    return { test: (run, at) => compare(plain(value(run, at)), plain(wanted)) };
  }

  /** 0.0001, 1e-4 and 1E-4 are one number. */
  function plain(value) {
    const text = String(value).toLowerCase();
    return text !== "" && Number.isFinite(Number(text)) ? String(Number(text)) : text;
  }

  function textOf(run) {
    const settings = Object.entries(run.settings ?? {}).map(([key, value]) => `${key}=${value}`);
    return [run.name, run.folder, run.state, run.sentence, ...settings].join("\n").toLowerCase();
  }

  /** All of what was typed: {passes(run, at), problem}. */
  function parse(text) {
    const parts = split(text).map(part);
    const tests = parts.map((one) => one.test).filter(Boolean);
    return {
      passes: (run, at) => tests.every((test) => test(run, at)),
      problem: parts.map((one) => one.problem).find(Boolean) ?? "",
      any: tests.length > 0,
    };
  }

  return { parse };
})();
