"use strict";
/* Pictures of the folder pictures/: loaded when they are chosen, decoded once, the least used forgotten. */
SR.pictures = (() => {
  const KEPT = 24e6; // pixels of decoded pictures, about 200 MB with what is read of them
  const cache = new Map();
  const areas = new Map();

  const canvas = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

  /** A picture by its hash, as {canvas, width, height}; the promise fails with a sentence to show. */
  function get(hash) {
    if (!cache.has(hash))
      cache.set(
        hash,
        open(hash).catch((error) => {
          cache.delete(hash);
          throw error;
        }),
      );
    const found = cache.get(hash);
    cache.delete(hash);
    cache.set(hash, found); // the newest are last
    return found;
  }

  /** Forget the least used, but never what a screen full of them needs. */
  function forget() {
    let total = [...cache.keys()].reduce((sum, hash) => sum + (areas.get(hash) ?? 0), 0);
    for (const hash of [...cache.keys()].slice(0, -4)) {
      if (total <= KEPT) return;
      total -= areas.get(hash) ?? 0;
      cache.delete(hash);
    }
  }

  async function open(hash) {
    const file = `pictures/${hash}.js`;
    if (!/^[\w-]+$/.test(hash)) throw new Error("This picture has no file that could be opened.");
    try {
      await SR.base.load(file);
    } catch {
      throw new Error(`The file ${file} is missing: copy the whole report folder, or make the report again.`);
    }
    const data = window.PICTURES?.[hash];
    if (typeof data !== "string" || !data.startsWith("data:image/"))
      throw new Error(`The file ${file} holds no picture.`);
    delete window.PICTURES[hash];
    const image = new Image();
    image.src = data;
    try {
      await image.decode();
    } catch {
      throw new Error(`The file ${file} is damaged: it cannot be decoded.`);
    }
    const drawn = canvas(image.naturalWidth, image.naturalHeight);
    drawn.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
    areas.set(hash, drawn.width * drawn.height);
    forget();
    return { canvas: drawn, width: drawn.width, height: drawn.height };
  }

  /** Every pixel `scale` times as large, nothing between them. */
  function enlarged(picture, scale) {
    const drawn = canvas(picture.width * scale, picture.height * scale);
    const context = drawn.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingEnabled = false;
    context.drawImage(picture.canvas, 0, 0, drawn.width, drawn.height);
    return { canvas: drawn, width: drawn.width, height: drawn.height };
  }

  /** Pixels of the left upper part of a picture, kept with it. */
  function pixels(picture, width = picture.width, height = picture.height) {
    if (picture.pixels?.width !== width || picture.pixels?.height !== height)
      picture.pixels = picture.canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
    return picture.pixels;
  }

  /** Pixels of two pictures where both have some. */
  function both(a, b) {
    const width = Math.min(a.width, b.width);
    const height = Math.min(a.height, b.height);
    return [pixels(a, width, height), pixels(b, width, height)];
  }

  return { get, enlarged, pixels, both, canvas };
})();
