"use strict";
/* One name for all scripts of the page, and the few helpers that all of them use.

   Classic scripts, because modules cannot be loaded from file://. Each file adds one part to SR. Text reaches the page
   by textContent and attributes only, so that a run called <script> is a run called that. */
const SR = {};

SR.base = (() => {
  /** An element: attributes that are functions listen, `class`, `text` and ARIA names are what they say. */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") node.textContent = value;
      else if (typeof value === "function") node.addEventListener(name, value);
      else if (name === "value") node.value = value;
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  const byId = (id) => document.getElementById(id);

  /** A select with its label. `choices`: [value, text] pairs, or [text, pairs] of a group. */
  function chooser(label, choices, value, changed, attributes = {}) {
    const option = ([key, text]) => el("option", { value: key, text });
    const items = choices.map((choice) =>
      Array.isArray(choice[1]) ? el("optgroup", { label: choice[0] }, ...choice[1].map(option)) : option(choice),
    );
    const select = el("select", { ...attributes, change: (event) => changed(event.target.value) }, ...items);
    select.value = value;
    return el("label", { class: "field" }, el("span", { text: label }), select);
  }

  /** Buttons of which one is pressed. `choices`: [value, text, title]. */
  function segments(label, choices, value, changed) {
    return el(
      "div",
      { class: "segments", role: "group", "aria-label": label },
      ...choices.map(([key, text, title]) =>
        el("button", {
          type: "button",
          text,
          title,
          "data-value": key,
          "aria-pressed": String(key === value),
          click: () => changed(key),
        }),
      ),
    );
  }

  function press(box, value) {
    for (const button of box.querySelectorAll("[data-value]"))
      button.setAttribute("aria-pressed", String(button.dataset.value === value));
  }

  /** A box to tick. */
  function tick(label, checked, changed, attributes = {}) {
    const input = el("input", { type: "checkbox", ...attributes, change: (event) => changed(event.target.checked) });
    input.checked = checked;
    return el("label", { class: "tick" }, input, el("span", { text: label }));
  }

  /** A button that copies a text and says so. */
  function copier(text, name) {
    const button = el("button", { type: "button", text: "Copy", "aria-label": `Copy ${name}`, class: "copy" });
    button.addEventListener("click", async () => {
      const done = await copied(text);
      button.textContent = done ? "Copied" : "Select and copy it by hand";
      say(button.textContent);
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1600);
    });
    return button;
  }

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = el("textarea", { value: text, class: "unseen" });
      (document.querySelector("dialog[open]") ?? document.body).append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  /** A line of code with its button. */
  const command = (text, name) => el("div", { class: "command" }, el("code", { text }), copier(text, name));

  /** Told to screen readers. */
  function say(text) {
    byId("say").textContent = text;
  }

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  /** Digits after the point, and thousands apart where there are none. */
  function fixed(value, digits) {
    if (!isNumber(value)) return "–";
    const text = Math.abs(value).toFixed(digits);
    const [whole, part] = text.split(".");
    const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u2009") : whole;
    return (value < 0 && Number(text) !== 0 ? "−" : "") + grouped + (part ? `.${part}` : "");
  }

  /** With its sign; 0 has none. */
  function signed(value, digits) {
    if (!isNumber(value)) return "–";
    return (Number(value.toFixed(digits)) > 0 ? "+" : "") + fixed(value, digits);
  }

  /** 75 s, 12 min, 3 h 20 min. */
  function duration(seconds) {
    if (!isNumber(seconds)) return "–";
    const whole = Math.round(Math.abs(seconds));
    const text =
      whole < 120
        ? `${whole} s`
        : whole < 7200
          ? `${Math.round(whole / 60)} min`
          : `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
    return (seconds < 0 && whole ? "−" : "") + text;
  }

  const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

  /** A script of this folder; the promise fails where the file is missing. */
  function load(source) {
    return new Promise((resolve, reject) => {
      const script = el("script", { src: source });
      script.onload = () => {
        script.remove();
        resolve();
      };
      script.onerror = () => {
        script.remove();
        reject(new Error(`${source} is missing`));
      };
      document.head.append(script);
    });
  }

  return { el, byId, chooser, segments, press, tick, command, say, isNumber, fixed, signed, duration, plural, load };
})();
