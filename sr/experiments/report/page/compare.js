"use strict";
/* What two sides have in common and what not: metrics of the picture, where they differ most, the scale of errors. */
SR.compare = (() => {
  const { el, byId, chooser, isNumber, fixed } = SR.base;
  const { model, state, sides, cells } = SR;
  const GAINS = ["1", "2", "4", "8", "16", "32"];
  const STOPS = [
    [0, 0, 4],
    [87, 16, 110],
    [188, 55, 84],
    [249, 142, 9],
    [252, 255, 164],
  ];
  const WINDOW = 32;

  const gain = () => (GAINS.includes(state.values.gain) ? Number(state.values.gain) : 8);

  /** Colour of a share from 0 to 1: dark to bright, also without colour vision. */
  function colour(share) {
    const at = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
    const low = Math.min(STOPS.length - 2, Math.floor(at));
    return STOPS[low].map((value, channel) => Math.round(value + (at - low) * (STOPS[low + 1][channel] - value)));
  }

  /** Errors in levels of 255 as a picture; 255 / gain and more are the brightest. */
  function coloured(errors, width, height, times) {
    const canvas = SR.pictures.canvas(width, height);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const table = Array.from({ length: 1025 }, (_, index) => colour(index / 1024));
    for (let index = 0; index < errors.length; index += 1) {
      const [red, green, blue] = table[Math.min(1024, Math.round((errors[index] * times * 1024) / 255))];
      image.data.set([red, green, blue, 255], 4 * index);
    }
    context.putImageData(image, 0, 0);
    return { canvas, width, height };
  }

  function metrics() {
    const shown = sides.picture();
    const [a, b] = [sides.key("a"), sides.key("b")];
    const values = [a, b].map((one) => sides.metricsOf(shown, one));
    const beside = [a, b].includes("bicubic") ? [] : [sides.metricsOf(shown, "bicubic")];
    const number = (one, metric) => el("td", { class: "number", text: fixed(one[metric.name], metric.digits) });
    const used = model.metrics.filter((metric) => [...values, ...beside].some((one) => isNumber(one[metric.name])));
    const head = el("h3", { text: sides.title(shown) });
    if (!used.length) return [head, el("p", { class: "note", text: "No metrics are known of this picture." })];
    const rows = used.map((metric) => {
      const [p, q] = values.map((one) => one[metric.name]);
      const delta = isNumber(p) && isNumber(q) ? q - p : null;
      const { arrow, word, name } =
        delta === null ? { arrow: "", word: "", name: "none" } : cells.verdict(metric, delta);
      return el(
        "tr",
        {},
        el("th", { scope: "row", text: metric.name }),
        ...values.map((one) => number(one, metric)),
        el(
          "td",
          { class: `number ${name}` },
          delta === null ? "–" : cells.change(metric, delta),
          el("span", { class: "arrow", "aria-hidden": "true", text: arrow }),
          el("span", { class: "unseen", text: ` ${word}` }),
        ),
        ...beside.map((one) => number(one, metric)),
      );
    });
    const titled = (text, title) => el("th", { scope: "col", class: "number", text, title });
    const table = el(
      "table",
      { class: "small" },
      el("caption", { class: "unseen", text: "Metrics of this picture" }),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col", text: "" }),
          titled("A", sides.name(a)),
          titled("B", sides.name(b)),
          titled("B − A"),
          ...beside.map(() => titled(sides.name("bicubic"))),
        ),
      ),
      el("tbody", {}, ...rows),
    );
    const past = ["a", "b"].some((side) => sides.step(shown, side) < sides.steps(shown, sides.key(side)).length - 1);
    return [
      head,
      table,
      ...(past ? [el("p", { class: "note", text: "Measured at the end, not at the updates that are shown." })] : []),
    ];
  }

  /** Find the window where A and B differ most, go there, and say so. */
  function jump() {
    const { a, b } = SR.viewer.loaded();
    if (!a?.canvas || !b?.canvas) {
      tell("Both pictures must be there to be compared.");
      return;
    }
    const found = SR.maths.worstWindow(...SR.pictures.both(a, b), WINDOW);
    if (found.rmse === 0) {
      tell("A and B are equal in every pixel.");
      return;
    }
    const room = SR.stage.room();
    const most = Math.min(room.width / found.width, room.height / found.height);
    const zoom = SR.stage.LEVELS.findLast((level) => level <= most) ?? 1;
    state.set({
      mark: [found.x, found.y, found.width, found.height].join(" "),
      zoom,
      cx: found.x + found.width / 2,
      cy: found.y + found.height / 2,
    });
    tell(
      `x ${found.x} to ${found.x + found.width - 1}, y ${found.y} to ${found.y + found.height - 1}: ` +
        `RMSE ${fixed(found.rmse, 2)} of 255.`,
    );
  }

  function tell(text) {
    byId("differ-result").textContent = text;
  }

  function legend() {
    if (SR.stage.mode() !== "errors") return [];
    const canvas = coloured(
      Float32Array.from({ length: 256 }, (_, index) => index / gain()),
      256,
      1,
      gain(),
    ).canvas;
    canvas.className = "scale";
    canvas.setAttribute("aria-hidden", "true");
    return [
      el("h3", { text: "Scale of the errors" }),
      canvas,
      el(
        "div",
        { class: "ends" },
        el("span", { text: "0" }),
        el("span", { text: `${fixed(255 / gain(), gain() > 8 ? 1 : 0)} of 255 and more` }),
      ),
      el("p", { class: "note", text: "Mean of |difference| over R, G and B; one scale for all pictures." }),
      chooser(
        "Gain",
        GAINS.map((one) => [one, `×${one}`]),
        String(gain()),
        (one) => state.set({ gain: one }),
        { id: "gain" },
      ),
    ];
  }

  function draw() {
    const held = document.activeElement?.id;
    byId("picture-metrics").replaceChildren(...metrics());
    byId("error-legend").replaceChildren(...legend());
    if (held === "gain") byId("gain")?.focus();
  }

  function start() {
    byId("differ").append(
      el("button", {
        type: "button",
        id: "jump",
        text: "Where do these two differ most?",
        title: "Go to the 32 × 32 pixels with the largest difference (m)",
        click: jump,
      }),
      el("p", { id: "differ-result", class: "result", role: "status" }),
    );
    state.on(["pic", "a", "b", "ha", "hb"], () => {
      tell("");
      draw();
    });
    state.on(["gain", "mode"], draw);
    draw();
  }

  return { start, draw, gain, coloured, colour, jump };
})();
