"use strict";
/* Pure functions on numbers and pixels. */
SR.maths = (() => {
  /** Mean, sample standard deviation (null below two) and count of what is a number. */
  function spread(values) {
    const known = values.filter(SR.base.isNumber);
    if (!known.length) return { mean: null, sd: null, n: 0 };
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    if (known.length < 2) return { mean, sd: null, n: 1 };
    const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, sd: Math.sqrt(squares / (known.length - 1)), n: known.length };
  }

  /** Exponential moving average that does not lean towards its start. `weight` of the past: 0 to below 1. */
  function smooth(values, weight) {
    let sum = 0;
    let norm = 0;
    return values.map((value) => {
      sum = weight * sum + (1 - weight) * value;
      norm = weight * norm + (1 - weight);
      return sum / norm;
    });
  }

  /** Values of a line at some places: linear between its points, null outside. Places and line ascend. */
  function interpolate(xs, ys, places) {
    let next = 0;
    return places.map((place) => {
      while (next < xs.length && xs[next] < place) next += 1;
      if (next === xs.length) return null;
      if (xs[next] === place) return ys[next];
      if (next === 0) return null;
      const share = (place - xs[next - 1]) / (xs[next] - xs[next - 1]);
      return ys[next - 1] + share * (ys[next] - ys[next - 1]);
    });
  }

  /** At most about 2 * `buckets` points that keep each bucket's smallest and largest value. */
  function thin(line, buckets = 800) {
    const count = line.x.length;
    if (count <= 2 * buckets) return line;
    const kept = [0];
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const from = Math.floor((bucket * count) / buckets);
      const to = Math.floor(((bucket + 1) * count) / buckets);
      let low = from;
      let high = from;
      for (let index = from; index < to; index += 1) {
        if (line.y[index] < line.y[low]) low = index;
        if (line.y[index] > line.y[high]) high = index;
      }
      kept.push(Math.min(low, high), Math.max(low, high));
    }
    kept.push(count - 1);
    const places = [...new Set(kept)];
    return { x: places.map((index) => line.x[index]), y: places.map((index) => line.y[index]) };
  }

  /** Several lines as one: mean and deviation at every place that one of them has, of those that reach there. */
  function together(lines, most = 1000) {
    let places = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    if (places.length > most) {
      const step = (places.length - 1) / (most - 1);
      places = Array.from({ length: most }, (_, index) => places[Math.round(index * step)]);
    }
    const all = lines.map((line) => interpolate(line.x, line.y, places));
    const spreads = places.map((_, index) => spread(all.map((values) => values[index])));
    return { x: places, y: spreads.map((one) => one.mean), sd: spreads.map((one) => one.sd ?? 0) };
  }

  /** Absolute differences of two pictures, mean over R, G and B. Both: ImageData of one size. */
  function errors(a, b) {
    const result = new Float32Array(a.width * a.height);
    const p = a.data;
    const q = b.data;
    for (let index = 0, at = 0; index < result.length; index += 1, at += 4) {
      result[index] = (Math.abs(p[at] - q[at]) + Math.abs(p[at + 1] - q[at + 1]) + Math.abs(p[at + 2] - q[at + 2])) / 3;
    }
    return result;
  }

  /** Root of the mean squared difference over all pixels and channels, in levels of 255. */
  function rmse(a, b) {
    let sum = 0;
    for (let at = 0; at < a.data.length; at += 4) {
      for (let channel = 0; channel < 3; channel += 1) sum += (a.data[at + channel] - b.data[at + channel]) ** 2;
    }
    return Math.sqrt(sum / (3 * a.width * a.height));
  }

  /** The window in which two pictures differ most: {x, y, width, height, rmse}; every position is tried. */
  function worstWindow(a, b, size = 32) {
    const { width, height } = a;
    const w = Math.min(size, width);
    const h = Math.min(size, height);
    const sums = squaredSums(a, b);
    const line = width + 1;
    let best = { x: 0, y: 0, sum: -1 };
    for (let y = 0; y + h <= height; y += 1) {
      for (let x = 0; x + w <= width; x += 1) {
        const sum =
          sums[(y + h) * line + x + w] - sums[y * line + x + w] - sums[(y + h) * line + x] + sums[y * line + x];
        if (sum > best.sum) best = { x, y, sum };
      }
    }
    return { x: best.x, y: best.y, width: w, height: h, rmse: Math.sqrt(best.sum / (3 * w * h)) };
  }

  /** Sums of squared differences of everything left of and above each corner. */
  function squaredSums(a, b) {
    const line = a.width + 1;
    const sums = new Float64Array(line * (a.height + 1));
    for (let y = 0; y < a.height; y += 1) {
      let row = 0;
      for (let x = 0; x < a.width; x += 1) {
        const at = 4 * (y * a.width + x);
        for (let channel = 0; channel < 3; channel += 1) row += (a.data[at + channel] - b.data[at + channel]) ** 2;
        sums[(y + 1) * line + x + 1] = sums[y * line + x + 1] + row;
      }
    }
    return sums;
  }

  return { spread, smooth, interpolate, thin, together, errors, rmse, worstWindow };
})();
