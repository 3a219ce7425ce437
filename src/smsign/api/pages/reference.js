// The API reference: search, copy buttons, one language for all samples. The page works without them.
"use strict";

const words = document.body.dataset;
const input = document.querySelector(".search input");
const entries = [...document.querySelectorAll("main section, main dl > div")].map((element) => ({
  element,
  text: element.textContent.toLowerCase(),
}));

function search() {
  const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { element, text } of entries) {
    element.hidden = !wanted.every((word) => text.includes(word));
    found += !element.hidden;
  }
  for (const group of document.querySelectorAll("main .group")) {
    group.hidden = !group.querySelector("section:not([hidden]), dl > div:not([hidden])");
  }
  for (const link of document.querySelectorAll("li a")) {
    link.parentElement.hidden = Boolean(document.getElementById(link.hash.slice(1)).closest("[hidden]"));
  }
  document.querySelector(".search [role=status]").textContent =
    wanted.length ? words.found.replace("{n}", found) : "";
}

function addCopyButton(code) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    await copy(code.querySelector("pre").textContent);
    button.focus();
    button.textContent = words.copied;
    setTimeout(() => (button.textContent = words.copy), 2000);
  });
  code.append(button);
}

async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text);
  }
  const area = document.createElement("textarea"); // over plain HTTP there is no clipboard API
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function chooseLanguage(value) {
  for (const radio of document.querySelectorAll(`.tabs input[value="${value}"]`)) {
    radio.checked = true;
  }
}

document.querySelector(".search").hidden = false;
document.querySelectorAll(".code").forEach(addCopyButton);
input.addEventListener("input", search);
document.addEventListener("change", ({ target }) => {
  if (target.type === "radio") {
    const before = target.getBoundingClientRect().top;
    chooseLanguage(target.value);
    scrollBy(0, target.getBoundingClientRect().top - before); // the samples above have another height now
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== input) {
    event.preventDefault();
    input.focus();
  } else if (event.key === "Escape" && event.target === input) {
    input.value = "";
    search();
  }
});
search(); // a reload keeps what was typed
