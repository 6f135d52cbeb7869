"use strict";
/* What the reader has chosen. It lies in the page's address, so that a reload or a link shows the same. */
SR.state = (() => {
  const DEFAULTS = {
    theme: "system",
    at: "final",
    sort: "",
    filter: "",
    all: "",
    flat: "",
    base: "",
    open: "",
    run: "",
    column: "",
    x: "updates",
    smooth: "",
    by: "groups",
    log: "",
    off: "",
    pic: "",
    a: "",
    b: "",
    ha: "",
    hb: "",
    mode: "slider",
    slide: "50",
    zoom: "",
    cx: "",
    cy: "",
    gain: "8",
    mark: "",
    grid: "",
    gridsize: "whole",
  };
  const values = { ...DEFAULTS };
  const listeners = [];
  let waiting = null;

  function read() {
    const found = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(DEFAULTS)) values[key] = found.get(key) ?? DEFAULTS[key];
  }

  function write() {
    clearTimeout(waiting);
    waiting = null;
    const kept = new URLSearchParams();
    for (const [key, value] of Object.entries(values)) if (value !== DEFAULTS[key]) kept.set(key, value);
    const hash = `#${kept}`;
    if (hash === (location.hash || "#")) return;
    try {
      history.replaceState(null, "", hash);
    } catch {
      location.replace(hash);
    }
  }

  /** Change some values and tell who listens. `later`: for what changes many times a second. */
  function set(changes, { later = false } = {}) {
    const changed = Object.keys(changes).filter((key) => values[key] !== String(changes[key]));
    if (!changed.length) return;
    for (const key of changed) values[key] = String(changes[key]);
    if (!later) write();
    else waiting ??= setTimeout(write, 200);
    tell(changed);
  }

  function tell(changed) {
    for (const { keys, act } of listeners) if (keys.some((key) => changed.includes(key))) act(changed);
  }

  /** Call `act` when one of these values changes. */
  const on = (keys, act) => listeners.push({ keys, act });

  const list = (key) => (values[key] ? values[key].split(",") : []);

  /** Put a word into a list, or take it out. */
  function toggle(key, word) {
    const words = list(key);
    set({ [key]: (words.includes(word) ? words.filter((one) => one !== word) : [...words, word]).join(",") });
  }

  addEventListener("hashchange", () => {
    const before = { ...values };
    read();
    tell(Object.keys(DEFAULTS).filter((key) => before[key] !== values[key]));
  });
  addEventListener("pagehide", write);
  read();
  return { values, set, on, list, toggle };
})();
