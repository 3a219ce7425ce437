// Progressive enhancement: time zone, keyboard shortcuts, live queue, image viewer, drag and drop.
// Every form works without this file.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);

// The server prints times in this time zone from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`smsign_zone=${zone}`)) {
  document.cookie = `smsign_zone=${zone}; Path=/console; Max-Age=31536000; SameSite=Lax`;
}

for (const button of all("[data-dialog]")) {
  button.hidden = false;
  button.addEventListener("click", () => document.getElementById(button.dataset.dialog).showModal());
}

// A form is submitted once: a second click or key press before the response would act on a changed page.
let submitted = new WeakSet();
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog" || event.target.method === "get") return;
  if (submitted.has(event.target)) return event.preventDefault();
  submitted.add(event.target);
  setTimeout(() => submitted.delete(event.target), 10000); // after a cancelled request it may be submitted again
});
addEventListener("pageshow", (event) => { if (event.persisted) submitted = new WeakSet(); });

// Keyboard shortcuts: data-hot names the key of a button (clicked) or a field (focused).
const typing = (target) => target.matches("input:not([type=checkbox]), textarea, select");
const handlers = {}; // key -> function, for shortcuts without a button
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  if (event.key === "Escape" && typing(event.target)) return event.target.blur();
  if (typing(event.target)) return;
  if (event.key === "Enter" && event.target.matches("[name=reason], [name=id]")) event.preventDefault(); // it would submit the form
  const key = event.key === "=" ? "+" : event.key;
  const hot = one(`[data-hot="${CSS.escape(key)}"]`);
  if (hot) {
    event.preventDefault();
    if (event.repeat && !hot.closest("[data-viewer]")) return; // a key held down repeats
    hot.matches("textarea") ? hot.focus() : hot.click();
  } else if (handlers[key]?.(event)) {
    event.preventDefault();
  }
});
for (const box of all("#decide [data-key]")) {
  handlers[box.dataset.key] = () => { box.click(); return true; };
}

// The queue: j and k select a row; the rows are reloaded whenever the server sends an event.
const rows = one("#rows");
if (rows) {
  let at = -1, selected = "none";
  const mark = (list) => {
    list.forEach((row, index) => row.classList.toggle("here", index === at));
    selected = list[at]?.id ?? "none";
  };
  const step = (by) => {
    const list = all("[data-row]", rows);
    at = Math.max(0, Math.min(list.length - 1, at + by));
    mark(list);
    list[at]?.scrollIntoView({ block: "nearest" });
    one("a.sign", list[at] ?? rows)?.focus({ preventScroll: true });
    return true;
  };
  const click = (selector) => { const found = one(`.here ${selector}`, rows); found?.click(); return Boolean(found); };
  handlers.j = () => step(1);
  handlers.k = () => step(-1);
  handlers.x = () => click("input[type=checkbox]:enabled");
  handlers.Enter = (event) => !event.repeat && event.target.matches("body, main, .here a.sign") && click("button");
  // After a swap the same row stays selected, and focused: by its id (htmx), or else the row now in its place.
  let focused = -1;
  rows.addEventListener("htmx:beforeSwap", () => {
    focused = all("[data-row]", rows).findIndex((row) => row.contains(document.activeElement));
  });
  rows.addEventListener("htmx:afterSettle", () => {
    const list = all("[data-row]", rows);
    const same = list.findIndex((row) => row.id === selected);
    at = same >= 0 ? same : Math.min(at, list.length - 1);
    mark(list);
    if (focused >= 0 && !rows.contains(document.activeElement)) {
      (one("a.sign", list[Math.min(focused, list.length - 1)] ?? rows) ?? one("main")).focus({ preventScroll: true });
    }
  });
  rows.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 401) location.reload(); });
  let source, stale = false;
  const reload = () => {
    stale = all("[name=id]:checked", rows).length > 0; // wait until no row is checked
    if (!stale) htmx.trigger(document.body, "queue");
  };
  rows.addEventListener("change", () => { if (stale) reload(); });
  const connect = () => {
    source = new EventSource(rows.dataset.stream);
    source.addEventListener("queue", reload);
    source.addEventListener("open", reload); // changes before the connection send no event
    source.addEventListener("error", () => { // browsers reconnect by themselves, but not after a 502 of a proxy
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { reload(); connect(); }, 5000);
    });
  };
  connect();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// The lease: renewed while the page is open, released when the page is left other than by a form.
const desk = one("[data-lease]");
if (desk) {
  const path = desk.dataset.lease;
  let submitting = false;
  document.addEventListener("submit", (event) => { submitting ||= event.target.method !== "dialog"; });
  const renew = async () => {
    const response = await fetch(`${path}/renew`, { method: "POST" });
    if (response.status === 409) location.reload();
    one("[data-signed-out]").hidden = response.status !== 401; // the form keeps what was typed
  };
  setInterval(() => renew().catch(() => {}), 30000);
  addEventListener("pagehide", () => { if (!submitting) navigator.sendBeacon(`${path}/release`); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// The viewer.
const viewer = one("[data-viewer]");
const images = viewer ? all(".stage li", viewer) : [];
if (images.length) {
  let at = 0, zoom = 1, angle = 0;
  const stage = one(".stage", viewer);
  viewer.classList.add("live");
  one(".bar", viewer).hidden = false;
  const show = () => {
    images.forEach((item, index) => item.classList.toggle("shown", index === at));
    one("[data-place]", viewer).textContent = `${at + 1} / ${images.length}`;
    const image = one("img", images[at]);
    viewer.classList.toggle("zoomed", zoom !== 1);
    const sideways = angle % 180 !== 0;
    image.style.transform = angle ? `rotate(${angle}deg)` : "";
    image.style.width = zoom === 1 ? "" : `${stage.clientWidth * zoom}px`;
    image.style.margin = sideways && zoom !== 1 ? `${(image.width - image.height) / 2}px auto` : "";
  };
  const reset = () => { zoom = 1; angle = 0; };
  const actions = {
    next: () => { at = (at + 1) % images.length; reset(); },
    previous: () => { at = (at + images.length - 1) % images.length; reset(); },
    in: () => { zoom = Math.min(8, zoom * 1.25); },
    out: () => { zoom = Math.max(0.25, zoom / 1.25); },
    fit: reset,
    rotate: () => { angle = (angle + 90) % 360; },
    beside: () => {
      reset();
      const on = viewer.classList.toggle("beside");
      one("[data-do=beside]", viewer).setAttribute("aria-pressed", on);
    },
  };
  for (const button of all("[data-do]", viewer)) {
    button.addEventListener("click", () => { actions[button.dataset.do](); show(); });
  }
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (zoom !== 1) from = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop };
  });
  stage.addEventListener("pointermove", (event) => {
    if (from) stage.scrollTo(from.x - event.clientX, from.y - event.clientY);
  });
  addEventListener("pointerup", () => { from = null; });
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    event.deltaY < 0 ? actions.in() : actions.out();
    show();
  }, { passive: false });
  show();
}

// Drag and drop of images on a slot; several at once fill the next free slots. Each slot shows a preview.
const drops = one("[data-drops]");
if (drops) {
  const slots = all(".drop", drops);
  const preview = (slot) => {
    one("img", slot)?.remove();
    const file = one("input", slot).files[0];
    if (!file) return;
    const image = document.createElement("img");
    image.alt = file.name;
    image.src = URL.createObjectURL(file);
    image.onload = () => URL.revokeObjectURL(image.src);
    one("input", slot).before(image);
  };
  slots.forEach((slot, index) => {
    one("input", slot).addEventListener("change", () => preview(slot));
    slot.addEventListener("dragover", (event) => { event.preventDefault(); slot.classList.add("over"); });
    slot.addEventListener("dragleave", () => slot.classList.remove("over"));
    slot.addEventListener("drop", (event) => {
      event.preventDefault();
      slot.classList.remove("over");
      const free = slots.slice(index).filter((each, n) => n === 0 || !one("input", each).files.length);
      [...event.dataTransfer.files].slice(0, free.length).forEach((file, n) => {
        const carrier = new DataTransfer();
        carrier.items.add(file);
        one("input", free[n]).files = carrier.files;
        preview(free[n]);
      });
    });
  });
}
