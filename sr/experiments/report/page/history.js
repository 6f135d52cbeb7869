"use strict";
/* One picture over the updates: a scrubber for each side that is a run. */
SR.history = (() => {
  const { el, byId, fixed } = SR.base;
  const { state, sides } = SR;
  const PAUSE = 400;
  const KINDS = (SR.model.report.films ?? [".mp4", ".gif"]).filter((kind) => /^\.\w+$/.test(kind));
  let playing = null;

  const key = (side) => (side === "a" ? "ha" : "hb");

  function go(side, index, list) {
    const step = Math.min(list.length - 1, Math.max(0, index));
    state.set({ [key(side)]: step === list.length - 1 ? "" : list[step][0] });
  }

  /** Play or stop; at the end it begins again. */
  function play(side) {
    if (playing) {
      stop();
      return;
    }
    const start = sides.steps(sides.picture(), sides.key(side));
    if (sides.step(sides.picture(), side) === start.length - 1) go(side, 0, start);
    playing = {
      side,
      timer: setInterval(() => {
        const list = sides.steps(sides.picture(), sides.key(side));
        const at = sides.step(sides.picture(), side);
        if (at >= list.length - 1) stop();
        else go(side, at + 1, list);
      }, PAUSE),
    };
    draw();
  }

  function stop() {
    clearInterval(playing?.timer);
    playing = null;
    draw();
  }

  /** The first side that can be played, b before a. */
  const playable = () => ["b", "a"].find((side) => sides.steps(sides.picture(), sides.key(side)).length > 1);

  function films(run) {
    if (!KINDS.length || typeof run.film !== "string" || !run.film.startsWith("films/")) return null;
    const address = run.film.split("/").map(encodeURIComponent).join("/");
    return el(
      "span",
      { class: "films" },
      "as a film: ",
      ...KINDS.flatMap((kind) => [el("a", { href: address + kind, text: kind.slice(1) }), " "]),
    );
  }

  function part(side) {
    const shown = sides.picture();
    const one = sides.key(side);
    const list = sides.steps(shown, one);
    if (!sides.isRun(one) || !sides.entry(shown, one)) return null;
    const title = el("h3", {}, "Over the updates, ", el("span", { text: `${side.toUpperCase()}: ${sides.name(one)}` }));
    const film = films(sides.entry(shown, one));
    if (list.length < 2)
      return el(
        "div",
        { class: "history" },
        title,
        el("p", { class: "note", text: "Only its last picture was kept." }),
        film,
      );
    const at = sides.step(shown, side);
    const is = playing?.side === side;
    const range = el("input", {
      type: "range",
      id: `scrub-${side}`,
      min: 0,
      max: list.length - 1,
      step: 1,
      value: at,
      "aria-label": `Updates of ${side.toUpperCase()}`,
      "aria-valuetext": `${list[at][0]} updates`,
      input: (event) => go(side, Number(event.target.value), sides.steps(sides.picture(), sides.key(side))),
    });
    return el(
      "div",
      { class: "history" },
      title,
      el(
        "div",
        { class: "scrub" },
        el("button", {
          type: "button",
          id: `play-${side}`,
          text: is ? "Stop" : "Play",
          "aria-pressed": String(is),
          click: () => play(side),
        }),
        range,
        el("output", { text: fixed(list[at][0], 0) }),
      ),
      film,
    );
  }

  /** The range that is being dragged stays: only what it says is changed. */
  function update() {
    for (const side of ["a", "b"]) {
      const range = byId(`scrub-${side}`);
      if (!range) continue;
      const list = sides.steps(sides.picture(), sides.key(side));
      const at = sides.step(sides.picture(), side);
      range.value = String(at);
      range.setAttribute("aria-valuetext", `${list[at][0]} updates`);
      range.parentElement.querySelector("output").textContent = fixed(list[at][0], 0);
    }
  }

  function draw() {
    const held = document.activeElement?.id;
    const both = sides.key("a") === sides.key("b") ? ["b"] : ["a", "b"];
    const parts = both.map(part).filter(Boolean);
    byId("history").replaceChildren(...parts);
    if (held?.startsWith("play-") || held?.startsWith("scrub-")) byId(held)?.focus();
  }

  function start() {
    draw();
    state.on(["pic", "a", "b"], () => {
      if (playing) stop();
      else draw();
    });
    state.on(["ha", "hb"], update);
  }

  return {
    start,
    toggle: () => {
      const side = playable();
      if (side) play(playing?.side ?? side);
    },
  };
})();
