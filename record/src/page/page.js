"use strict";
// The time line on a canvas. Only what is in view is drawn, so that some thousand tasks are as quick as ten.
//
//   time ──► x   (time - view.from) * scale        lanes ──► y   RULER + lane * view.row - view.scroll

const line = JSON.parse(document.getElementById("data").textContent);
const { lanes, blocks, arrows, sleeps, strings } = line;
const canvas = document.getElementById("canvas"), hint = document.getElementById("hint");
const box = (id) => document.getElementById(id);
const paint = canvas.getContext("2d");
const RULER = 24, NAMES = 220, ROW = 22, LEAST_ROW = 3;
// `fits`: nobody has zoomed or moved yet, so that all of it stays in view when the window changes.
const view = { from: 0, to: Math.max(line.end, 1), scroll: 0, row: ROW, fits: true };
let chosen = null, found = null, drag = null;

const text = (number) => (number === null || number === undefined ? null : strings[number]);
const style = () => getComputedStyle(document.documentElement);
const colours = {};
function readColours() {
  const now = style();
  for (const name of ["paper", "ink", "faint", "rule", "poll", "ready", "wait", "value", "failed", "cancelled", "wake", "cancel", "scope"]) {
    // Resolved by an element: a custom property keeps its light-dark() as it was written.
    const probe = document.createElement("i");
    probe.style.color = now.getPropertyValue("--" + name);
    document.body.append(probe);
    colours[name] = getComputedStyle(probe).color;
    probe.remove();
  }
}

// Arrows by the lanes at both of their ends.
const arrowsOf = lanes.map(() => []);
arrows.forEach((arrow) => {
  arrowsOf[arrow.lane].push(arrow);
  if (arrow.to_lane !== arrow.lane) arrowsOf[arrow.to_lane].push(arrow);
});

const width = () => canvas.clientWidth, height = () => canvas.clientHeight;
const scale = () => (width() - NAMES) / (view.to - view.from);
const x = (time) => NAMES + (time - view.from) * scale();
const y = (lane) => RULER + lane * view.row - view.scroll;
const timeAt = (pixel) => view.from + (pixel - NAMES) / scale();
const laneAt = (pixel) => Math.floor((pixel - RULER + view.scroll) / view.row);

function shown(time) {
  if (line.unit === "steps") return `step ${Math.round(time)}`;
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
  const [size, unit] = units.find(([size]) => Math.abs(time) >= size) ?? units[3];
  return `${+(time / size).toFixed(3)} ${unit}`;
}

/// The first segment of a lane that ends after this time.
function firstSegment(lane, time) {
  let low = 0, high = lane.segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane.segments[middle].to <= time) low = middle + 1; else high = middle;
  }
  return low;
}

// Where in each lane something is written, from left to right.
const taken = new Map();
function take(lane, from, to) {
  taken.set(lane, [...(taken.get(lane) ?? []), { from, to }]);
}

function draw() {
  taken.clear();
  const ratio = devicePixelRatio || 1;
  canvas.width = width() * ratio;
  canvas.height = height() * ratio;
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.fillStyle = colours.paper;
  paint.fillRect(0, 0, width(), height());
  const first = Math.max(0, laneAt(RULER)), last = Math.min(lanes.length - 1, laneAt(height()));
  paint.save();
  paint.beginPath();
  paint.rect(NAMES, RULER, width() - NAMES, height() - RULER);
  paint.clip();
  drawSleeps();
  for (let lane = first; lane <= last; lane++) drawLane(lane);
  if (box("scopes").checked) drawBlocks(first, last);
  if (box("arrows").checked) drawArrows(first, last);
  paint.restore();
  drawNames(first, last);
  drawRuler();
}

function drawSleeps() {
  paint.fillStyle = colours.rule;
  paint.globalAlpha = 0.25;
  for (const [from, to] of sleeps) {
    if (to < view.from || from > view.to) continue;
    paint.fillRect(x(from), RULER, Math.max(x(to) - x(from), 0.5), height());
  }
  paint.globalAlpha = 1;
}

function drawLane(index) {
  const lane = lanes[index], top = y(index), pad = view.row > 8 ? 4 : 0.5, high = view.row - 2 * pad;
  let drawnTo = -1;
  for (let at = firstSegment(lane, view.from); at < lane.segments.length; at++) {
    const segment = lane.segments[at];
    if (segment.from > view.to) break;
    const left = Math.max(x(segment.from), NAMES), right = Math.min(x(segment.to), width());
    // Of many in one pixel, one is enough; but a poll is always seen.
    if (right < drawnTo && segment.kind !== "poll") continue;
    const thin = segment.kind === "wait" ? high / 3 : 0;
    paint.fillStyle = colours[segment.kind];
    paint.fillRect(left, top + pad + thin, Math.max(right - left, segment.kind === "poll" ? 1 : 0.5), high - 2 * thin);
    drawnTo = Math.max(drawnTo, Math.floor(right) + 1);
    if (segment.kind === "wait" && view.row >= 16 && right - left > 60) label(index, text(segment.what), left + 4, top + view.row / 2, right - left - 8);
  }
  for (const [at] of lane.requests) mark(x(at), top, colours.cancel, false);
  if (lane.to !== null) mark(x(lane.to), top, colours[lane.outcome], true);
}

function label(lane, words, left, middle, room) {
  if (!words) return;
  paint.font = "11px system-ui, sans-serif";
  paint.textBaseline = "middle";
  const wide = paint.measureText(words).width;
  if (wide > room) return;
  take(lane, left, left + wide);
  paint.fillStyle = colours.paper;
  paint.fillRect(left - 2, middle - 6, wide + 4, 12);
  paint.fillStyle = colours.faint;
  paint.fillText(words, left, middle);
}

function mark(at, top, colour, end) {
  if (at < NAMES || at > width()) return;
  paint.fillStyle = colour;
  if (end) paint.fillRect(at - 1.5, top + 1, 3, view.row - 2);
  else if (view.row > 8) {
    paint.beginPath();
    paint.moveTo(at - 4, top + 1);
    paint.lineTo(at + 4, top + 1);
    paint.lineTo(at, top + 7);
    paint.fill();
  }
}

/// How many scopes are around a block.
function nesting(block) {
  let around = 0;
  for (let outer = block.parent; outer !== null; outer = blocks[outer].parent) around++;
  return around;
}
blocks.forEach((block) => { block.nesting = nesting(block); });

function drawBlocks(first, last) {
  const inView = blocks.filter((block) => block.last >= first && block.lane <= last && x(block.to) >= NAMES && x(block.from) <= width());
  // Those within others are smaller, as far as the lanes' height allows.
  const inset = (block) => Math.min(1.5 + 1.5 * block.nesting, view.row / 5);
  const corners = (block) => ({ left: x(block.from), right: x(block.to), top: y(block.lane) + inset(block), bottom: y(block.last + 1) - inset(block) });
  paint.strokeStyle = colours.scope;
  paint.globalAlpha = 0.5;
  for (const block of inView) {
    const { left, right, top, bottom } = corners(block);
    paint.setLineDash(text(block.kind) === "group" || text(block.kind) === "scope" ? [] : [4, 3]);
    paint.strokeRect(left, top, Math.max(right - left, 1), bottom - top);
  }
  paint.setLineDash([]);
  paint.globalAlpha = 1;
  // All names after all boxes and lanes.
  if (view.row >= 16) for (const block of inView) drawBlockName(block, corners(block));
}

/// The name of a scope, in its last lane, at its end, beside what is written there already: several scopes may begin and end
/// at one place. Where there is no room for it, the hint has it.
function drawBlockName(block, { left, right }) {
  const name = block.name === null ? text(block.kind) : `${text(block.kind)} '${text(block.name)}'`;
  paint.font = "10px system-ui, sans-serif";
  const wide = paint.measureText(name).width, written = taken.get(block.last) ?? [];
  let from = Math.min(right, width()) - wide - 4;
  // From right to left, so one pass is enough.
  for (const other of written.sort((a, b) => b.from - a.from)) if (from < other.to && from + wide > other.from) from = other.from - wide - 6;
  if (from < Math.max(left, NAMES) + 3) return;
  take(block.last, from, from + wide);
  const bottom = y(block.last + 1) - 2;
  paint.globalAlpha = 0.85;
  paint.fillStyle = colours.paper;
  paint.fillRect(from - 1, bottom - 10, wide + 2, 10);
  paint.globalAlpha = 1;
  paint.textBaseline = "bottom";
  paint.fillStyle = colours.scope;
  paint.fillText(name, from, bottom);
}

function drawArrows(first, last) {
  const inView = (arrow) => arrow.at <= view.to && arrow.to >= view.from;
  const some = chosen === null ? arrows.filter((arrow) => inView(arrow) && Math.max(arrow.lane, arrow.to_lane) >= first && Math.min(arrow.lane, arrow.to_lane) <= last)
                               : arrowsOf[chosen].filter(inView);
  // More would be a black page: then only those of a chosen task.
  if (chosen === null && some.length > 1500) return;
  for (const arrow of some) drawArrow(arrow);
}

function drawArrow(arrow) {
  const down = arrow.to_lane >= arrow.lane;
  const fromX = x(arrow.at), fromY = y(arrow.lane) + view.row / 2, toX = x(arrow.to), toY = y(arrow.to_lane) + (down ? 2 : view.row - 2);
  paint.strokeStyle = paint.fillStyle = arrow.kind === "cancel" ? colours.cancel : colours.wake;
  paint.globalAlpha = chosen === null ? 0.55 : 1;
  paint.lineWidth = arrow.kind === "cancel" ? 1.5 : 1;
  if (arrow.kind === "spawn") paint.setLineDash([2, 2]);
  paint.beginPath();
  paint.moveTo(fromX, fromY);
  paint.bezierCurveTo(fromX, (fromY + toY) / 2, toX, (fromY + toY) / 2, toX, toY);
  paint.stroke();
  paint.setLineDash([]);
  const back = down ? -5 : 5;
  paint.beginPath();
  paint.moveTo(toX, toY);
  paint.lineTo(toX - 3, toY + back);
  paint.lineTo(toX + 3, toY + back);
  paint.fill();
  paint.globalAlpha = 1;
  paint.lineWidth = 1;
}

function drawNames(first, last) {
  paint.fillStyle = colours.paper;
  paint.fillRect(0, RULER, NAMES, height());
  paint.strokeStyle = colours.rule;
  paint.beginPath();
  paint.moveTo(NAMES - 0.5, 0);
  paint.lineTo(NAMES - 0.5, height());
  paint.stroke();
  paint.save();
  paint.beginPath();
  paint.rect(0, RULER, NAMES - 4, height() - RULER);
  paint.clip();
  // Of lanes that are too low for it, only some have their name.
  const step = Math.max(1, Math.ceil(11 / view.row)), size = Math.min(12, view.row * step);
  paint.textBaseline = "middle";
  for (let index = first - (first % step); index <= last; index += step) {
    const lane = lanes[index];
    if (!lane) continue;
    const is = index === chosen || (found !== null && found.has(index));
    paint.font = `${is ? "bold " : ""}${size}px system-ui, sans-serif`;
    paint.fillStyle = found !== null && !found.has(index) ? colours.rule : colours.ink;
    paint.fillText(lane.name, 8 + Math.min(lane.depth, 12) * 12, y(index) + view.row * step / 2);
  }
  paint.restore();
}

function drawRuler() {
  paint.fillStyle = colours.paper;
  paint.fillRect(0, 0, width(), RULER);
  paint.strokeStyle = colours.rule;
  paint.beginPath();
  paint.moveTo(0, RULER - 0.5);
  paint.lineTo(width(), RULER - 0.5);
  paint.stroke();
  const most = Math.max(2, Math.floor((width() - NAMES) / 110)), raw = (view.to - view.from) / most;
  const ten = 10 ** Math.floor(Math.log10(raw)), step = Math.max(line.unit === "steps" ? 1 : 0, [1, 2, 5, 10].map((n) => n * ten).find((s) => s >= raw));
  paint.font = "11px system-ui, sans-serif";
  paint.textBaseline = "middle";
  paint.fillStyle = colours.faint;
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const left = x(at);
    paint.beginPath();
    paint.moveTo(left, RULER - 6);
    paint.lineTo(left, RULER);
    paint.stroke();
    paint.fillText(shown(at), left + 3, RULER / 2);
  }
  paint.fillText(`${lanes.length} tasks`, 8, RULER / 2);
}

// What is under the pointer, in words.
function describe(index, time) {
  const lane = lanes[index];
  if (!lane || time > (lane.to ?? line.end) || time < lane.from) return null;
  const words = [`${lane.name}   ${text(lane.type)}`];
  if (lane.place !== null) words.push(`spawned at ${text(lane.place)}`);
  const segment = lane.segments[firstSegment(lane, time)];
  if (segment && segment.from <= time) {
    const doing = { poll: "is being polled", ready: "in line for its turn", wait: `waits for ${text(segment.what)}` }[segment.kind];
    words.push(`${doing}, ${shown(segment.to - segment.from)}, from ${shown(segment.from)}`);
    if (segment.place !== null) words.push(`at ${text(segment.place)}`);
  }
  const near = 4 / scale();
  for (const [at, why] of lane.requests) if (Math.abs(at - time) < near) words.push(`asked to cancel: ${text(why)}`);
  for (const block of blocks) {
    if (block.lane === index && block.from <= time && time <= block.to) {
      const name = block.name === null ? "" : ` '${text(block.name)}'`;
      words.push(`in ${text(block.kind)}${name}${block.place === null ? "" : " at " + text(block.place)}`);
    }
  }
  if (lane.outcome !== "not yet") {
    const how = { value: "ended with a value", failed: "failed", cancelled: "ended cancelled" }[lane.outcome];
    words.push(`${how} at ${shown(lane.to)}${lane.error === null ? "" : ": " + text(lane.error)}`);
  } else words.push("had not ended when the recording did");
  return words.join("\n");
}

function showHint(event) {
  const words = event.offsetY < RULER ? null : describe(laneAt(event.offsetY), event.offsetX < NAMES ? lanes[laneAt(event.offsetY)]?.from : timeAt(event.offsetX));
  hint.hidden = words === null || drag !== null;
  if (hint.hidden) return;
  hint.textContent = words;
  const left = Math.min(event.offsetX + 14, width() - hint.offsetWidth - 8), top = event.offsetY + 18;
  hint.style.left = `${Math.max(left, 8)}px`;
  hint.style.top = `${top + hint.offsetHeight > height() ? event.offsetY - hint.offsetHeight - 10 : top}px`;
}

function zoom(factor, at) {
  view.fits = false;
  const span = Math.min(Math.max((view.to - view.from) * factor, line.unit === "steps" ? 4 : 50), Math.max(line.end, 1) * 1.02);
  const part = (at - view.from) / (view.to - view.from);
  view.from = at - part * span;
  view.to = view.from + span;
  keepInside();
}

function keepInside() {
  const span = view.to - view.from, end = Math.max(line.end, 1);
  if (view.from < 0) [view.from, view.to] = [0, span];
  if (view.to > end * 1.02) [view.from, view.to] = [Math.max(0, end * 1.02 - span), end * 1.02];
  view.scroll = Math.max(0, Math.min(view.scroll, lanes.length * view.row - (height() - RULER)));
  requestAnimationFrame(draw);
}

function showAll() {
  Object.assign(view, { from: 0, to: Math.max(line.end, 1) * 1.02, scroll: 0, fits: true });
  view.row = Math.max(LEAST_ROW, Math.min(ROW, (height() - RULER) / Math.max(lanes.length, 1)));
  keepInside();
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  view.fits = false;
  if (event.ctrlKey || event.metaKey) return zoom(1.002 ** event.deltaY, timeAt(event.offsetX));
  if (event.altKey) {
    const lane = (event.offsetY - RULER + view.scroll) / view.row;
    view.row = Math.max(LEAST_ROW, Math.min(40, view.row * 0.999 ** event.deltaY));
    view.scroll = lane * view.row - event.offsetY + RULER;
    return keepInside();
  }
  const across = event.deltaX / scale();
  view.from += across;
  view.to += across;
  view.scroll += event.deltaY;
  keepInside();
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, scroll: view.scroll, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (drag) {
    const across = (event.clientX - drag.x) / scale();
    view.fits &&= !drag.moved;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 3;
    view.from = drag.from - across;
    view.to = drag.to - across;
    view.scroll = drag.scroll - (event.clientY - drag.y);
    keepInside();
  }
  showHint(event);
});
canvas.addEventListener("pointerup", (event) => {
  if (drag && !drag.moved) {
    const lane = laneAt(event.offsetY);
    chosen = lane === chosen || !lanes[lane] ? null : lane;
    requestAnimationFrame(draw);
  }
  drag = null;
});
canvas.addEventListener("pointerleave", () => { hint.hidden = true; });
addEventListener("keydown", (event) => {
  if (event.target === box("search")) return;
  const middle = (view.from + view.to) / 2, step = (view.to - view.from) / 5;
  const keys = {
    "+": () => zoom(0.7, middle), "=": () => zoom(0.7, middle), "-": () => zoom(1 / 0.7, middle), "0": showAll,
    ArrowLeft: () => { view.from -= step; view.to -= step; keepInside(); },
    ArrowRight: () => { view.from += step; view.to += step; keepInside(); },
    ArrowUp: () => { view.scroll -= 3 * view.row; keepInside(); },
    ArrowDown: () => { view.scroll += 3 * view.row; keepInside(); },
  };
  if (keys[event.key]) { keys[event.key](); event.preventDefault(); }
});
box("search").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  const has = (words) => words !== null && words !== undefined && words.toLowerCase().includes(wanted);
  found = wanted === "" ? null : new Set(lanes.flatMap((lane, index) =>
    has(lane.name) || has(text(lane.place)) || has(text(lane.type)) || lane.segments.some((segment) => has(text(segment.place))) ? [index] : []));
  if (found?.size) {
    view.row = Math.max(view.row, 13);
    view.scroll = Math.min(...found) * view.row - 60;
  }
  keepInside();
});
for (const id of ["arrows", "scopes"]) box(id).addEventListener("change", draw);
box("all").addEventListener("click", showAll);
addEventListener("resize", () => (view.fits ? showAll() : keepInside()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });

const polls = lanes.reduce((sum, lane) => sum + lane.segments.filter((segment) => segment.kind === "poll").length, 0);
box("summary").textContent = `${lanes.length} tasks, ${polls} polls, ${shown(line.end)}` +
  (line.left_out ? `; ${line.left_out} further events were left out` : "");
readColours();
showAll();
