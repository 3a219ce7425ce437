// What pages gain with scripts on: the reader's time zone, keys, live queue, the viewer, drag and drop.
// Every form works without this file.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);

// The server prints times in this zone from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`smsign_zone=${zone}`)) {
  document.cookie = `smsign_zone=${zone}; Path=/console; Max-Age=31536000; SameSite=Lax`;
}

for (const button of all("[data-dialog]")) {
  button.hidden = false;
  button.addEventListener("click", () => document.getElementById(button.dataset.dialog).showModal());
}

// A form is sent once: a double click, or a second press while the answer is on its way, would meet what the first did.
let sent = new WeakSet();
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog" || event.target.method === "get") return;
  if (sent.has(event.target)) return event.preventDefault();
  sent.add(event.target);
  setTimeout(() => sent.delete(event.target), 10000); // whoever stopped it may send it again
});
addEventListener("pageshow", (event) => { if (event.persisted) sent = new WeakSet(); });

// Keys: data-hot names the key of a button (clicked) or a field (focused).
const typing = (target) => target.matches("input:not([type=checkbox]), textarea, select");
const more = {}; // key -> function, for what is no button
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  if (event.key === "Escape" && typing(event.target)) return event.target.blur();
  if (typing(event.target)) return;
  if (event.key === "Enter" && event.target.matches("[name=reason], [name=id]")) event.preventDefault(); // else it sends the form
  const key = event.key === "=" ? "+" : event.key;
  const hot = one(`[data-hot="${CSS.escape(key)}"]`);
  if (hot) {
    event.preventDefault();
    if (event.repeat && !hot.closest("[data-viewer]")) return; // a key that is held down decides once
    hot.matches("textarea") ? hot.focus() : hot.click();
  } else if (more[key]?.(event)) {
    event.preventDefault();
  }
});
for (const box of all("#decide [data-key]")) {
  more[box.dataset.key] = () => { box.click(); return true; };
}

// The queue: rows are walked with j and k, and come anew whenever the server says that something changed.
const rows = one("#rows");
if (rows) {
  let at = -1, place = "none";
  const mark = (list) => {
    list.forEach((row, index) => row.classList.toggle("here", index === at));
    place = list[at]?.id ?? "none";
  };
  const step = (by) => {
    const list = all("[data-row]", rows);
    at = Math.max(0, Math.min(list.length - 1, at + by));
    mark(list);
    list[at]?.scrollIntoView({ block: "nearest" });
    one("a.sign", list[at] ?? rows)?.focus({ preventScroll: true });
    return true;
  };
  const here = (selector) => { const found = one(`.here ${selector}`, rows); found?.click(); return Boolean(found); };
  more.j = () => step(1);
  more.k = () => step(-1);
  more.x = () => here("input[type=checkbox]:enabled");
  more.Enter = (event) => !event.repeat && event.target.matches("body, main, .here a.sign") && here("button");
  // After a swap the same row is walked on, and the focus stays: where it was (htmx goes by the id), or in the row that is there now.
  let focused = -1;
  rows.addEventListener("htmx:beforeSwap", () => {
    focused = all("[data-row]", rows).findIndex((row) => row.contains(document.activeElement));
  });
  rows.addEventListener("htmx:afterSettle", () => {
    const list = all("[data-row]", rows);
    const same = list.findIndex((row) => row.id === place);
    at = same >= 0 ? same : Math.min(at, list.length - 1);
    mark(list);
    if (focused >= 0 && !rows.contains(document.activeElement)) {
      (one("a.sign", list[Math.min(focused, list.length - 1)] ?? rows) ?? one("main")).focus({ preventScroll: true });
    }
  });
  rows.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 401) location.reload(); });
  let source, late = false;
  const look = () => {
    late = all("[name=id]:checked", rows).length > 0; // not while rows are ticked, but as soon as none is
    if (!late) htmx.trigger(document.body, "queue");
  };
  rows.addEventListener("change", () => { if (late) look(); });
  const listen = () => {
    source = new EventSource(rows.dataset.live);
    source.addEventListener("queue", look);
    source.addEventListener("open", look); // it tells nothing of what changed before it was heard
    source.addEventListener("error", () => { // browsers come back by themselves, but not after a proxy's 502
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { look(); listen(); }, 5000);
    });
  };
  listen();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// The lease: kept while the page is open, given back when it is left in another way than by a form.
const desk = one("[data-lease]");
if (desk) {
  const path = desk.dataset.lease;
  let left = false;
  document.addEventListener("submit", (event) => { left ||= event.target.method !== "dialog"; });
  const renew = async () => {
    const answer = await fetch(`${path}/renew`, { method: "POST" });
    if (answer.status === 409) location.reload();
    one("[data-signed-out]").hidden = answer.status !== 401; // the page stays, with what was typed
  };
  setInterval(() => renew().catch(() => {}), 30000);
  addEventListener("pagehide", () => { if (!left) navigator.sendBeacon(`${path}/release`); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// The viewer.
const viewer = one("[data-viewer]");
const images = viewer ? all(".stage li", viewer) : [];
if (images.length) {
  let at = 0, zoom = 1, turn = 0;
  const stage = one(".stage", viewer);
  viewer.classList.add("live");
  one(".bar", viewer).hidden = false;
  const show = () => {
    images.forEach((item, index) => item.classList.toggle("shown", index === at));
    one("[data-place]", viewer).textContent = `${at + 1} / ${images.length}`;
    const image = one("img", images[at]);
    viewer.classList.toggle("zoomed", zoom !== 1);
    const quarter = turn % 180 !== 0;
    image.style.transform = turn ? `rotate(${turn}deg)` : "";
    image.style.width = zoom === 1 ? "" : `${stage.clientWidth * zoom}px`;
    image.style.margin = quarter && zoom !== 1 ? `${(image.width - image.height) / 2}px auto` : "";
  };
  const reset = () => { zoom = 1; turn = 0; };
  const acts = {
    next: () => { at = (at + 1) % images.length; reset(); },
    before: () => { at = (at + images.length - 1) % images.length; reset(); },
    in: () => { zoom = Math.min(8, zoom * 1.25); },
    out: () => { zoom = Math.max(0.25, zoom / 1.25); },
    fit: reset,
    turn: () => { turn = (turn + 90) % 360; },
    beside: () => {
      reset();
      const on = viewer.classList.toggle("beside");
      one("[data-do=beside]", viewer).setAttribute("aria-pressed", on);
    },
  };
  for (const button of all("[data-do]", viewer)) {
    button.addEventListener("click", () => { acts[button.dataset.do](); show(); });
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
    event.deltaY < 0 ? acts.in() : acts.out();
    show();
  }, { passive: false });
  show();
}

// Evidence: images are dropped on a slot, several at once fill the next ones; each shows what it holds.
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
