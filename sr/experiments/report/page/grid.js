"use strict";
/* The internship's grid: LR, SR and HR of every picture of one run, each with bicubic of the same place below; of a
   network that translates input, translation and what becomes of that again, or the truth where it is known. */
SR.grid = (() => {
  const { el, byId, chooser, segments } = SR.base;
  const { model, state, sides } = SR;
  const withPictures = model.runs.filter((run) => model.pictures.some((one) => one.runs?.[run.id]));
  const SIZES = [
    ["whole", "Whole"],
    ["1", "1:1"],
    ["2", "2:1"],
    ["4", "4:1"],
  ];
  let watch = null;

  const size = () => (SIZES.some(([one]) => one === state.values.gridsize) ? state.values.gridsize : "whole");

  /** Draw a picture into a canvas as wide as its box: whole, or its middle in whole pixels of the screen. */
  async function fill(canvas, shown, key) {
    const box = canvas.parentElement;
    let picture = null;
    try {
      picture = await sides.open(shown, key, null);
    } catch (error) {
      canvas.replaceWith(el("p", { class: "problem", text: error.message }));
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(box.clientWidth * ratio));
    const fitted = canvas.width / picture.width;
    const zoom = size() === "whole" ? (fitted >= 1 ? Math.floor(fitted) : fitted) : Number(size());
    canvas.height =
      size() === "whole"
        ? Math.max(1, Math.round(picture.height * zoom))
        : Math.min(Math.round(canvas.width * 0.75), Math.round(picture.height * zoom));
    canvas.style.width = `${canvas.width / ratio}px`;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = zoom < 1;
    context.imageSmoothingQuality = "high";
    const width = Math.round(picture.width * zoom);
    const height = Math.round(picture.height * zoom);
    context.drawImage(
      picture.canvas,
      Math.round((canvas.width - width) / 2),
      Math.round((canvas.height - height) / 2),
      width,
      height,
    );
  }

  function tile(shown, key, text) {
    const canvas = el("canvas", { role: "img", "aria-label": `${text} of ${shown.name}` });
    return el("figure", {}, el("div", { class: "tile" }, canvas), el("figcaption", { text }));
  }

  function views(shown, run) {
    if (!model.isTranslated(shown.on))
      return [
        ["lr", `r${run.id}`, "hr", "bicubic", "bicubic", "bicubic"],
        ["LR", "SR", "HR", "bicubic", "bicubic", "bicubic"],
      ];
    const last = shown.runs[run.id].back ? [`k${run.id}`, "and back"] : ["hr", "counterpart"];
    return [
      ["lr", `r${run.id}`, last[0]],
      ["input", "translated", last[1]],
    ];
  }

  function block(shown, run) {
    const [keys, texts] = views(shown, run);
    const first = model.isTranslated(shown.on) ? "lr" : "bicubic";
    const cells = keys.map((key, index) => tile(shown, key, texts[index]));
    const box = el("div", { class: "cells" }, ...cells);
    box.show = () =>
      cells.forEach((cell, index) => {
        const canvas = cell.querySelector("canvas");
        if (canvas) fill(canvas, shown, keys[index]);
      });
    return el(
      "article",
      {},
      el(
        "h4",
        {},
        el("button", {
          type: "button",
          class: "link",
          text: sides.title(shown),
          title: `Look at it above: ${first === "lr" ? "input" : first} against this run`,
          click: () => {
            state.set({
              pic: shown.id,
              a: first,
              b: `r${run.id}`,
              zoom: "",
              cx: "",
              cy: "",
              mark: "",
              ha: "",
              hb: "",
            });
            byId("pictures").scrollIntoView({ block: "start" });
          },
        }),
      ),
      box,
    );
  }

  function draw() {
    watch?.disconnect();
    const run = withPictures.find((one) => String(one.id) === state.values.grid);
    if (!run) {
      byId("grid").replaceChildren(el("p", { class: "note", text: "Choose a run to see all of its pictures." }));
      return;
    }
    const blocks = model.pictures.filter((one) => one.runs?.[run.id]).map((one) => block(one, run));
    byId("grid").replaceChildren(el("div", { class: `grid ${size()}` }, ...blocks));
    watch = new IntersectionObserver(
      (seen) => {
        for (const { isIntersecting, target } of seen)
          if (isIntersecting) {
            watch.unobserve(target);
            target.show();
          }
      },
      { rootMargin: "200px" },
    );
    for (const one of blocks) watch.observe(one.querySelector(".cells"));
  }

  function start() {
    byId("grid-controls").append(
      chooser(
        "Run",
        [["", "none"], ...withPictures.map((run) => [String(run.id), run.name])],
        state.values.grid,
        (id) => state.set({ grid: id }),
        { id: "grid-run" },
      ),
      segments("Part", SIZES, size(), (one) => state.set({ gridsize: one })),
    );
    draw();
    state.on(["grid", "gridsize"], () => {
      SR.base.press(byId("grid-controls"), size());
      byId("grid-run").value = state.values.grid;
      draw();
    });
  }

  return { start };
})();
